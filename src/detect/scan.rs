//! One client that asks for many different things and is refused: a scan, a probe, a guessing of names. Looks at kinds of
//! lines that carry an address and are at warning or worse (a web server's 4xx); knows no protocol.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::mark::{Mark, Marks, Spot};
use super::recent::Recent;
use super::repeat::{Repeat, Report, apart};
use super::wording::{self, Claim};
use super::{Detector, Seen, View, Want};
use crate::model::{Category, Finding, JudgedBy, Level, Period, Severity, Timestamp};

pub const NAME: &str = "scan";

/// Clients remembered at a time.
const CLIENTS: usize = 4_096;
/// Distinct texts remembered of one client.
const MAX_TEXTS: u32 = 256;
/// Longest text that is compared.
const TEXT_BYTES: usize = 512;
/// Clients kept over a restart: those in a scan, then those that tried most.
const MAX_SAVED: usize = 64;

/// `[detect.scan]` of the config.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub enabled: bool,
    /// So many different refused requests of one client within `within` are a scan. Default 20.
    pub distinct: u32,
    /// Default 1 m.
    pub within: Period,
}

impl Default for Config {
    fn default() -> Config {
        Config { enabled: true, distinct: 20, within: Period::from_secs(60) }
    }
}

pub struct Scan {
    config: Config,
    /// How often a scan that goes on is said again; after so long without a refusal it is over.
    repeat: Period,
    clients: Recent<Client, Probes>,
    /// Scans that go on: only then are lines looked at that are no refusals.
    active: u32,
    marks: Marks,
    changed: bool,
}

/// Host that logged, program, and the client's address.
type Client = (Arc<str>, Arc<str>, Box<str>);

#[derive(Debug, Serialize, Deserialize)]
struct Probes {
    /// When the window began.
    since: Timestamp,
    texts: BTreeSet<u32>,
    /// Refused lines in the window, with where they stand.
    refused: u64,
    /// For reports, which see no restart.
    #[serde(skip)]
    spots: Vec<Spot>,
    scan: Option<Repeat>,
    /// Different texts of the whole scan.
    total: u64,
}

/// What outlives a restart. Versioned: add fields, never change one.
#[derive(Deserialize)]
struct Saved {
    #[expect(dead_code, reason = "read once there are two")]
    v: u32,
    clients: Vec<(Client, Probes)>,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    v: u32,
    clients: Vec<(&'a Client, &'a Probes)>,
}

impl Scan {
    pub fn new(config: &Config, repeat: Period) -> Scan {
        let (clients, marks) = (Recent::new(CLIENTS), Marks::default());
        Scan { config: config.clone(), repeat, clients, active: 0, marks, changed: false }
    }

    fn mark(&mut self, client: &Client, spot: Spot) {
        if self.marks.open() {
            self.marks.push(Mark {
                judged_by: JudgedBy::Detector(NAME.into()),
                host: Arc::clone(&client.0),
                program: Arc::clone(&client.1),
                group: client.2.to_string(),
                origin: spot.origin,
                offset: spot.offset,
            });
        }
    }
}

impl Detector for Scan {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begin(&mut self, seen: &Seen<'_>, _: bool, _: &mut Vec<Finding>) -> Want {
        let lines = self.config.enabled && seen.template_text.contains("<IP>");
        Want { lines, claim: false }
    }

    fn line(&mut self, seen: &Seen<'_>, out: &mut Vec<Finding>) -> bool {
        let refused = seen.kind.level <= Level::Warning;
        if !refused && self.active == 0 {
            return true;
        }
        let Some(address) = address(seen.message) else { return true };
        let client: Client = (Arc::clone(seen.host), Arc::clone(&seen.kind.program), address.into());
        let repeat = self.repeat.0;
        if !refused {
            // What a scanner gets answered is part of the scan.
            let scans = |probes: &Probes| probes.scan.as_ref().is_some_and(|scan| !scan.over(seen.time, repeat));
            if self.clients.peek(&client).is_some_and(scans) {
                self.mark(&client, Spot::of(seen));
            }
            return true;
        }
        let (distinct, within) = (self.config.distinct.clamp(2, MAX_TEXTS), self.config.within.0);
        self.changed = true;
        let probes = self.clients.entry(client.clone(), || Probes::new(seen.time));
        if apart(seen.time, probes.since) > within {
            probes.begin_window(seen.time);
        }
        if probes.scan.as_ref().is_some_and(|scan| scan.over(seen.time, repeat)) {
            self.active = self.active.saturating_sub(1);
            probes.scan = None;
            probes.total = 0;
            probes.begin_window(seen.time);
        }
        probes.total += u64::from(probes.is_new(seen.message));
        if let Some(scan) = &mut probes.scan {
            if let Some(report) = scan.line(seen.time, repeat) {
                let total = (scan.total().count, probes.total);
                out.push(finding(seen, &client, report, total, apart(seen.time, scan.total().first)));
            }
            self.mark(&client, Spot::of(seen));
            return true;
        }
        probes.refused += 1;
        if probes.spots.len() < 64 {
            probes.spots.push(Spot::of(seen));
        }
        if probes.texts.len() >= distinct as usize {
            let report = Report { count: probes.refused, first: probes.since, last: seen.time };
            probes.scan = Some(Repeat::new(report));
            self.active += 1;
            let total = (report.count, probes.total);
            let spots = std::mem::take(&mut probes.spots);
            out.push(finding(seen, &client, report, total, apart(report.last, report.first)));
            for spot in spots {
                self.mark(&client, spot);
            }
        }
        true
    }

    fn learned(&mut self, _: Timestamp, _: &mut Vec<Finding>) {}

    fn settle(&mut self, now: Timestamp, _: &mut Vec<Finding>) {
        if self.active == 0 {
            return;
        }
        let repeat = self.repeat.0;
        let mut active = 0;
        for (_, probes) in self.clients.iter_mut() {
            let over = probes.scan.as_ref().is_some_and(|scan| now.since(scan.last_line()) > repeat);
            if over {
                probes.scan = None;
                probes.total = 0;
                probes.texts.clear();
            }
            active += u32::from(probes.scan.is_some());
        }
        self.active = active;
    }

    fn save(&mut self) -> Option<String> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        // One refusal is no scan, and most clients have just one.
        let began = |probes: &Probes| probes.scan.is_some() || probes.texts.len() > 1;
        let mut clients: Vec<(&Client, &Probes)> = self.clients.iter().filter(|(_, probes)| began(probes)).collect();
        clients.sort_by_key(|(client, probes)| {
            (probes.scan.is_none(), std::cmp::Reverse(probes.since), std::cmp::Reverse(probes.texts.len()), *client)
        });
        clients.truncate(MAX_SAVED);
        serde_json::to_string(&SavedRef { v: 1, clients }).ok()
    }

    fn restore(&mut self, json: &str) -> Result<(), String> {
        let saved: Saved = serde_json::from_str(json).map_err(|error| error.to_string())?;
        for (client, mut probes) in saved.clients.into_iter().take(MAX_SAVED) {
            if probes.texts.len() > MAX_TEXTS as usize {
                probes.texts.clear();
            }
            self.active += u32::from(probes.scan.is_some());
            self.clients.entry(client, || probes);
        }
        Ok(())
    }

    fn reload(&mut self, config: &super::Config) {
        self.config = config.scan.clone();
        self.repeat = config.repeat;
    }

    fn take_marks(&mut self) -> Vec<Mark> {
        self.marks.take()
    }

    fn explain(&self, seen: &Seen<'_>) -> Vec<View> {
        let says = match address(seen.message) {
            None => "no address in it".to_owned(),
            Some(address) => {
                let client: Client = (Arc::clone(seen.host), Arc::clone(&seen.kind.program), address.into());
                let known = self.clients.peek(&client).map_or(0, |probes| probes.texts.len());
                format!(
                    "{known} different refused lines of {} lately; {} within {} would be a scan",
                    wording::inline(address, 64),
                    self.config.distinct,
                    self.config.within
                )
            }
        };
        vec![View { detector: NAME, says, finds: false }]
    }
}

impl Probes {
    fn new(since: Timestamp) -> Probes {
        Probes { since, texts: BTreeSet::new(), refused: 0, spots: Vec::new(), scan: None, total: 0 }
    }

    fn begin_window(&mut self, at: Timestamp) {
        self.since = at;
        self.texts.clear();
        self.refused = 0;
        self.spots.clear();
        if self.scan.is_none() {
            self.total = 0;
        }
    }

    /// First of its text in the window, as far as there is room to know.
    fn is_new(&mut self, message: &str) -> bool {
        if self.texts.len() >= MAX_TEXTS as usize {
            return false;
        }
        // Counting up is no variety: ports, process numbers and pages all do.
        let letters: Vec<u8> = message.bytes().take(TEXT_BYTES).filter(|byte| !byte.is_ascii_digit()).collect();
        self.texts.insert(xxh3_64(&letters) as u32)
    }
}

/// The client's address: what the parser put behind `client`, else the first one.
fn address(message: &str) -> Option<&str> {
    let behind = message.rfind(" client ").map_or(0, |at| at + " client ".len());
    let is_part = |letter: char| letter.is_ascii_hexdigit() || matches!(letter, '.' | ':');
    message.get(behind..)?.split(|letter| !is_part(letter)).find_map(|word| {
        let word = word.trim_end_matches(['.', ':']);
        let dots = word.bytes().filter(|byte| *byte == b'.').count();
        let colons = word.bytes().filter(|byte| *byte == b':').count();
        // 192.0.2.7:22
        let word = if dots == 3 && colons == 1 { word.split_once(':')?.0 } else { word };
        ((dots == 3 || colons >= 2) && word.parse::<std::net::IpAddr>().is_ok()).then_some(word)
    })
}

fn finding(seen: &Seen<'_>, client: &Client, report: Report, total: (u64, u64), span: Duration) -> Finding {
    let (refused, distinct) = total;
    let address = wording::inline(&client.2, 64);
    let claim = Claim {
        judged_by: JudgedBy::Detector(NAME.into()),
        category: Category::Security,
        proposed: Severity::Medium,
        confidence: 0.8,
        title: format!("A client of {} tries many things and is refused", wording::program(&client.1)),
        reason: format!(
            "{address}: {refused} refused lines, at least {distinct} different ones, within {} s",
            span.as_secs().max(1)
        ),
        remediation: vec![
            format!("Look at what {address} asked for and whether anything was answered"),
            "Block the address where it should not be there at all.".to_owned(),
        ],
        group: client.2.to_string(),
    };
    let finding = wording::finding(seen, report, claim);
    // It is about the client, not about one kind of line.
    Finding { kind: None, template: None, template_text: String::new(), ..finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: Option<&str>) {
        assert_eq!(address(message), expected);
    }

    #[test]
    fn finds_the_client() {
        check("GET /10.0.0.1 HTTP/1.1 404 5 - agent client 192.0.2.7", Some("192.0.2.7"));
        check("refused connect from 192.0.2.7.", Some("192.0.2.7"));
        check("rejected [2001:db8::1]:25", Some("2001:db8::1"));
        check("src: /192.0.2.7:54106 dest", Some("192.0.2.7"));
        check("at 10:20:30 nothing", None);
        check("version 1.2.3.4.5", None);
        check("", None);
    }
}
