//! The tailer against a model: a writer of numbered lines and a log rotator do whatever they like, and every line comes
//! out whole, once (after a crash: at least once).

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::bed::Bed;

/// What the world does to one log and its tailer.
#[derive(Clone, Debug)]
enum Step {
    Write(u8),
    /// The first part of a line; the next write ends it.
    Partial,
    Rename,
    CopyTruncate,
    /// A writer that did not reopen yet.
    LateWrite,
    Compress,
    /// Deleted and made anew, while the tailer has it open.
    Recreate,
    Truncate,
    Pass(u16),
    Poke,
    Stop,
    Start,
    /// The machine dies, and comes back with a store of some time ago.
    Crash(u8),
}

fn steps(crashes: bool) -> impl Strategy<Value = Vec<Step>> {
    let any = prop_oneof![
        6 => (1u8..6).prop_map(Step::Write),
        2 => Just(Step::Partial),
        3 => Just(Step::Rename),
        3 => Just(Step::CopyTruncate),
        2 => Just(Step::LateWrite),
        2 => Just(Step::Compress),
        1 => Just(Step::Recreate),
        1 => Just(Step::Truncate),
        4 => (0u16..9_000).prop_map(Step::Pass),
        1 => Just(Step::Pass(61_000)),
        3 => Just(Step::Poke),
        2 => Just(Step::Stop),
        3 => Just(Step::Start),
        2 => (0u8..6).prop_map(Step::Crash),
    ];
    let allowed = move |step: &Step| match step {
        Step::Crash(_) => crashes,
        // What is deleted after the store was last written is gone by nature.
        Step::Recreate | Step::Truncate => !crashes,
        _ => true,
    };
    proptest::collection::vec(any.prop_filter("of the other world", allowed), 1..40)
}

struct World {
    bed: Bed,
    next: u64,
    /// A line was begun in `app.log`.
    open_line: bool,
    /// Highest number of a rotated generation.
    rotated: u32,
    running: bool,
    seen: HashMap<String, u32>,
    /// Earlier states of the store, oldest first.
    stores: Vec<BTreeMap<crate::model::StreamKey, crate::model::Position>>,
}

impl World {
    fn new() -> World {
        let mut bed = Bed::new(&["app.log"]);
        bed.append("app.log", "");
        bed.start();
        let stores = vec![bed.store.clone()];
        World { bed, next: 0, open_line: false, rotated: 0, running: true, seen: HashMap::new(), stores }
    }

    fn write(&mut self, name: &str) {
        let line = format!("line {}\n", self.next);
        self.next += 1;
        self.bed.append(name, line);
    }

    fn end_line(&mut self) {
        if std::mem::take(&mut self.open_line) {
            self.bed.append("app.log", " partial\n");
        }
    }

    /// Makes room at `app.log.1`.
    fn shift(&mut self) {
        for number in (1..=self.rotated).rev() {
            for suffix in ["", ".gz"] {
                let from = format!("app.log.{number}{suffix}");
                if self.bed.path(&from).exists() {
                    self.bed.rename(&from, &format!("app.log.{}{suffix}", number + 1));
                }
            }
        }
        self.rotated += 1;
    }

    fn collect(&mut self) {
        for line in self.bed.take() {
            *self.seen.entry(line).or_default() += 1;
        }
        if self.stores.last() != Some(&self.bed.store) {
            self.stores.push(self.bed.store.clone());
        }
    }

    fn step(&mut self, step: &Step) {
        let there = self.bed.path("app.log").exists();
        match step {
            Step::Write(count) => {
                self.end_line();
                for _ in 0..*count {
                    self.write("app.log");
                }
            }
            Step::Partial => {
                self.end_line();
                self.bed.append("app.log", format!("line {}", self.next));
                self.next += 1;
                self.open_line = true;
            }
            Step::Rename if there => {
                self.end_line();
                self.shift();
                self.bed.rename("app.log", "app.log.1");
            }
            Step::CopyTruncate if there => {
                self.end_line();
                self.shift();
                self.bed.copy("app.log", "app.log.1");
                self.bed.truncate("app.log");
            }
            Step::LateWrite if self.bed.path("app.log.1").exists() => self.write("app.log.1"),
            Step::Compress => {
                let oldest =
                    (2..=self.rotated).rev().find(|number| self.bed.path(&format!("app.log.{number}")).exists());
                if let Some(number) = oldest {
                    self.bed.gzip(&format!("app.log.{number}"), &format!("app.log.{number}.gz"));
                }
            }
            Step::Recreate if there && self.running => {
                self.end_line();
                self.bed.poke();
                self.write("app.log");
                self.bed.remove("app.log");
                self.bed.append("app.log", "");
                self.bed.poke();
            }
            Step::Truncate if there && self.running => {
                self.end_line();
                self.bed.poke();
                self.bed.poke();
                self.bed.truncate("app.log");
            }
            Step::Pass(millis) => self.bed.pass(u64::from(*millis)),
            Step::Poke => self.bed.poke(),
            Step::Stop => {
                self.bed.stop();
                self.running = false;
            }
            Step::Start if !self.running => {
                self.bed.start();
                self.running = true;
            }
            Step::Crash(back) => {
                self.collect();
                let keep = self.stores.len().saturating_sub(usize::from(*back)).max(1);
                self.stores.truncate(keep);
                let store = self.stores.last().cloned().unwrap_or_default();
                self.bed.crash(store);
                self.bed.start();
                self.running = true;
            }
            Step::Rename | Step::CopyTruncate | Step::LateWrite | Step::Recreate | Step::Truncate | Step::Start => {}
        }
        self.collect();
    }

    /// Lets everything settle and says which lines came not at all, and which too often.
    fn verdict(&mut self) -> (Vec<u64>, Vec<String>) {
        self.end_line();
        if !self.running {
            self.bed.start();
        }
        self.bed.pass(30_000);
        self.collect();
        let whole = |number: &u64| {
            let line = format!("line {number}");
            self.seen.contains_key(&line) || self.seen.contains_key(&format!("{line} partial"))
        };
        let lost = (0..self.next).filter(|number| !whole(number)).collect();
        let twice = self.seen.iter().filter(|(_, count)| **count > 1).map(|(line, _)| line.clone()).collect();
        (lost, twice)
    }
}

/// `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_line_once(steps in steps(false)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        prop_assert_eq!(world.verdict(), (vec![], vec![]));
    }

    #[test]
    fn every_line_at_least_once_over_crashes(steps in steps(true)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        let (lost, _) = world.verdict();
        prop_assert_eq!(lost, Vec::<u64>::new());
    }
}
