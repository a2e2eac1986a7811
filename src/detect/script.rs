//! A host on a script of (time, line), for tests of detectors that live on time: counts every line and judges silence as
//! the pipeline does.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Config, Counted, Detect, Horizon, Interest, Meters, RuleSet, Seen, Words};
use crate::model::{Finding, Kind, KindId, Level, Phase, TemplateId, Timestamp};

pub struct Script {
    pub detect: Detect,
    kinds: HashMap<KindId, (Interest, Meters, u64)>,
    pub phase: Phase,
    /// Everything found so far.
    pub found: Vec<Finding>,
    /// Everything that was over so far.
    pub over: Vec<Finding>,
    /// No source is behind: silence is judged with each line.
    pub live: bool,
}

impl Script {
    /// Learning is over.
    pub fn new() -> Script {
        let mut script = Script::learning();
        script.learned(0);
        script
    }

    pub fn learning() -> Script {
        let rules = RuleSet::new(Vec::new()).expect("no rules are right");
        Script {
            detect: Detect::new(&Config::default(), rules),
            kinds: HashMap::new(),
            phase: Phase::Learn,
            found: Vec::new(),
            over: Vec::new(),
            live: true,
        }
    }

    pub fn learned(&mut self, at: i64) {
        self.phase = Phase::Live;
        self.detect.learned(Timestamp::from_seconds(at), &mut self.found);
    }

    /// One line of `/var/log/syslog`: `PROGRAM: MESSAGE` at `info`.
    pub fn line(&mut self, at: i64, line: &str) {
        self.say(at, "/var/log/syslog", Level::Info, line);
    }

    pub fn say(&mut self, at: i64, origin: &str, level: Level, line: &str) {
        let (program, message) = line.split_once(": ").expect("PROGRAM: MESSAGE");
        let template: String = message.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let kind = Kind { program: program.into(), level, template: TemplateId::of(&template) };
        let (time, origin) = (Timestamp::from_seconds(at), Arc::<str>::from(origin));
        let source = self.detect.source(&origin);
        if self.live {
            self.quiet(at);
        }
        if self.detect.count_source(source, time, self.phase) {
            self.detect.source_beat(&"h".into(), time, self.phase, &mut self.found);
        }
        let known = self.kinds.get(&kind.id()).copied();
        let seen = Seen {
            kind: &kind,
            kind_id: kind.id(),
            template_text: &template,
            message,
            words: &Words::default(),
            unit: None,
            pid: None,
            host: &"h".into(),
            time,
            origin: &origin,
            offset: 0,
            phase: self.phase,
            new_template: known.is_none(),
            new_kind: known.is_none(),
            known_level: None,
            count: known.map_or(1, |(_, _, count)| count + 1),
            nearest: None,
        };
        let (interest, meters) = match known {
            None => (self.detect.begin(&seen, &mut self.found), self.detect.meters(&kind)),
            // After a restart a kind begins again with its first line.
            Some((_, meters, _)) if meters == Meters::default() => {
                (self.detect.begin(&seen, &mut self.found), self.detect.meters(&kind))
            }
            Some((interest, meters, _)) => (self.detect.line(interest, &seen, &mut self.found), meters),
        };
        if self.detect.count(&Counted { meters, source, time, phase: self.phase }) {
            self.detect.beat(&seen, &mut self.found);
        }
        self.kinds.insert(kind.id(), (interest, meters, seen.count));
        self.over.extend(self.detect.take_over());
    }

    /// Nothing more was written until then.
    pub fn quiet(&mut self, at: i64) {
        let now = Timestamp::from_seconds(at);
        self.detect.settle(now, &mut self.found);
        while self.detect.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.detect.quiet(&Horizon { now, sources: &[] }, &mut self.found);
        }
    }

    /// Time passes, a second at a time, without a line.
    pub fn wait(&mut self, from: i64, until: i64) {
        (from..=until).for_each(|at| self.quiet(at));
    }

    /// The same host after a restart of ours.
    pub fn restarted(mut self) -> Script {
        self.detect.closing();
        let states = self.detect.states();
        let mut script = Script { found: self.found, over: self.over, live: self.live, ..Script::learning() };
        assert_eq!(script.detect.restore(&states), Vec::<String>::new());
        script.detect.goes_on();
        script.phase = Phase::Live;
        script.kinds = self
            .kinds
            .into_iter()
            .map(|(kind, (_, _, count))| (kind, (Interest::default(), Meters::default(), count)))
            .collect();
        script
    }

    /// What `detector` found: severity and title.
    pub fn said(&self, detector: &str) -> Vec<String> {
        self.found
            .iter()
            .filter(|finding| finding.judged_by.to_string() == format!("detector:{detector}"))
            .map(|finding| format!("{}: {}", finding.proposed, finding.title))
            .collect()
    }
}
