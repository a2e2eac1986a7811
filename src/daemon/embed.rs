//! The daemon inside another program: incidents to a callback instead of, or beside, notifiers. Same state, same
//! durability: an alert that was not taken is told again after the next start.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::deliver::Callback;
use crate::driver::{Control, Driver, RunError, Status};
use crate::model::Alert;

use super::{Options, assemble};

/// Watches what a config names.
///
/// ```
/// use logwren::{Watch, config::Config};
///
/// # fn main() -> anyhow::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let log = folder.path().join("app.log");
/// # std::fs::write(&log, "")?;
/// # let text = format!("state_dir = {:?}\n[judge]\nmode = 'off'\n[[sources.files]]\ninclude = [{log:?}]\n", folder.path().join("state"));
/// let config = Config::parse("logwren.toml", &text).map_err(logwren::config::Mistakes)?;
/// let (tell, told) = std::sync::mpsc::channel();
/// let watching = Watch::new(config)
///     .on_incident(move |alert| drop(tell.send((alert.incident.severity, alert.incident.title.clone()))))
///     .start()?;
/// # let now = jiff::Timestamp::now();
/// # std::fs::write(&log, format!("{now} web1 kernel: Out of memory: Killed process 2711 (mysqld) total-vm:9kB, anon-rss:8kB\n"))?;
/// let (severity, title) = told.recv_timeout(std::time::Duration::from_secs(60))?;
/// println!("{severity}: {title}");
/// watching.stop()?;
/// # Ok(())
/// # }
/// ```
pub struct Watch {
    config: Config,
    callback: Option<Callback>,
}

/// A daemon that runs. Dropped without [`Watching::stop`], it ends at once, as if it were killed: nothing that was committed
/// is lost.
pub struct Watching {
    runtime: Runtime,
    control: mpsc::Sender<Control>,
    running: JoinHandle<Result<Status, RunError>>,
}

impl Watch {
    /// The name by which routes send to the callback. Without routes it gets what is medium or worse.
    pub const NOTIFIER: &str = "callback";

    pub fn new(config: Config) -> Watch {
        Watch { config, callback: None }
    }

    /// Is told of every alert: a new incident, a worse one, one that goes on. Runs between other deliveries, so it must not
    /// take long. The text of logs in it is hostile, and not redacted.
    #[must_use]
    pub fn on_incident(mut self, told: impl Fn(&Alert) + Send + Sync + 'static) -> Watch {
        self.callback = Some(Arc::new(told));
        self
    }

    /// Starts threads of its own and returns when the state is open and every source is fixed. It has a runtime of its own:
    /// in a program with tokio, call this and [`Watching::stop`] from a blocking thread.
    ///
    /// # Errors
    /// As for the service: mistakes in rules, a notifier without its secret, a state that cannot be opened.
    pub fn start(self) -> anyhow::Result<Watching> {
        let options = Options {
            config: self.config,
            config_file: None,
            state_dir: None,
            stdin: false,
            louder: 0,
            callback: self.callback,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let (control, told) = mpsc::channel(4);
        let running = runtime.block_on(async {
            let assembled = assemble::everything(&options)?;
            let driver = Driver::start(assembled.parts).context("cannot start watching")?;
            anyhow::Ok(tokio::spawn(driver.run(told)))
        })?;
        Ok(Watching { runtime, control, running })
    }
}

impl Watching {
    /// Commits what was read, delivers what is due, and ends.
    ///
    /// # Errors
    /// When the state could not be written.
    pub fn stop(self) -> anyhow::Result<()> {
        let Watching { runtime, control, running } = self;
        let ended = runtime.block_on(async {
            // A closed channel means the driver has already returned.
            let _ = control.send(Control::Drain).await;
            running.await
        });
        runtime.shutdown_background();
        ended.context("the pipeline panicked")??;
        Ok(())
    }
}
