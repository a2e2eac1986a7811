//! Wake-ups: says that something may have happened. Carries no data, queues nothing, and may die without harm.
//!
//! `notify` watches directories, `linemux` watches single named files that may not exist yet. Both only set flags.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::identity::FileId;
use super::tailer::Wake;

/// More changed files than this between two ticks mean: look at everything.
const MAX_PATHS: usize = 1_024;
/// `linemux` leaks a watch at each rotation; after this many it is built anew.
const MAX_ROTATIONS: u32 = 256;
/// After a change is told, the next one may wait so long: less than the tailer waits between two looks, and a thousand
/// writes a second wake us a dozen times. The kernel joins equal events meanwhile.
const REST: Duration = Duration::from_millis(80);
/// Events read together come closer than this; they are told at once. Shorter than the pause between two writes of a busy
/// program, or each of them would wake us until this has passed.
const TOGETHER: Duration = Duration::from_micros(400);
/// How long until a failed watch is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// How long until `linemux` is built anew after it gave up; doubles while it goes on giving up.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Types of file systems that see no events of other hosts (statfs(2)): NFS, CIFS, SMB2, FUSE, 9p, Ceph.
const REMOTE: [u32; 6] = [0x6969, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400];

/// All wake-ups of the files source.
pub struct Hints {
    flags: Flags,
    woken: Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    /// Watched directories, by path, with what was there when the watch was set.
    watched: HashMap<PathBuf, Option<FileId>>,
    retry_at: Option<Instant>,
    /// The warning that watches ran out was given.
    warned: bool,
    /// Ends the thread of single files when this is dropped.
    _stop: DropGuard,
}

/// What the watching threads set; shared, bounded.
#[derive(Clone)]
struct Flags {
    // std Mutex: held for a set insertion, never across a wait.
    wake: Arc<Mutex<Wake>>,
    bell: SyncSender<()>,
}

impl Flags {
    fn set(&self, paths: &[PathBuf], scan: bool) {
        let mut wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        wake.scan |= scan;
        for path in paths {
            if wake.paths.len() >= MAX_PATHS {
                wake.scan = true;
            } else if !wake.paths.contains(path) {
                wake.paths.insert(path.clone());
            }
        }
        drop(wake);
        // Full means that the bell is ringing already.
        let _ = self.bell.try_send(());
    }

    /// True when it was news.
    fn notified(&self, event: &Result<notify::Event, notify::Error>) -> bool {
        match event {
            // Our own opens and reads: not news.
            Ok(event) if event.kind.is_access() => return false,
            Ok(event) => {
                let quiet = match event.kind {
                    EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any) => true,
                    EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Name(_) | ModifyKind::Other)
                    | EventKind::Any
                    | EventKind::Access(_)
                    | EventKind::Create(_)
                    | EventKind::Remove(_)
                    | EventKind::Other => false,
                };
                self.set(&event.paths, !quiet || event.need_rescan());
            }
            Err(_) => self.set(&[], true),
        }
        true
    }
}

impl Hints {
    /// Starts watching; `named` are single files. With `enabled` false nothing ever rings.
    pub fn start(named: Vec<PathBuf>, enabled: bool) -> Hints {
        let (bell, woken) = sync_channel(1);
        let flags = Flags { wake: Arc::default(), bell };
        let stop = CancellationToken::new();
        let mut watcher = None;
        if enabled {
            let notified = flags.clone();
            let mut rested = Instant::now();
            let told = move |event| {
                if notified.notified(&event) && rested.elapsed() > TOGETHER {
                    thread::sleep(REST);
                    rested = Instant::now();
                }
            };
            match notify::recommended_watcher(told) {
                Ok(started) => watcher = Some(started),
                Err(error) => {
                    tracing::warn!(%error, "cannot watch directories; files are looked at every second instead")
                }
            }
            if !named.is_empty() {
                let (flags, stop) = (flags.clone(), stop.clone());
                let started = thread::Builder::new()
                    .name("logwren-linemux".to_owned())
                    .spawn(move || watch_named(&named, &flags, &stop));
                if let Err(error) = started {
                    tracing::warn!(%error, "cannot watch single files; they are looked at every second instead");
                }
            }
        }
        Hints {
            flags,
            woken,
            watcher,
            watched: HashMap::new(),
            retry_at: None,
            warned: false,
            _stop: stop.drop_guard(),
        }
    }

    /// Watches exactly `directories`. Those that were deleted and made again are watched anew.
    pub fn watch(&mut self, directories: &BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        if self.retry_at.is_some_and(|at| Instant::now() >= at) {
            self.retry_at = None;
            self.watched.retain(|_, id| id.is_some());
        }
        self.watched.retain(|path, _| {
            let wanted = directories.contains(path);
            if !wanted {
                let _ = watcher.unwatch(path);
            }
            wanted
        });
        for path in directories {
            let id = fs::metadata(path).ok().map(|metadata| FileId::of(&metadata));
            let Some(id) = id else { continue };
            match self.watched.get(path) {
                Some(Some(known)) if *known == id => continue,
                Some(None) => continue,
                Some(Some(_)) => {
                    let _ = watcher.unwatch(path);
                }
                None => {}
            }
            if is_remote(path) {
                self.watched.insert(path.clone(), None);
                continue;
            }
            match watcher.watch(path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path.clone(), Some(id));
                }
                Err(error) => {
                    self.watched.insert(path.clone(), None);
                    self.retry_at.get_or_insert(Instant::now() + RETRY);
                    // A closed directory is said once, with its fix, by whoever tries to read it.
                    if !self.warned && !is_denied(&error) {
                        self.warned = true;
                        tracing::warn!(
                            path = %path.display(),
                            "cannot watch {}: {error}; its files are looked at every second instead \
                             (raise fs.inotify.max_user_watches if it ran out)",
                            path.display()
                        );
                    }
                }
            }
        }
    }

    /// Every directory is watched: what happens rings.
    pub fn complete(&self) -> bool {
        self.watcher.is_some() && !self.watched.is_empty() && self.watched.values().all(Option::is_some)
    }

    /// Waits for a wake-up, at most `longest`.
    pub fn wait(&self, longest: Duration) {
        // The sender lives in `flags`: only a wake-up or the time ends this.
        let _ = self.woken.recv_timeout(longest);
    }

    /// What happened since the last call.
    pub fn take(&self) -> Wake {
        std::mem::take(&mut *self.flags.wake.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_denied(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        notify::ErrorKind::Generic(_)
        | notify::ErrorKind::PathNotFound
        | notify::ErrorKind::WatchNotFound
        | notify::ErrorKind::InvalidConfig(_)
        | notify::ErrorKind::MaxFilesWatch => false,
    }
}

fn is_remote(path: &Path) -> bool {
    // Magic numbers are 32 bits wide; the type of the field is not the same on every machine.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "magic numbers are 32 bits")]
    rustix::fs::statfs(path).is_ok_and(|status| REMOTE.contains(&(status.f_type as u32)))
}

/// Rings when one of `named` changes or is born. Its poll can spin for ever once its watch set is empty, so it has a
/// thread and a runtime of its own that nobody waits for.
fn watch_named(named: &[PathBuf], flags: &Flags, stop: &CancellationToken) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return };
    let watching = async {
        let mut pause = SHORTEST_PAUSE;
        while let Some(mut events) = events_of(named).await {
            let mut rotations = 0;
            while rotations < MAX_ROTATIONS {
                let Ok(Some(event)) = events.next_event().await else { break };
                pause = SHORTEST_PAUSE;
                rotations += u32::from(event.kind.is_create());
                flags.set(&event.paths, event.kind.is_create() || event.kind.is_remove() || event.need_rescan());
            }
            flags.set(&[], true);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY);
        }
    };
    runtime.block_on(async {
        tokio::select! {
            () = watching => {}
            () = stop.cancelled() => {}
        }
    });
}

/// Watches what can be watched of `named`; `None` when `linemux` does not start at all.
async fn events_of(named: &[PathBuf]) -> Option<linemux::MuxedEvents> {
    let mut events = linemux::MuxedEvents::new().ok()?;
    for path in named {
        // Relative links to directories break it: only true parents go in.
        let Some(parent) = path.parent().and_then(|parent| fs::canonicalize(parent).ok()) else { continue };
        let Some(name) = path.file_name() else { continue };
        let _ = events.add_file(parent.join(name)).await;
    }
    Some(events)
}

#[cfg(test)]
mod tests {
    use notify::event::Flag;
    use notify::{Event, Result};

    use super::*;

    /// What an event comes to: news, a scan, changed paths.
    #[track_caller]
    fn check(event: Result<Event>, expected: (bool, bool, usize)) {
        let (bell, woken) = sync_channel(1);
        let flags = Flags { wake: Arc::default(), bell };
        let news = flags.notified(&event);
        assert_eq!(woken.try_recv().is_ok(), news);
        let wake = flags.wake.lock().expect("nobody panics").clone();
        assert_eq!((news, wake.scan, wake.paths.len()), expected, "{event:?}");
    }

    #[test]
    fn fluent_bit_1108_2197_an_overflow_of_the_queue_asks_for_a_scan() {
        check(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), (true, true, 0));
        check(Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)), (true, true, 0));
        let written = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
        check(Ok(Event::new(written).add_path("/a".into())), (true, false, 1));
        check(
            Ok(Event::new(EventKind::Create(notify::event::CreateKind::File)).add_path("/a".into())),
            (true, true, 1),
        );
        check(
            Ok(Event::new(EventKind::Access(notify::event::AccessKind::Any)).add_path("/a".into())),
            (false, false, 0),
        );
    }

    #[test]
    fn more_changes_than_are_told_apart_ask_for_a_scan() {
        let (bell, _woken) = sync_channel(1);
        let flags = Flags { wake: Arc::default(), bell };
        for number in 0..2 * MAX_PATHS {
            flags.set(&[PathBuf::from(format!("/{number}"))], false);
        }
        let wake = flags.wake.lock().expect("nobody panics").clone();
        assert_eq!((wake.scan, wake.paths.len()), (true, MAX_PATHS));
    }
}
