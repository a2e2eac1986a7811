//! A test bed: a directory, a tailer driven by hand on a scripted clock, and what it handed over. No threads, no sleep.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::model::{Phase, Position, SourceEvent, StreamKey, Timestamp};

use super::super::FromSource;
use super::config::{FilesConfig, Limits, Pattern};
use super::generation::{Generation, Now};
use super::identity::FileId;
use super::tailer::{Tailer, Wake};

pub struct Bed {
    directory: tempfile::TempDir,
    pub limits: Limits,
    pub config: FilesConfig,
    tailer: Option<Tailer>,
    clock: Duration,
    /// How far the wall clock is off.
    pub wall_error: jiff::SignedDuration,
    /// Last position of each stream, as the store would hold it.
    pub store: BTreeMap<StreamKey, Position>,
    /// Live lines since the last `take`.
    pub lines: Vec<String>,
    /// Where each of them came from.
    pub keys: Vec<(StreamKey, u64)>,
    pub learned: Vec<String>,
    pub events: Vec<SourceEvent>,
    /// The next messages are refused so long after the tick began.
    pub refuse: Vec<Duration>,
}

impl Bed {
    /// A bed that follows `include`, relative to its directory.
    pub fn new(include: &[&str]) -> Bed {
        let directory = tempfile::tempdir().expect("a directory");
        let pattern = |text: &&str| -> Pattern {
            format!("{}/{text}", directory.path().display()).parse().expect("a good pattern")
        };
        let config = FilesConfig { include: include.iter().map(pattern).collect(), ..FilesConfig::default() };
        Bed {
            directory,
            limits: Limits { hints: false, ..Limits::default() },
            config,
            tailer: None,
            clock: Duration::ZERO,
            wall_error: jiff::SignedDuration::ZERO,
            store: BTreeMap::new(),
            lines: Vec::new(),
            keys: Vec::new(),
            learned: Vec::new(),
            events: Vec::new(),
            refuse: Vec::new(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("has one")).expect("to make it");
        let mut file = OpenOptions::new().create(true).append(true).open(path).expect("to open it");
        file.write_all(bytes.as_ref()).expect("to write it");
    }

    pub fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("to rename it");
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("to remove it");
    }

    pub fn copy(&self, from: &str, to: &str) {
        let bytes = fs::read(self.path(from)).expect("to read it");
        fs::write(self.path(to), bytes).expect("to write it");
    }

    pub fn truncate(&self, name: &str) {
        OpenOptions::new().write(true).open(self.path(name)).expect("to open it").set_len(0).expect("to truncate it");
    }

    /// Packs and removes, as logrotate does.
    pub fn gzip(&self, from: &str, to: &str) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&fs::read(self.path(from)).expect("to read it")).expect("into memory");
        fs::write(self.path(to), encoder.finish().expect("into memory")).expect("to write it");
        self.remove(from);
    }

    /// Takes or gives all permissions.
    pub fn allow(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("to set them");
    }

    /// Starts a tailer on what is in the store, and learns.
    pub fn start(&mut self) {
        self.start_as(false);
    }

    /// As after a death before learning was done.
    pub fn start_relearning(&mut self) {
        self.start_as(true);
    }

    fn start_as(&mut self, relearn: bool) {
        let _powerless = Powerless::new();
        let mut tailer = Tailer::new(vec![self.config.clone()], vec![self.path("own")], self.limits.clone());
        let known: Vec<Position> = self.store.values().cloned().collect();
        let now = self.now();
        for position in tailer.open(&known, now) {
            self.store.insert(position.stream.clone(), position);
        }
        if relearn {
            tailer.learn_again();
        }
        for item in tailer.take_learning() {
            let (learned, events) = (&mut self.learned, &mut self.events);
            item.run(&self.limits, &mut |message| {
                match message {
                    FromSource::Lines(block) => {
                        assert_eq!((block.phase, &block.position), (Phase::Learn, &None));
                        learned.extend(block.lines().map(|(line, _)| String::from_utf8_lossy(line).into_owned()));
                    }
                    FromSource::Event(event) => events.push(event),
                }
                Ok(())
            })
            .expect("always taken");
        }
        self.tailer = Some(tailer);
    }

    /// Ends the tailer. What it handed over was committed.
    pub fn stop(&mut self) {
        self.tailer = None;
    }

    /// Ends the tailer as if the machine had died when the store held `store`.
    pub fn crash(&mut self, store: BTreeMap<StreamKey, Position>) {
        self.tailer = None;
        self.store = store;
    }

    fn now(&self) -> Now {
        // The steady clock of a test starts anew with it; the wall clock is the one that files are written by.
        Now { steady: self.clock, wall: (jiff::Timestamp::now() + self.wall_error).into(), looked: Timestamp::EPOCH }
    }

    /// Lets `millis` pass, ticking as the tail loop would.
    pub fn pass(&mut self, millis: u64) {
        let end = self.clock + Duration::from_millis(millis);
        loop {
            while self.tick(&Wake::default()) {}
            let due = self.tailer.as_ref().map_or(end, Tailer::next_look);
            if due >= end || self.tailer.is_none() {
                break;
            }
            self.clock = self.clock.max(due);
        }
        self.clock = end;
        while self.tick(&Wake::default()) {}
    }

    /// As if a hint had rung now.
    pub fn poke(&mut self) {
        let mut wake = Wake { scan: true, ..Wake::default() };
        while self.tick(&wake) {
            wake = Wake::default();
        }
    }

    /// One tick. True when there is more to do at once.
    pub fn tick(&mut self, wake: &Wake) -> bool {
        let now = self.now();
        let _powerless = Powerless::new();
        let Some(tailer) = &mut self.tailer else { return false };
        let (lines, keys, store, events) = (&mut self.lines, &mut self.keys, &mut self.store, &mut self.events);
        tailer.look(now, wake);
        let mut refuse = std::mem::take(&mut self.refuse).into_iter();
        tailer
            .read(now, &mut |message| {
                if let Some(after) = refuse.next() {
                    let later = Now { steady: now.steady + after, ..now };
                    return Ok(Some((message, later)));
                }
                match message {
                    FromSource::Lines(block) => {
                        assert_eq!(block.phase, Phase::Live);
                        let position = block.position.clone().expect("live blocks have one");
                        for (line, span) in block.lines() {
                            let text = String::from_utf8_lossy(line).into_owned();
                            let flags = [(span.truncated, " (cut)"), (span.partial, " (partial)")];
                            lines.push(flags.iter().filter(|flag| flag.0).fold(text, |text, flag| text + flag.1));
                            keys.push((position.stream.clone(), span.offset));
                        }
                        store.insert(position.stream.clone(), position);
                    }
                    FromSource::Event(event) => events.push(event),
                }
                Ok(None)
            })
            .expect("always taken")
    }

    /// The live lines since the last call.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        assert_eq!(self.take(), expected);
    }

    /// Lets five seconds pass and compares the live lines.
    #[track_caller]
    pub fn then(&mut self, expected: &[&str]) {
        self.pass(7_000);
        assert_eq!(self.take(), expected);
    }

    pub fn gaps(&self) -> Vec<(String, Option<u64>)> {
        let gap = |event: &SourceEvent| match event {
            SourceEvent::Gap { reason, lost, .. } => Some((reason.clone(), *lost)),
            _ => None,
        };
        self.events.iter().filter_map(gap).collect()
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    /// Whether the tailer has the file at `name` open.
    pub fn holds(&self, name: &str) -> bool {
        let id = fs::metadata(self.path(name)).map(|metadata| FileId::of(&metadata));
        let Some((tailer, id)) = self.tailer.as_ref().zip(id.ok()) else { return false };
        let open = tailer.table.number_of(id).and_then(|number| tailer.table.get(number));
        open.is_some_and(Generation::is_open) || tailer.pending.get(&id).is_some_and(|pending| pending.file.is_some())
    }

    /// How many files the tailer has open.
    pub fn open_files(&self) -> usize {
        let links = fs::read_dir("/proc/self/fd").expect("to list it").flatten();
        links.filter(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(self.root()))).count()
    }
}

/// While it lives, this thread may read only what its user may: root too is kept out by a mode of 0000.
pub struct Powerless {
    before: CapabilitySets,
}

impl Powerless {
    pub fn new() -> Powerless {
        let before = capabilities(None).expect("to ask for them");
        let powers = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
        set_capabilities(None, CapabilitySets { effective: before.effective - powers, ..before })
            .expect("to drop some");
        Powerless { before }
    }
}

impl Drop for Powerless {
    fn drop(&mut self) {
        set_capabilities(None, self.before).expect("to take back what is permitted");
    }
}
