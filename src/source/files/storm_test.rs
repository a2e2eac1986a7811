//! The tailer against a model of several logs at once: whatever writers, rotators, people and the machine do to them,
//! every line that a file still holds comes out; none that was committed comes again; lost ones are said. After a crash,
//! what had not been committed comes again under the same record key.
//!
//! `LOGWREN_STORM_CASES` asks for more than the few runs of an ordinary test, on new ways each time, and prints how many
//! steps that were.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::model::{Place, Position, SourceEvent, StreamKey};

use super::bed::Bed;
use super::identity::FileId;

/// What happens to a log, or to us.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize, u8),
    /// The first part of a line; the next write ends it.
    Partial(usize),
    /// The writer reopens its log only with its next line.
    Rename(usize),
    CopyTruncate(usize),
    /// A writer that did not reopen yet.
    LateWrite(usize),
    /// The generation before the last, as `delaycompress` does; or the last at once.
    Compress(usize, bool),
    Truncate(usize),
    Delete(usize),
    /// The oldest generation goes.
    Prune(usize),
    /// The link leads to a new file.
    Swap,
    /// The directory goes with all that is in it.
    RemoveDirectory,
    Forbid(usize),
    ForbidDirectory,
    Allow,
    Pass(u16),
    /// As if a hint had rung. Every other wake-up of this test is a sweep: hints are lost all the time.
    Poke,
    Stop,
    Start,
    /// The machine dies, and comes back with a store of some time ago.
    Crash(u8),
}

/// Logs: numbered generations under a glob, the same by its very name, dated ones, and dated ones behind a link.
const LOGS: [&str; 4] = ["a.log", "b/b.log", "c/c.log", "cur.log"];

/// What may happen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// Nothing is destroyed.
    Calm,
    /// Nor here, but the machine dies now and then.
    Crashes,
    /// Anything.
    Wild,
}

fn step(weather: Weather) -> impl Strategy<Value = Step> {
    let log = || 0..LOGS.len();
    let calm = prop_oneof![
        10 => (log(), 1u8..6).prop_map(|(log, count)| Step::Write(log, count)),
        3 => log().prop_map(Step::Partial),
        5 => log().prop_map(Step::Rename),
        3 => log().prop_map(Step::LateWrite),
        4 => (log(), any::<bool>()).prop_map(|(log, late)| Step::Compress(log, late)),
        2 => Just(Step::Swap),
        5 => (0u16..9_000).prop_map(Step::Pass),
        1 => Just(Step::Pass(61_000)),
        4 => Just(Step::Poke),
        3 => Just(Step::Stop),
        4 => Just(Step::Start),
    ];
    match weather {
        Weather::Calm => return calm.boxed(),
        Weather::Crashes => return prop_oneof![12 => calm, 1 => (0u8..6).prop_map(Step::Crash)].boxed(),
        Weather::Wild => {}
    }
    prop_oneof![
        3 => calm,
        1 => prop_oneof![
            4 => log().prop_map(Step::CopyTruncate),
            2 => log().prop_map(Step::Truncate),
            2 => log().prop_map(Step::Delete),
            2 => log().prop_map(Step::Prune),
            1 => Just(Step::RemoveDirectory),
            2 => log().prop_map(Step::Forbid),
            1 => Just(Step::ForbidDirectory),
            3 => Just(Step::Allow),
            3 => (0u8..6).prop_map(Step::Crash),
        ],
    ]
    .boxed()
}

/// What is in one file.
#[derive(Clone, Debug)]
struct Content {
    log: usize,
    lines: Vec<u64>,
    /// A line without its end.
    open: Option<u64>,
    /// We had our chance to open it.
    looked: bool,
}

#[derive(Clone, Default)]
struct Durable {
    store: BTreeMap<StreamKey, Position>,
    seen: HashMap<u64, u32>,
}

struct World {
    bed: Bed,
    /// What is on disk, by name.
    disk: BTreeMap<String, Content>,
    /// Deleted, but held open by us.
    held: Vec<Content>,
    next: u64,
    /// Generations of each log so far; names the next.
    rotated: [u32; LOGS.len()],
    /// Which file the link leads to.
    target: u32,
    running: bool,
    /// Something went that cannot be had again, or may have.
    destructive: bool,
    durable: Durable,
    /// Record keys under which each line ever came, whatever the store knows of it.
    came: HashMap<u64, BTreeSet<(StreamKey, u64)>>,
    /// Lines whose file was packed: of the packed file nobody can tell under which name its lines came before a crash.
    packed: BTreeSet<u64>,
    /// Earlier states of the store, oldest first.
    past: Vec<Durable>,
    lost: BTreeSet<u64>,
    /// Logs whose losses must have been said.
    told: BTreeSet<usize>,
    order: HashMap<StreamKey, u64>,
    complaints: Vec<String>,
}

impl World {
    fn new() -> World {
        let mut bed = Bed::new(&["*.log", "b/b.log", "c/*.log", "cur.log"]);
        fs::create_dir_all(bed.path("b")).expect("to make it");
        fs::create_dir_all(bed.path("c")).expect("to make it");
        fs::create_dir_all(bed.path("data")).expect("to make it");
        for name in ["a.log", "b/b.log", "c/c.log", "data/f0"] {
            fs::write(bed.path(name), "").expect("to write it");
        }
        symlink("data/f0", bed.path("cur.log")).expect("to link it");
        bed.start();
        let durable = Durable { store: bed.store.clone(), seen: HashMap::new() };
        let mut world = World {
            bed,
            disk: BTreeMap::new(),
            held: Vec::new(),
            next: 0,
            rotated: [0; LOGS.len()],
            target: 0,
            running: true,
            destructive: false,
            came: HashMap::new(),
            packed: BTreeSet::new(),
            past: vec![durable.clone()],
            durable,
            lost: BTreeSet::new(),
            told: BTreeSet::new(),
            order: HashMap::new(),
            complaints: Vec::new(),
        };
        for log in 0..LOGS.len() {
            world.disk.insert(world.active(log), Content { log, lines: Vec::new(), open: None, looked: true });
        }
        world
    }

    /// Where the writer of a log writes.
    fn active(&self, log: usize) -> String {
        if log == 3 { format!("data/f{}", self.target) } else { LOGS[log].to_owned() }
    }

    /// Rotated generations, youngest first, packed ones too.
    fn generations(&self, log: usize) -> Vec<String> {
        let active = self.active(log);
        let is_one = |name: &&String| name.strip_prefix(&active).is_some_and(|rest| rest.starts_with(['.', '-']));
        let mut names: Vec<String> = self.disk.keys().filter(is_one).cloned().collect();
        let number = |name: &String| -> u32 {
            let digits = name[active.len() + 1..].trim_end_matches(".gz");
            digits.parse().expect("we named it")
        };
        names.sort_by_key(number);
        if log >= 2 {
            names.reverse();
        }
        names
    }

    /// A free name for the youngest rotated generation.
    fn rotated_name(&mut self, log: usize) -> String {
        self.rotated[log] += 1;
        let active = self.active(log);
        if log >= 2 {
            return format!("{active}-{}", 20_260_100 + self.rotated[log]);
        }
        for name in self.generations(log).into_iter().rev() {
            let (number, suffix) = match name[active.len() + 1..].strip_suffix(".gz") {
                Some(number) => (number, ".gz"),
                None => (&name[active.len() + 1..], ""),
            };
            let number: u32 = number.parse().expect("we named it");
            self.rename(&name, &format!("{active}.{}{suffix}", number + 1));
        }
        format!("{active}.1")
    }

    fn rename(&mut self, from: &str, to: &str) {
        self.bed.rename(from, to);
        let content = self.disk.remove(from).expect("it is there");
        self.disk.insert(to.to_owned(), content);
    }

    fn write(&mut self, log: usize, name: &str, whole: bool) {
        let born = !self.disk.contains_key(name);
        let fresh = Content { log, lines: Vec::new(), open: None, looked: false };
        let content = self.disk.entry(name.to_owned()).or_insert(fresh);
        let mut text = String::new();
        if let Some(open) = content.open.take() {
            text.push_str(" end\n");
            content.lines.push(open);
        } else if born && self.next.is_multiple_of(3) {
            text.push_str("# the same header, as long as a line or two\n");
        }
        text.push_str(&format!("line {}", self.next));
        if whole {
            text.push('\n');
            content.lines.push(self.next);
        } else {
            content.open = Some(self.next);
        }
        self.next += 1;
        self.bed.append(name, text);
    }

    /// Takes in what came out.
    fn collect(&mut self) {
        let keys = std::mem::take(&mut self.bed.keys);
        for (line, key) in self.bed.take().into_iter().zip(&keys) {
            let text = line.trim_end_matches(" (partial)");
            if text.is_empty() || text.starts_with('#') || text == " end" {
                continue;
            }
            let number = text.strip_prefix("line ").map(|text| text.trim_end_matches(" end"));
            match number.and_then(|number| number.parse::<u64>().ok()) {
                Some(number) => {
                    *self.durable.seen.entry(number).or_default() += 1;
                    self.came.entry(number).or_default().insert(key.clone());
                }
                None => self.complaints.push(format!("no line: {line:?}")),
            }
        }
        for (stream, offset) in keys {
            let before = self.order.insert(stream, offset);
            if before.is_some_and(|before| before >= offset) {
                self.complaints.push(format!("{offset} after {before:?}"));
            }
        }
        if self.durable.store != self.bed.store {
            self.durable.store = self.bed.store.clone();
            self.past.push(self.durable.clone());
        }
    }

    /// A file is about to go, or its bytes are.
    fn destroy(&mut self, name: &str, unlinked: bool) {
        self.destructive = true;
        let Some(content) = self.disk.remove(name) else { return };
        let active = name == self.active(content.log);
        let must_hold = self.running && active && content.looked;
        let known = content.lines.iter().any(|line| self.durable.seen.contains_key(line));
        let unread = content.lines.iter().any(|line| !self.durable.seen.contains_key(line));
        if unlinked && (must_hold || self.bed.holds(name)) {
            self.held.push(content);
        } else if active && known && unread && !self.elsewhere(&content) {
            self.told.insert(content.log);
        }
    }

    /// Every line of it that did not come out yet is in another file too.
    fn elsewhere(&self, content: &Content) -> bool {
        let others = || self.disk.values().chain(&self.held);
        let unseen = content.lines.iter().filter(|line| !self.durable.seen.contains_key(line));
        unseen.into_iter().all(|line| others().any(|other| other.lines.contains(line)))
    }

    fn unlink(&mut self, name: &str) {
        self.destroy(name, true);
        self.bed.remove(name);
    }

    /// What did not come out and is in no file any more is lost by nature.
    fn mourn(&mut self) {
        let contents = || self.disk.values().chain(&self.held);
        let alive: BTreeSet<u64> =
            contents().flat_map(|content| content.lines.iter().copied().chain(content.open)).collect();
        let gone = |number: &u64| !alive.contains(number) && !self.durable.seen.contains_key(number);
        self.lost.extend((0..self.next).filter(gone));
    }

    fn looked(&mut self) {
        if self.running {
            // A link to nowhere says nothing of what was there.
            let dangling = !self.disk.contains_key(&self.active(3));
            for (name, content) in &mut self.disk {
                if content.log == 3 && dangling {
                    continue;
                }
                let _powerless = super::bed::Powerless::new();
                content.looked |= fs::File::open(self.bed.path(name)).is_ok();
            }
        }
    }

    fn allow(&mut self) {
        for directory in ["b", "c", "data"] {
            self.bed.allow(directory, 0o755);
        }
        for name in self.disk.keys() {
            self.bed.allow(name, 0o644);
        }
    }

    fn stop(&mut self) {
        self.running = false;
        self.held.clear();
        self.order.clear();
        for content in self.disk.values_mut() {
            content.looked = false;
        }
    }

    /// What was behind the link and nobody knows of is out of reach for good.
    fn forget_targets(&mut self, reachable: impl Fn(&World, &str, &Content) -> bool) {
        let known: Vec<String> = self
            .disk
            .iter()
            .filter(|(name, content)| content.log == 3 && !reachable(self, name, content))
            .map(|(name, _)| name.clone())
            .collect();
        for name in known {
            self.disk.remove(&name);
        }
    }

    fn start(&mut self) {
        let places = self.bed.store.values().filter_map(|position| match &position.at {
            Place::FileV1(place) => Some((FileId::of_place(place), place.path.clone())),
            _ => None,
        });
        let (files, paths): (BTreeSet<FileId>, Vec<String>) = places.unzip();
        let active = self.active(3);
        let group_is_known = paths.iter().any(|path| path.contains(&active));
        self.forget_targets(|world, name, _| {
            let of_active = name.starts_with(&active) && (group_is_known || !name.ends_with(".gz"));
            of_active || fs::metadata(world.bed.path(name)).is_ok_and(|metadata| files.contains(&FileId::of(&metadata)))
        });
        self.bed.start();
        self.running = true;
        self.looked();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Write(log, count) => {
                for _ in 0..count {
                    self.write(log, &self.active(log), true);
                }
            }
            Step::Partial(log) => self.write(log, &self.active(log), false),
            Step::Rename(log) => {
                let active = self.active(log);
                if self.disk.contains_key(&active) {
                    let name = self.rotated_name(log);
                    self.rename(&active, &name);
                    if log == 3 {
                        // A link to nowhere says nothing of what was there.
                        self.write(log, &active, true);
                    }
                }
            }
            Step::CopyTruncate(log) => {
                let active = self.active(log);
                if self.disk.contains_key(&active) {
                    self.destructive = true;
                    let name = self.rotated_name(log);
                    self.bed.copy(&active, &name);
                    let content = self.disk.get_mut(&active).expect("it is there");
                    let copy = Content { looked: false, ..content.clone() };
                    (content.lines, content.open) = (Vec::new(), None);
                    self.disk.insert(name, copy);
                    self.bed.truncate(&active);
                }
            }
            Step::LateWrite(log) => {
                if let Some(name) = self.generations(log).first().filter(|name| !name.ends_with(".gz")) {
                    self.write(log, &name.clone(), true);
                }
            }
            Step::Compress(log, late) => {
                let names = self.generations(log);
                let name = names.iter().skip(usize::from(late)).find(|name| !name.ends_with(".gz"));
                if let Some(name) = name {
                    let packed = format!("{name}.gz");
                    self.bed.gzip(name, &packed);
                    let content = self.disk.remove(name).expect("it is there");
                    self.packed.extend(content.lines.iter().copied().chain(content.open));
                    self.disk.insert(packed, Content { looked: false, ..content });
                }
            }
            Step::Truncate(log) => {
                let active = self.active(log);
                if self.disk.contains_key(&active) {
                    let looked = self.disk[&active].looked;
                    self.destroy(&active, false);
                    self.bed.truncate(&active);
                    self.disk.insert(active, Content { log, lines: Vec::new(), open: None, looked });
                }
            }
            Step::Delete(log) => {
                let active = self.active(log);
                if self.disk.contains_key(&active) {
                    self.unlink(&active);
                }
            }
            Step::Prune(log) => {
                if let Some(name) = self.generations(log).last() {
                    self.unlink(&name.clone());
                }
            }
            Step::Swap => {
                let before = self.active(3);
                self.target += 1;
                self.bed.remove("cur.log");
                symlink(self.active(3), self.bed.path("cur.log")).expect("to link it");
                if self.running {
                    let active = self.active(3);
                    // What is open stays so; what was closed for being quiet is behind no link any more.
                    self.forget_targets(|world, name, content| {
                        name.starts_with(&active) || name == before && content.looked || world.bed.holds(name)
                    });
                }
            }
            Step::RemoveDirectory => {
                let names: Vec<String> = self.disk.keys().filter(|name| name.starts_with("c/")).cloned().collect();
                for name in names {
                    self.unlink(&name);
                }
                fs::remove_dir(self.bed.path("c")).expect("to remove it");
                fs::create_dir(self.bed.path("c")).expect("to make it");
            }
            Step::Forbid(log) => {
                let active = self.active(log);
                if self.disk.contains_key(&active) {
                    self.destructive = true;
                    self.bed.allow(&active, 0);
                }
            }
            Step::ForbidDirectory => {
                self.destructive = true;
                self.bed.allow("c", 0);
            }
            Step::Allow => self.allow(),
            Step::Pass(millis) => {
                self.bed.pass(u64::from(millis));
            }
            Step::Poke => {
                self.bed.poke();
                self.looked();
            }
            Step::Stop => {
                self.bed.stop();
                self.stop();
            }
            Step::Start if !self.running => self.start(),
            Step::Start => {}
            Step::Crash(back) => {
                let keep = self.past.len().saturating_sub(usize::from(back)).max(1);
                self.past.truncate(keep);
                self.durable = self.past.last().cloned().unwrap_or_default();
                self.bed.crash(self.durable.store.clone());
                self.stop();
                self.told.clear();
                self.start();
            }
        }
        self.collect();
        self.mourn();
    }

    /// Lets everything settle; what is wrong, in words.
    fn verdict(mut self) -> Vec<String> {
        self.allow();
        for log in 0..LOGS.len() {
            self.write(log, &self.active(log), true);
        }
        if !self.running {
            self.start();
        }
        self.mourn();
        self.bed.pass(130_000);
        self.collect();
        let mut complaints = std::mem::take(&mut self.complaints);
        for number in 0..self.next {
            let count = self.durable.seen.get(&number).copied().unwrap_or(0);
            if count == 0 && !self.lost.contains(&number) {
                complaints.push(format!("line {number} is lost"));
            }
            if count > 1 && !self.destructive {
                complaints.push(format!("line {number} came {count} times"));
            }
            let keys = self.came.get(&number).cloned().unwrap_or_default();
            let offsets: BTreeSet<u64> = keys.iter().map(|(_, offset)| *offset).collect();
            let different = if self.packed.contains(&number) { offsets.len() > 1 } else { keys.len() > 1 };
            if different && !self.destructive {
                complaints.push(format!("line {number} came under {keys:?}"));
            }
        }
        let gaps: Vec<&SourceEvent> =
            self.bed.events.iter().filter(|event| matches!(event, SourceEvent::Gap { .. })).collect();
        // Of what was behind the link before, nobody can know what became.
        let unasked = gaps.iter().filter(|gap| !format!("{gap:?}").contains("data/f")).count();
        if !self.destructive && unasked > 0 {
            complaints.push(format!("nothing was lost: {gaps:?}"));
        }
        for log in &self.told {
            let name = if *log == 3 { "data/f" } else { LOGS[*log] };
            let is_told = |event: &&SourceEvent| match event {
                SourceEvent::Gap { origin, .. } => origin.contains(name) || origin.contains(LOGS[*log]),
                _ => false,
            };
            if !gaps.iter().any(is_told) {
                complaints.push(format!("nobody said that {name} lost lines"));
            }
        }
        complaints
    }
}

static STEPS: AtomicU64 = AtomicU64::new(0);

#[track_caller]
fn check(steps: &[Step]) -> Vec<String> {
    let mut world = World::new();
    for step in steps {
        world.step(*step);
    }
    let done = STEPS.fetch_add(steps.len() as u64, Ordering::Relaxed);
    let (before, after) = (done / 100_000, (done + steps.len() as u64) / 100_000);
    if before != after {
        println!("{} steps of storm", after * 100_000);
    }
    world.verdict()
}

fn config() -> ProptestConfig {
    let asked = std::env::var("LOGWREN_STORM_CASES").ok().and_then(|cases| cases.parse().ok());
    // An ordinary run goes the same ways every time, so that who breaks it did break it; a long one finds new ones.
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(4) };
    let cases = asked.unwrap_or(40);
    ProptestConfig { cases, rng_seed, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_line_once_and_no_gap_while_nothing_is_destroyed(steps in proptest::collection::vec(step(Weather::Calm), 1..60)) {
        prop_assert_eq!(check(&steps), Vec::<String>::new());
    }

    #[test]
    fn every_line_under_one_key_over_crashes(steps in proptest::collection::vec(step(Weather::Crashes), 1..60)) {
        prop_assert_eq!(check(&steps), Vec::<String>::new());
    }

    #[test]
    fn every_line_that_a_file_still_holds(steps in proptest::collection::vec(step(Weather::Wild), 1..60)) {
        prop_assert_eq!(check(&steps), Vec::<String>::new());
    }
}
