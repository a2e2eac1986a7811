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
    /// Show how one line is parsed, masked, matched, judged and what would leave the host
    Explain(Explain),
    /// Measure detection on labelled logs: precision, recall, F1
    ///
    /// Reads the inputs one after the other as if they came in live, on the time of their lines. A line counts as flagged
    /// when its incident is of medium severity or worse (--at).
    Eval(Eval),
    /// Look at incidents, also while the daemon runs
    Incidents(Incidents),
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

    /// Threads to read with; the result is the same with any number. Default: the processors there are, up to 4
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub threads: Option<u8>,
}

#[derive(Args, Debug)]
pub struct CheckConfig {
    /// Config file
    #[arg(value_name = "FILE", default_value = "/etc/logwren/logwren.toml")]
    pub file: PathBuf,
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
pub struct TestAlert {
    /// Name of the notifier; all when left out
    pub notifier: Option<String>,

    #[command(flatten)]
    pub place: Place,
}
