//! How does the service live: start, watch, reload, stop? *Not here:* argument parsing (cli), the loop (driver).

mod assemble;
mod control;
mod embed;
mod notices;
mod report;
mod signals;
mod systemd;
mod watchdog;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Mistakes};
use crate::deliver::Callback;
use crate::driver::{Control, Driver, Reload};
use crate::{exit, telemetry, web};

pub use assemble::{framed, host_name, ledger, redactor, settings};
pub use control::{NAME as CONTROL_SOCKET, at_short_path};
pub use embed::{Watch, Watching};
use signals::{Wish, Wishes};

/// What `watch` was asked for, already checked.
pub struct Options {
    pub config: Config,
    /// Read again on SIGHUP.
    pub config_file: Option<PathBuf>,
    pub state_dir: Option<PathBuf>,
    /// Lines from standard input, too.
    pub stdin: bool,
    /// `-v` minus `-q`.
    pub louder: i16,
    /// Who is told in this process.
    pub callback: Option<Callback>,
}

/// Runs until SIGTERM or SIGINT, or until every source has ended.
///
/// # Errors
/// The state cannot be opened or written, or the config names something that is not there.
pub fn watch(options: Options) -> anyhow::Result<u8> {
    let mut log = options.config.log.clone();
    log.level = log.level.shifted(options.louder);
    telemetry::start(&log);
    // Two workers: the loop, and the slow ends while a commit blocks it.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(serve(options));
    // A read of standard input cannot be interrupted; do not wait for it.
    runtime.shutdown_background();
    result
}

async fn serve(options: Options) -> anyhow::Result<u8> {
    // First, so that a signal during start is not fatal to half-written state.
    let mut wishes = Wishes::new().context("cannot catch signals")?;
    let assembled = assemble::everything(&options)?;
    for line in &assembled.greeting {
        notices::say(line);
    }
    let driver = Driver::start(assembled.parts).context("cannot start watching")?;
    let (control, told) = mpsc::channel(4);
    let _socket = match control::open(&options.config.state_dir) {
        Ok((listener, files)) => {
            tokio::spawn(control::serve(listener, control.clone()));
            Some(files)
        }
        // Watching goes on; only commands that write need it.
        Err(error) => {
            tracing::warn!(%error, "no control socket: `logwren mute` and the like only work while stopped");
            None
        }
    };
    // A port that is taken is an error of the start, not of a running service.
    let listener = match options.config.web.listen {
        Some(address) => Some(
            web::listen(address).await.with_context(|| format!("cannot listen on {address} for the HTTP interface"))?,
        ),
        None => None,
    };
    systemd::ready();
    let vitals = driver.vitals();
    if let Some(limit) = systemd::watchdog_limit() {
        tokio::spawn(watchdog::run(Arc::clone(&vitals), limit));
    }
    tokio::spawn(follow_status(driver.status()));
    let stop = CancellationToken::new();
    if let Some(listener) = listener {
        let status = driver.status();
        let health = move || report::health(&status.borrow());
        let asking = control.clone();
        let (state_dir, prices) = (options.config.state_dir.clone(), options.config.llm.clone());
        let metrics = move || report::metrics(asking.clone(), state_dir.clone(), prices.clone());
        tokio::spawn(web::serve(listener, options.config.state_dir.clone(), health, metrics, stop.clone()));
    }
    let running = tokio::spawn(driver.run(told));
    tokio::pin!(running);
    let mut current = options.config.clone();
    let finished = loop {
        tokio::select! {
            finished = &mut running => break finished,
            wish = wishes.next() => match wish {
                Wish::Reload => reload(&options, &mut current, &control).await,
                Wish::Drain => {
                    systemd::stopping();
                    tracing::info!("stopping: committing what was read, delivering what is due");
                    // A closed channel means the driver has already returned.
                    let _ = control.send(Control::Drain).await;
                }
            },
        }
    };
    let last = finished.context("the pipeline panicked")??;
    tracing::info!("stopped: {last}");
    Ok(exit::OK)
}

/// Takes a new config when it is right; keeps the old one and says why when it is not.
async fn reload(options: &Options, current: &mut Config, control: &mpsc::Sender<Control>) {
    systemd::reloading();
    match reloaded(options, current) {
        Ok((reload, config)) => {
            *current = config;
            // A closed channel means the driver is stopping.
            let _ = control.send(Control::Reload(Box::new(reload))).await;
            tracing::info!("reloaded");
            systemd::status("reloaded");
        }
        Err(error) => {
            for problem in error.downcast_ref::<Mistakes>().map_or(&[][..], |mistakes| &mistakes.0) {
                tracing::error!("{}", problem.one_line());
            }
            tracing::error!("not reloaded, the old config stays: {error:#}");
            systemd::status("reload failed: the old config stays; see the log");
        }
    }
    systemd::ready();
}

fn reloaded(options: &Options, current: &Config) -> anyhow::Result<(Reload, Config)> {
    let Some(file) = &options.config_file else {
        anyhow::bail!("started without --config, so there is nothing to read again");
    };
    let mut config = Config::load(file).map_err(Mistakes)?;
    if let Some(state_dir) = &options.state_dir {
        config.state_dir.clone_from(state_dir);
    }
    anyhow::ensure!(
        config.state_dir == options.config.state_dir,
        "state_dir cannot change while running ({} to {}); restart instead",
        options.config.state_dir.display(),
        config.state_dir.display()
    );
    let mut reload = assemble::reload(&config, options.stdin)?;
    if current.sources == config.sources {
        // Reading goes on where it is; learning, too.
        reload.sources = None;
    }
    Ok((reload, config))
}

/// STATUS= for `systemctl status`, every few seconds at most.
async fn follow_status(mut status: tokio::sync::watch::Receiver<crate::driver::Status>) {
    // What it is when we come: `systemctl start` is followed by a look.
    status.mark_changed();
    while status.changed().await.is_ok() {
        let text = status.borrow_and_update().to_string();
        systemd::status(&text);
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    }
}
