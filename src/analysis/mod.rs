//! What is odd in these logs? Files in, anomalies and reports out: [`Analysis`] for whole logs, [`Records`] for a stream of
//! one's own. The way of a run: options, a look at what is normal, the lines, the model's questions, a second look where a
//! verdict flagged lines already passed, the files.
//!
//! *Not here:* how lines are judged (pipeline), what reports look like (report), what is typed (cli).

pub(crate) mod inputs;
mod options;
mod text;
mod table;
mod export;
mod archive;
pub(crate) mod spool;
pub(crate) mod chunk;
pub(crate) mod stream;
pub(crate) mod feed;
mod rows;
mod trail;
mod collect;
mod engine;
mod ahead;
mod run;
mod judge;
mod finish;
pub(crate) mod output;
mod records;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::config::Config;
use crate::model::{Incident, Severity, Timestamp};
use crate::parse;
use crate::report::Report;

use options::Options;
pub use output::Paths;
pub use records::{Record, Records};

/// What a run says on the way.
#[derive(Debug)]
pub enum Event<'a> {
    /// Worth a line before the run begins: who is asked, and what leaves the host.
    Note(&'a str),
    /// So far, of so many bytes in all; 0 when nobody knows.
    Reading { bytes: u64, total: u64, lines: u64 },
    /// Something takes a while.
    Busy(&'a str),
    /// An incident reached `medium`, as it is now.
    Found(&'a Incident),
}

pub(crate) type Listener = dyn FnMut(Event<'_>);

/// One look at whole logs, as `logwren analyze` takes it.
///
/// ```
/// use logwren::{Analysis, config::Config, judge, model::Severity};
///
/// # fn main() -> anyhow::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let log = folder.path().join("syslog");
/// # let ordinary = (0..300).map(|n| format!("2026-03-01T10:{:02}:{:02}Z web1 app[7]: request {n} done\n", n / 60, n % 60));
/// # let oom = "2026-03-01T10:06:00Z web1 kernel: Out of memory: Killed process 2711 (mysqld) total-vm:9kB, anon-rss:8kB\n";
/// # std::fs::write(&log, ordinary.collect::<String>() + oom)?;
/// # let log = log.display().to_string();
/// let report = Analysis::new(Config::default())
///     .judge(judge::Mode::Off)
///     .on_event(|event| eprintln!("{event:?}"))
///     .run([&log])?;
/// assert_eq!(report.summary, "Detected 1 anomaly across 1 category");
/// assert_eq!(report.incidents[0].severity, Severity::High);
/// assert_eq!(report.incidents[0].program, "kernel");
/// # Ok(())
/// # }
/// ```
pub struct Analysis {
    options: Options,
    baseline: Vec<String>,
    listen: Box<Listener>,
    stop: Arc<AtomicBool>,
}

impl Analysis {
    pub fn new(config: Config) -> Analysis {
        let paths = Paths::default();
        let options = Options { config, since: None, until: None, judge: None, format: None, threads: 2, paths };
        Analysis { options, baseline: Vec::new(), listen: Box::new(|_| {}), stop: Arc::default() }
    }

    /// Lines before this time only teach.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Analysis {
        self.options.since = since;
        self
    }

    /// Leaves out lines from this time on.
    #[must_use]
    pub fn until(mut self, until: Option<Timestamp>) -> Analysis {
        self.options.until = until;
        self
    }

    /// Logs of normal days, which only teach; named as for [`Analysis::run`].
    #[must_use]
    pub fn baseline(mut self, words: impl IntoIterator<Item = impl AsRef<str>>) -> Analysis {
        self.baseline = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// What a model is asked about, instead of what the config says. Without a key none is asked.
    #[must_use]
    pub fn judge(mut self, mode: crate::judge::Mode) -> Analysis {
        self.options.judge = Some(mode);
        self
    }

    /// Format of plain lines, instead of guessing.
    #[must_use]
    pub fn format(mut self, format: parse::Format) -> Analysis {
        self.options.format = Some(format.name().into());
        self
    }

    /// With one everything is done in turn; with more, one of them reads ahead. The report is the same.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Analysis {
        self.options.threads = threads;
        self
    }

    /// Files to write. A report holds no rows, as there may be any number of them: they are in the CSV and the JSON lines.
    #[must_use]
    pub fn write(mut self, paths: Paths) -> Analysis {
        self.options.paths = paths;
        self
    }

    /// Is told what happens, while it happens.
    #[must_use]
    pub fn on_event(mut self, listen: impl FnMut(Event<'_>) + 'static) -> Analysis {
        self.listen = Box::new(listen);
        self
    }

    /// Ends the run early when it becomes true; what was read until then is reported.
    #[must_use]
    pub fn stop(mut self, stop: Arc<AtomicBool>) -> Analysis {
        self.stop = stop;
        self
    }

    /// Reads files, directories, archives and patterns, `-` for standard input, each packed or not.
    ///
    /// # Errors
    /// When a word names nothing, or a file cannot be written. What cannot be read to its end is among the problems of the
    /// report, which is not `complete` then.
    pub fn run(self, words: impl IntoIterator<Item = impl AsRef<str>>) -> anyhow::Result<Report> {
        let words: Vec<String> = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self.run_to_end(&words).map(|finished| finished.0)
    }

    /// The report, and the worst severity of all incidents, also of those it does not list.
    ///
    /// # Errors
    /// As [`Analysis::run`].
    pub fn run_to_end(self, words: &[String]) -> anyhow::Result<(Report, Option<Severity>)> {
        let Analysis { mut options, baseline, mut listen, stop } = self;
        let (inputs, baseline) = (inputs::named(words)?, inputs::named(&baseline)?);
        let finished = run::run(&mut options, &inputs, &baseline, &stop, &mut *listen)?;
        Ok((finished.report, finished.worst))
    }
}
