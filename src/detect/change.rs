//! What changed on this host: packages, a reboot, a unit that was started anew, a configuration read anew. New kinds of
//! line right after it are one notice that names the change, and other findings say that it came just before. Decides
//! nothing about the findings' severity.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::rate;
use super::repeat::{Repeat, Report};
use super::wording;
use super::{Detector, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, Level, Period, Phase, Severity, Timestamp};

pub const NAME: &str = "change";

/// Changes remembered; more at a time are one change of many things.
const CHANGES: usize = 16;
/// How long new lines are put down to a change of the whole host, and of one program.
const HOST: Duration = Duration::from_secs(600);
const PROGRAM: Duration = Duration::from_secs(300);
/// How often a wave that goes on is said again, at most.
const AGAIN: Duration = Duration::from_secs(600);
/// Kinds counted of one folded finding.
const FOLDED: u64 = 20_000;
/// Longest name of a package or unit, in bytes.
const NAME_BYTES: usize = 80;
/// A program whose name is shorter is not recognized in the name of a unit.
const SHORT: usize = 3;

/// Package managers, by what their log lines look like. Captures: what was done, to what.
static PACKAGES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        ^(?P<dpkg>install|upgrade|remove|purge)\ (?P<package>[a-z0-9][a-z0-9+.-]+(?::[a-z0-9]+)?)\ (?P<old>\S+)\ (?P<new>\S+)$
        |^(?:Installed|Upgraded|Upgrade|Updated|Erased|Removed|Downgraded):?\ (?P<rpm>[A-Za-z0-9_+.:~-]+-[0-9][A-Za-z0-9_+.:~^-]*)$",
    )
    .ok()
});
/// systemd about a unit: `Started nginx.service - A high performance web server.`
static UNITS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?P<done>Started|Restarted|Reloaded|Stopped) (?P<unit>\S+?)\.service(?: - .*|[.:,]?)$").ok()
});
/// A program that reads its configuration anew.
static RELOADS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\bSIGHUP\b|\b(?:re-?load|re-?read)(?:ed|ing|s)?\b.{0,40}\bconfig|\bconfig.{0,40}\b(?:re-?load|re-?read)(?:ed|ing)?\b")
        .ok()
});

/// `[detect.change]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true }
    }
}

pub struct Changes {
    enabled: bool,
    /// Oldest first.
    recent: VecDeque<Change>,
    changed: bool,
}

/// One change of the system.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Change {
    what: What,
    host: Arc<str>,
    /// The first and the last line of it.
    began: Timestamp,
    last: Timestamp,
    /// What was changed: package and versions, unit, program. The newest; log text.
    name: String,
    /// How many things were changed.
    count: u64,
    /// New kinds of line after it.
    wave: Option<Repeat>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Packages,
    Reboot,
    Unit,
    Config,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    recent: VecDeque<Change>,
}

impl Changes {
    pub fn new(config: &Config) -> Changes {
        Changes { enabled: config.enabled, recent: VecDeque::new(), changed: false }
    }

    /// What this line says was changed.
    fn read(seen: &Seen<'_>) -> Option<(What, String)> {
        let short = |text: &str| wording::inline(text, NAME_BYTES);
        let program = &*seen.kind.program;
        if program == "kernel" {
            return seen.message.starts_with("Linux version ").then(|| (What::Reboot, String::new()));
        }
        if program == "systemd" {
            let found = UNITS.as_ref()?.captures(seen.message)?;
            return Some((What::Unit, short(found.name("unit")?.as_str())));
        }
        if let Some(found) = PACKAGES.as_ref().and_then(|packages| packages.captures(seen.message)) {
            let name = match (found.name("rpm"), found.name("package"), found.name("old"), found.name("new")) {
                (Some(rpm), ..) => rpm.as_str().to_owned(),
                (None, Some(package), Some(old), Some(new)) => {
                    format!("{} {} -> {}", package.as_str(), old.as_str(), new.as_str())
                }
                (None, ..) => return None,
            };
            return Some((What::Packages, short(&name)));
        }
        RELOADS.as_ref()?.is_match(seen.message).then(|| (What::Config, short(program)))
    }

    fn remember(&mut self, what: What, name: String, seen: &Seen<'_>) {
        self.changed = true;
        let same = self.recent.iter_mut().rev().find(|change| {
            change.what == what
                && *change.host == **seen.host
                && seen.time.since(change.last) <= what.lasts()
                // Many packages are one upgrade; two units are two changes.
                && (what == What::Packages || change.name == name)
        });
        if let Some(change) = same {
            change.last = change.last.max(seen.time);
            change.count += 1;
            change.name = name;
            return;
        }
        if self.recent.len() >= CHANGES {
            self.recent.pop_front();
        }
        let host = Arc::clone(seen.host);
        self.recent.push_back(Change { what, host, began: seen.time, last: seen.time, name, count: 1, wave: None });
    }

    /// The change that may be why `program` logs what it did not, or more, at this time.
    fn before(&self, host: &str, program: &str, at: Timestamp) -> Option<usize> {
        self.recent.iter().rposition(|change| {
            *change.host == *host
                && at >= change.began
                && at.since(change.last) <= change.what.lasts()
                && change.concerns(program)
        })
    }

    /// Takes a new kind of line that follows a change: true when it need not be said by itself. The wave is said when it
    /// begins and each time it doubles.
    pub fn absorb(&mut self, finding: &Finding, out: &mut Vec<Finding>) -> bool {
        if !self.enabled || finding.learning {
            return false;
        }
        let Some(at) = self.before(&finding.host, &finding.program, finding.first_seen) else { return false };
        let Some(change) = self.recent.get_mut(at) else { return false };
        self.changed = true;
        let one = Report { count: finding.count, first: finding.first_seen, last: finding.last_seen };
        let reports: Vec<Report> = match &mut change.wave {
            // One finding may speak of many kinds, folded already.
            Some(wave) => {
                let lines = 0..finding.count.min(FOLDED);
                lines.filter_map(|_| wave.line(finding.first_seen, AGAIN)).collect()
            }
            none => {
                *none = Some(Repeat::new(one));
                vec![one]
            }
        };
        if let (Some(first), Some(last)) = (reports.first(), reports.last()) {
            let count = reports.iter().map(|report| report.count).sum();
            let mut wave = change.finding(Report { count, first: first.first, last: last.last });
            wave.evidence.clone_from(&finding.evidence);
            out.push(wave);
        }
        true
    }

    /// Says in a finding what changed just before it.
    pub fn annotate(&self, finding: &mut Finding) {
        let ours = matches!(&finding.judged_by, JudgedBy::Detector(name) if **name == *NAME);
        if !self.enabled || finding.learning || ours {
            return;
        }
        let Some(change) =
            self.before(&finding.host, &finding.program, finding.first_seen).and_then(|at| self.recent.get(at))
        else {
            return;
        };
        // A boot is a burst of everything.
        if change.what == What::Reboot
            && matches!(&finding.judged_by, JudgedBy::Detector(name) if **name == *rate::NAME)
        {
            finding.proposed = Severity::Low;
        }
        let ago = Period::from_secs(finding.first_seen.since(change.began).as_secs());
        finding.reason = format!("{}; {ago} after {}", finding.reason, change.words());
    }
}

impl What {
    fn lasts(self) -> Duration {
        match self {
            What::Packages | What::Reboot => HOST,
            What::Unit | What::Config => PROGRAM,
        }
    }
}

impl Change {
    fn concerns(&self, program: &str) -> bool {
        match self.what {
            What::Packages | What::Reboot => true,
            What::Unit | What::Config => {
                let (unit, program) = (self.name.to_ascii_lowercase(), program.to_ascii_lowercase());
                program.len() >= SHORT
                    && unit.len() >= SHORT
                    && (unit.starts_with(&program) || program.starts_with(&unit))
            }
        }
    }

    /// `the upgrade of 12 packages (postgresql-16 16.1 -> 16.2)`. Holds log text.
    fn words(&self) -> String {
        match (self.what, self.count) {
            (What::Packages, 1) => format!("a change of packages ({})", self.name),
            (What::Packages, count) => format!("a change of {count} packages (the last: {})", self.name),
            (What::Reboot, _) => "a reboot".to_owned(),
            (What::Unit, _) => format!("a start or reload of {}.service", self.name),
            (What::Config, _) => format!("a reload of the configuration of {}", self.name),
        }
    }

    fn title(&self) -> &'static str {
        match self.what {
            What::Packages => "New kinds of line after a change of packages",
            What::Reboot => "New kinds of line after a reboot",
            What::Unit => "New kinds of line after a restart of their unit",
            What::Config => "New kinds of line after a reload of their configuration",
        }
    }

    fn finding(&self, report: Report) -> Finding {
        let total = self.wave.as_ref().map_or(report.count, |wave| wave.total().count);
        let kinds = if total == 1 { "one new kind".to_owned() } else { format!("{total} new kinds") };
        Finding {
            judged_by: JudgedBy::Detector(NAME.into()),
            category: Category::Configuration,
            proposed: Severity::Low,
            confidence: 0.5,
            verdict: None,
            title: self.title().to_owned(),
            reason: format!("{kinds} of line after {} at {}", self.words(), self.began),
            remediation: vec![
                "If the change was yours, nothing is to be done: these lines are known from now on".to_owned(),
            ],
            host: Arc::clone(&self.host),
            program: "".into(),
            unit: None,
            level: Level::Info,
            kind: None,
            template: None,
            template_text: String::new(),
            // Each change is one notice.
            group: format!("{:?} {}", self.what, self.began),
            count: report.count,
            first_seen: report.first,
            last_seen: report.last,
            evidence: Vec::new(),
            learning: false,
        }
    }
}

impl Detector for Changes {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        Want { lines: self.enabled && Changes::read(seen).is_some(), claim: false }
    }

    fn line(&mut self, seen: &Seen<'_>, _: &mut Vec<Finding>) -> bool {
        if let Some((what, name)) = Changes::read(seen).filter(|_| seen.phase == Phase::Live) {
            self.remember(what, name, seen);
        }
        true
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn settle(&mut self, now: Timestamp, out: &mut Vec<Finding>) {
        for change in &mut self.recent {
            if let Some(report) = change.wave.as_mut().and_then(|wave| wave.settle(now, AGAIN)) {
                let finding = change.finding(report);
                out.push(finding);
                self.changed = true;
            }
        }
    }

    fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        serde_json::to_string(&Saved { v: 1, recent: self.recent.clone() }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        self.recent = saved.recent;
        self.recent.truncate(CHANGES);
        Ok(())
    }

    fn reload(&mut self, config: &super::Config) {
        self.enabled = config.change.enabled;
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match (Changes::read(seen), self.before(seen.host, &seen.kind.program, seen.time)) {
            _ if !self.enabled => "is switched off".to_owned(),
            (Some((what, name)), _) => format!("marks a change of the system ({what:?} {name})"),
            (None, Some(at)) => match self.recent.get(at) {
                Some(change) => format!("follows {}", change.words()),
                None => "nothing changed just before".to_owned(),
            },
            (None, None) => "nothing changed just before".to_owned(),
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::Script;
    use super::*;

    /// Is the line a change, and what does it name?
    #[track_caller]
    fn check(line: &str, expected: Option<(What, &str)>) {
        let mut script = Script::new();
        script.line(0, line);
        let json = script.detect.states().into_iter().find(|(name, _)| &**name == "detect/change");
        let change = json.and_then(|(_, json)| serde_json::from_str::<Saved>(&json).ok()?.recent.pop_back());
        let change = change.as_ref().map(|change| (change.what, &*change.name));
        assert_eq!(change, expected, "{line}");
    }

    #[test]
    fn knows_a_change_when_it_sees_one() {
        check(
            "dpkg: upgrade postgresql-16:amd64 16.1-1 16.2-1",
            Some((What::Packages, "postgresql-16:amd64 16.1-1 -> 16.2-1")),
        );
        check(
            "dnf: Upgraded: openssl-libs-3.0.7-27.el9.x86_64",
            Some((What::Packages, "openssl-libs-3.0.7-27.el9.x86_64")),
        );
        check("kernel: Linux version 6.1.0-18-amd64 (debian)", Some((What::Reboot, "")));
        check("systemd: Started nginx.service - A high performance web server.", Some((What::Unit, "nginx")));
        check("systemd: Reloaded nginx.service.", Some((What::Unit, "nginx")));
        check("systemd: Started Session 5 of User root.", None);
        check("postgres: received SIGHUP, reloading configuration files", Some((What::Config, "postgres")));
        check("app: install the update now please", None);
        check("app: configuration is fine", None);
        check("kernel: usb 1-1: new device", None);
    }

    fn wave(script: &mut Script, at: i64, program: &str, kinds: u8) {
        for letter in 0..kinds {
            script.line(at + i64::from(letter), &format!("{program}: {} is new", char::from(b'a' + letter)));
        }
    }

    #[test]
    fn the_wave_after_an_upgrade_is_one_notice() {
        let mut script = Script::new();
        script.line(100, "dpkg: upgrade postgresql-16:amd64 16.1 16.2");
        script.line(101, "dpkg: upgrade libpq5:amd64 16.1 16.2");
        script.found.clear();
        wave(&mut script, 110, "postgres", 26);
        assert_eq!(script.said("novelty"), Vec::<String>::new());
        script.quiet(2_000);
        script.quiet(3_000);
        let said = script.said(NAME);
        assert!(said.len() <= 7 && said.iter().all(|said| said == "low: New kinds of line after a change of packages"));
        assert_eq!(script.found.iter().map(|finding| finding.count).sum::<u64>(), 26);
        let groups: std::collections::BTreeSet<&str> = script.found.iter().map(|finding| &*finding.group).collect();
        assert_eq!(groups.len(), 1);
        let last = script.found.last().map_or("", |finding| &finding.reason);
        assert_eq!(
            last,
            // The lines of dpkg itself are new, too.
            "28 new kinds of line after a change of 2 packages (the last: libpq5:amd64 16.1 -> 16.2) at 1970-01-01T00:01:40Z"
        );
        // Ten minutes later they are on their own.
        wave(&mut script, 4_000, "postgres2", 3);
        assert_eq!(script.said("novelty").len(), 3);
    }

    #[test]
    fn a_restart_concerns_its_own_program() {
        let mut script = Script::new();
        script.line(100, "systemd: Started nginx.service - web.");
        script.found.clear();
        wave(&mut script, 110, "nginx", 4);
        wave(&mut script, 120, "cron", 2);
        assert_eq!((script.said("novelty").len(), script.said(NAME).is_empty()), (2, false));
        script.say(130, "/var/log/syslog", Level::Err, "nginx: bind failed");
        let error = script.found.last().expect("a new kind of error");
        assert!(
            error.proposed == Severity::Medium
                && error.reason.ends_with("; 30s after a start or reload of nginx.service")
        );
    }
}
