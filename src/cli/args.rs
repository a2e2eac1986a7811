//! The words that can be typed. Help, man page, completions and the README's command table all come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::model::Severity;

/// Watches the logs of a host and tells a person when something odd happens.
#[derive(Parser, Debug)]
#[command(name = "logwren", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,

    /// More of our own log (repeat for more)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,

    /// Less of our own log (repeat for less)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub quiet: u8,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Watch logs and tell what is odd: the daemon
    ///
    /// Without config and path it watches /var/log and the journal, learns from what is already there and prints
    /// findings. With a config it is the service.
    Watch(Watch),
    /// Find what is odd in log files and write reports
    ///
    /// Reads plain logs of every known format, CSV, JSON lines and journal exports, packed or in archives. Prints a summary;
    /// --out DIR writes anomalies.csv, report.json and report.html.
    Analyze(Analyze),
    /// Show which kinds of lines are in some logs: mining alone
    ///
    /// Prints every template with its number of lines and its first and last line. Packed files (.gz, .xz, .zst, .bz2)
    /// are unpacked.
    Templates(Templates),
    /// Say whether a config is right, every mistake at once
    CheckConfig(CheckConfig),
    /// Take over a config of the original system
    Config {
        #[command(subcommand)]
        what: ConfigWhat,
    },
    /// Show how one line is parsed, masked, matched, judged and what would leave the host
    Explain(Explain),
    /// Show exactly what of some lines may leave this host
    ///
    /// Each line as a model would see it, or with --to people as an alert would show it. What was found, and what becomes
    /// of it with this config, is said on standard error.
    Redact(Redact),
    /// Show what left this host: every request to a model and every alert, byte for byte
    ///
    /// Kept for 30 days, and 64 MiB at most. Also while the daemon runs.
    Egress(Egress),
    /// Measure detection on labelled logs: precision, recall, F1
    ///
    /// Reads the inputs one after the other as if they came in live, on the time of their lines. A line counts as flagged
    /// when its incident is of medium severity or worse (--at).
    Eval(Eval),
    /// Show what would have alerted on old logs, and what a new config would change
    ///
    /// Reads the inputs as if they came in live, on the time of their lines: once with the config of the service, and once
    /// with --config when it is given. Shows which incidents are new, gone or of another severity. Asks no model.
    Backtest(Backtest),
    /// Show which kinds of lines are new, gone, louder or quieter in one log against another
    ///
    /// Two days, two hosts, before and after a deploy, a passing and a failing run. Reads whatever analyze reads. Logs of
    /// different length are put on one scale by the kinds that both have; louder and quieter are at least twice and at least
    /// four standard deviations apart.
    Compare(Compare),
    /// Look at incidents, also while the daemon runs
    Incidents(Incidents),
    /// Write reports about what the daemon found, also while it runs
    ///
    /// The files of analyze, from the store. A row for each line kept as evidence; the charts count findings.
    Report(StoredReport),
    /// Say that an incident or a kind of line is ordinary: nobody is told of it, and no model is asked
    ///
    /// Holds for exactly what was known when it was said: another kind of line, rule, address or host, a worse severity, or
    /// more than three times the lines of its busiest hour is told again.
    Normal(Answer),
    /// Say that a kind of line is a failure: each of its lines is an incident from now on
    Anomalous(Answer),
    /// Tell nobody of an incident, kind or template for a while
    ///
    /// Ends by itself when the time is over, the severity rises, an hour has more than three times the lines of the busiest
    /// one until then, or the template comes to take other lines; and it never covers another failure.
    Mute(Mute),
    /// Take back `normal`, `anomalous` or `mute`
    Unmute(Answer),
    /// List what was said with `normal`, `anomalous` and `mute` and still holds
    Mutes(Mutes),
    /// Show what the model has cost, by day and model, and what is left of today's caps
    Spend(Spend),
    /// Turn what the model said into rules
    Rules {
        #[command(subcommand)]
        what: RulesWhat,
    },
    /// Send a test alert through one notifier or all
    TestAlert(TestAlert),
    /// List sources, formats, detectors, backends and notifiers
    Components,
    /// Print shell completions
    Completions { shell: clap_complete::Shell },
    /// Print the man page
    Man,
}

#[derive(Args, Debug)]
pub struct Watch {
    /// Files, directories or patterns to watch; `-` is standard input
    #[arg(value_name = "PATH", conflicts_with = "config")]
    pub paths: Vec<String>,

    #[command(flatten)]
    pub place: Place,
}

/// Which config and which state.
#[derive(Args, Debug, Clone)]
pub struct Place {
    /// Config file
    #[arg(short, long, value_name = "FILE", env = "LOGWREN_CONFIG", global = true)]
    pub config: Option<PathBuf>,

    /// State directory, instead of the config's
    #[arg(long, value_name = "DIR", global = true)]
    pub state_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Analyze {
    /// Files, directories or patterns; `-` is standard input
    #[arg(value_name = "INPUT", required_unless_present = "schema")]
    pub inputs: Vec<String>,

    /// Logs of normal days, which only teach
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub baseline: Vec<String>,

    /// Lines before this time only teach
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,

    /// Leave out lines from this time on
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// What a model is asked about; templates when there is a key
    #[arg(long, value_enum)]
    pub judge: Option<JudgeMode>,

    /// Write anomalies.csv, report.json and report.html here
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Write a row for each anomalous line; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as one self-contained page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the incidents as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,

    /// Write a JSON object for each anomalous line
    #[arg(long, value_name = "FILE")]
    pub jsonl: Option<PathBuf>,

    /// Format of the lines, instead of guessing
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,

    /// Exit with 1 when something is this severe or worse
    #[arg(long, value_name = "SEVERITY", value_enum)]
    pub fail_on: Option<SeverityName>,

    /// Threads: with two, one reads and unpacks ahead; the result is the same
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub threads: u8,

    /// Print the JSON Schema of the report
    #[arg(long)]
    pub schema: bool,

    #[command(flatten)]
    pub place: Place,
}

/// What one question to the model is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum JudgeMode {
    /// Nothing is asked
    Off,
    /// A kind of line, once
    Templates,
    /// Every line
    Lines,
}

/// A severity as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum SeverityName {
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityName> for Severity {
    fn from(name: SeverityName) -> Severity {
        match name {
            SeverityName::Low => Severity::Low,
            SeverityName::Medium => Severity::Medium,
            SeverityName::High => Severity::High,
            SeverityName::Critical => Severity::Critical,
        }
    }
}

#[derive(Args, Debug)]
pub struct Templates {
    /// Files, directories or patterns; `-` is standard input
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<String>,

    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// Write `line_number,template_id` for every line, numbered from 1 through all inputs
    #[arg(long, value_name = "FILE")]
    pub assignments: Option<PathBuf>,

    /// Threads to read with; the result is the same with any number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub threads: u8,
}

#[derive(Args, Debug)]
pub struct CheckConfig {
    /// Config file
    #[arg(value_name = "FILE", default_value = "/etc/logwren/logwren.toml")]
    pub file: PathBuf,
}

#[derive(Subcommand, Debug, Clone)]
pub enum ConfigWhat {
    /// Translate a config.json and say what became of every key
    ///
    /// The new config goes to standard output, what became of the keys to standard error. Secrets are never taken.
    Import(ImportConfig),
}

#[derive(Args, Debug, Clone)]
pub struct ImportConfig {
    /// The config.json
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write the new config here; never over a file that is there
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct Explain {
    /// The line
    #[arg(value_name = "LINE", required_unless_present = "file", conflicts_with = "file")]
    pub line: Option<String>,

    /// Take the line from this file
    #[arg(long, value_name = "FILE", requires = "number")]
    pub file: Option<PathBuf>,

    /// Line number in the file, from 1
    #[arg(long = "line", value_name = "N", requires = "file", value_parser = clap::value_parser!(u64).range(1..))]
    pub number: Option<u64>,

    /// Format of the line, instead of guessing
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Redact {
    /// A file, packed or not, a directory or a pattern; standard input when left out or `-`
    #[arg(value_name = "FILE")]
    pub file: Option<String>,

    /// Say for each line that something is hidden of what, where and why, instead of printing the lines
    #[arg(long)]
    pub explain: bool,

    /// Whose eyes it is for
    #[arg(long, value_name = "WHOM", value_enum, default_value = "model")]
    pub to: Audience,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Egress {
    /// Only what left within this time, as 24h or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<crate::model::Period>,

    /// Print the bytes of one request exactly as they left
    #[arg(long, value_name = "ID", conflicts_with = "since")]
    pub show: Option<i64>,

    #[command(flatten)]
    pub place: Place,
}

/// Who would read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Audience {
    /// Neither secrets nor personal data
    Model,
    /// No secrets
    People,
}

#[derive(Args, Debug)]
pub struct Eval {
    /// Labelled files, directories or patterns
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<String>,

    /// `first-column` (`-` is normal; taken off before analysis), or a CSV file: `line` numbers of odd lines (with
    /// `input` where there are several), or ids of sessions and `Normal` or not
    #[arg(long, value_name = "WHERE")]
    pub labels: String,

    /// Lowest severity of an incident whose lines count as flagged
    #[arg(long, value_name = "SEVERITY", default_value = "medium", value_parser = ["low", "medium", "high", "critical"])]
    pub at: String,

    /// Ordinary logs to learn from first
    #[arg(long, value_name = "FILE")]
    pub baseline: Vec<String>,

    /// `off`, or `oracle`: a model that knows the labels, asked once for each kind of line
    #[arg(long, value_name = "WHO", default_value = "off", value_parser = ["off", "oracle"])]
    pub judge: String,

    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Backtest {
    /// Files, directories or patterns
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<String>,

    /// So much before the newest line is tested, as 30d; what is older only teaches. When left out, or when nothing is
    /// older, the first tenth teaches
    #[arg(long, value_name = "TIME")]
    pub since: Option<crate::model::Period>,

    /// The new config
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The config to compare with, instead of the one of the service (or the defaults where there is none)
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,

    /// Lowest severity of an incident that counts as an alert
    #[arg(long, value_name = "SEVERITY", value_enum, default_value = "medium")]
    pub at: SeverityName,

    /// JSON instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct Compare {
    /// What B is compared with: a file, directory, archive or pattern; `-` is standard input
    #[arg(value_name = "A")]
    pub before: String,

    /// What may be different
    #[arg(value_name = "B")]
    pub after: String,

    /// Only kinds of this level or worse, as warning or err
    #[arg(long, value_name = "LEVEL")]
    pub level: Option<String>,

    /// Exit with 1 when there is such a difference
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub fail_on: Vec<Difference>,

    /// Format of the lines, instead of guessing
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,

    /// Most kinds to list of each sort
    #[arg(long, default_value_t = 50)]
    pub limit: usize,

    /// JSON instead of text; lists all
    #[arg(long)]
    pub json: bool,
}

/// A difference between two logs, as it is typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Difference {
    New,
    Gone,
    Louder,
    Quieter,
}

#[derive(Args, Debug)]
pub struct Incidents {
    #[command(subcommand)]
    pub what: Option<IncidentsWhat>,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Subcommand, Debug, Clone)]
pub enum IncidentsWhat {
    /// List incidents, newest first
    List {
        /// Only those that spoke within this time, as 24h or 7d
        #[arg(long, value_name = "TIME")]
        since: Option<crate::model::Period>,
        /// Most to show
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one incident with its evidence and findings
    Show {
        /// Its id, or the first digits of it
        id: String,
    },
}

#[derive(Args, Debug)]
pub struct StoredReport {
    /// Only what spoke within this time, as 24h or 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<crate::model::Period>,

    /// Write a row for each line kept as evidence; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the report as one self-contained page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Write the incidents as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,

    /// Write a JSON object for each line kept as evidence
    #[arg(long, value_name = "FILE")]
    pub jsonl: Option<PathBuf>,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Answer {
    /// Id of an incident, kind or template, or its first digits (at least 4)
    pub id: String,

    /// Only on this host, `*` for every one; where it was seen when left out
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,

    /// Why, for whoever reads `logwren mutes`
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Mute {
    #[command(flatten)]
    pub what: Answer,

    /// How long, as 30m, 12h or 7d; 7d when left out
    #[arg(long = "for", value_name = "TIME")]
    pub length: Option<crate::model::Period>,

    /// Until an hour has more lines than the busiest one until now (10 at least); without --for, however long that is
    #[arg(long)]
    pub until_worse: bool,
}

#[derive(Args, Debug)]
pub struct Mutes {
    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct Spend {
    /// Only days within this time, as 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<crate::model::Period>,

    /// JSON instead of a table
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Subcommand, Debug)]
pub enum RulesWhat {
    /// Print the model's verdicts as rules in TOML: for rules_dir, where they hold without a model
    Export(RulesExport),
}

#[derive(Args, Debug)]
pub struct RulesExport {
    /// Also what it called normal, as quiet rules
    #[arg(long)]
    pub normal: bool,

    #[command(flatten)]
    pub place: Place,
}

#[derive(Args, Debug)]
pub struct TestAlert {
    /// Name of the notifier; all when left out
    pub notifier: Option<String>,

    #[command(flatten)]
    pub place: Place,
}
