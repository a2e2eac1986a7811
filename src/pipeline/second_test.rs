//! The second question of an incident, and kinds that are asked about again for their values: when, how often, and what an
//! answer may change.

use serde_json::{Value, json};

use super::tests::{NOW, settings, syslog};
use super::*;
use crate::model::{
    Completion, Incident, IncidentState, JudgeRequest, Judged, JudgedBy, LineBlock, Phase, Said, Severity, Snapshot,
    Usage, Verdict, Word,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW + seconds)
}

/// A pipeline that has learned, and everything it did so far.
struct Bed {
    pipeline: Pipeline,
    out: Effects,
    /// Tokens of each answer.
    tokens: u64,
}

impl Bed {
    fn new() -> Bed {
        Bed::with(settings(1), Snapshot::default())
    }

    fn with(settings: Settings, snapshot: Snapshot) -> Bed {
        let mut bed = Bed { pipeline: Pipeline::new(settings), out: Effects::default(), tokens: 0 };
        bed.pipeline.restore(snapshot, at(0), &mut bed.out);
        bed.pipeline.handle(Input::Learned, at(0), &mut bed.out);
        bed
    }

    fn line(&mut self, second: i64, tag: &str, message: &str) {
        self.pipeline.handle(Input::Lines(&stamped(second, tag, message)), at(second), &mut self.out);
    }

    fn tick(&mut self, second: i64) {
        self.pipeline.handle(Input::Tick, at(second), &mut self.out);
    }

    /// The request that leaves when one may.
    fn request(&mut self, second: i64) -> Option<JudgeRequest> {
        self.pipeline.handle(Input::JudgeReady, at(second), &mut self.out);
        self.out.judge.take()
    }

    /// Ends a request: `verdict` of every kind, these words about every incident.
    fn answer(&mut self, second: i64, request: &JudgeRequest, verdict: &str, words: &str) {
        let document = document(request);
        let bad = ["kernel panic", "out of memory", "corrupt"];
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let verdicts: Vec<Value> = (list("items").iter())
            .map(|item| {
                let is_bad = bad.iter().any(|word| item.to_string().contains(word));
                let verdict = match (is_bad, verdict) {
                    (true, _) => "anomalous",
                    // The canary that is fine.
                    (false, "anomalous") if !item.to_string().contains("shard") => "normal",
                    (false, verdict) => verdict,
                };
                json!({"id": item["id"], "verdict": verdict, "confidence": 0.95, "reason": "r"})
            })
            .collect();
        let incidents: Vec<Value> = (list("incidents").iter())
            .map(|one| json!({"id": one["id"], "reason": words, "remediation": ["mend it"], "severity": "low"}))
            .collect();
        let text = json!({"nonce": document["nonce"], "verdicts": verdicts, "incidents": incidents}).to_string();
        let usage = Usage { requests: 1, input_tokens: self.tokens, ..Usage::default() };
        let judged = Judged {
            request: request.id,
            kinds: request.kinds.clone(),
            result: Ok(Completion { text, usage, model: "m".to_owned() }),
            usage,
            cost_usd: 0.0,
            finished_at: at(second),
        };
        self.pipeline.handle(Input::Judged(judged), at(second), &mut self.out);
    }

    /// A new kind of line that is an error, and a model that has not much to say of it: an incident of `medium`.
    fn incident(&mut self, second: i64, message: &str) -> Incident {
        self.line(second, "app", &format!("ERROR {message}"));
        self.tick(second + 3);
        let request = self.request(second + 3).expect("the kind is asked about first");
        assert!(document(&request)["incidents"].is_null(), "verdicts go first");
        self.answer(second + 4, &request, "watch", "");
        let incident = self.last().expect("told");
        assert_eq!((incident.severity, &incident.judged_by), (Severity::Medium, &JudgedBy::Detector("level".into())));
        incident
    }

    /// The newest word about any incident.
    fn last(&self) -> Option<Incident> {
        self.out.facts.iter().rev().find_map(|fact| match fact {
            Fact::Incident(incident) => Some((**incident).clone()),
            _ => None,
        })
    }

    /// What the next process finds.
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for fact in self.out.facts.iter().cloned() {
            match fact {
                Fact::Incident(incident) => {
                    snapshot.incidents.retain(|known| known.id != incident.id);
                    snapshot.incidents.push(*incident);
                }
                Fact::State { name, json } => {
                    snapshot.states.retain(|(known, _)| *known != name);
                    snapshot.states.push((name, json));
                }
                Fact::Verdict(row) => snapshot.verdicts.push(row),
                _ => {}
            }
        }
        snapshot
    }
}

fn stamped(second: i64, tag: &str, message: &str) -> LineBlock {
    let mut block = syslog(tag, message);
    block.bytes = format!("{} bed {tag}: {message}", at(second)).into_bytes();
    for span in &mut block.spans {
        span.end = u32::try_from(block.bytes.len()).expect("short");
    }
    block
}

fn document(request: &JudgeRequest) -> Value {
    serde_json::from_str(request.prompt.user.as_str()).expect("one document")
}

#[test]
fn an_open_incident_is_asked_about_once_and_keeps_its_severity() {
    let mut bed = Bed::new();
    bed.line(0, "kernel", "link of eth0 is down");
    let before = bed.incident(0, "cannot open shard beta");
    assert!(bed.request(4).is_none(), "its lines are not in yet");
    assert_eq!(bed.pipeline.next_deadline().map(|next| next <= at(5)), Some(true));
    let request = bed.request(6).expect("asked");
    let asked = document(&request)["incidents"].clone();
    assert_eq!(asked.as_array().map(Vec::len), Some(1), "{asked}");
    assert_eq!((&asked[0]["seen_by"], &asked[0]["severity"]), (&json!("detector:level"), &json!("medium")));
    assert!(asked[0]["examples"].to_string().contains("cannot open shard"), "{asked}");
    assert!(asked[0]["context"].to_string().contains("kernel: link of"), "{asked}");

    bed.out.deliver.clear();
    bed.answer(7, &request, "normal", "the shard was moved");
    let after = bed.last().expect("written");
    assert_eq!(after.reason.lines().nth(1), Some("model:m on the whole incident: the shard was moved"));
    assert!(after.remediation.contains(&"mend it (says model:m)".to_owned()), "{after:?}");
    let same = Incident { reason: before.reason.clone(), remediation: before.remediation.clone(), ..after.clone() };
    assert_eq!(same, before, "nothing but words");
    assert!(bed.out.deliver.is_empty(), "nobody is woken for words");

    bed.line(20, "app", "ERROR cannot open shard beta");
    bed.tick(30);
    assert!(bed.request(60).is_none(), "at most once");
    let mut again = Bed::with(settings(1), bed.snapshot());
    assert!(again.request(120).is_none(), "not after a restart either");
    let kept = again.pipeline.triage.get(before.id).expect("open");
    assert!(kept.reason.contains("the shard was moved"));
}

#[test]
fn an_open_incident_from_before_is_asked_about_after_a_restart() {
    let mut bed = Bed::new();
    bed.incident(0, "cannot open shard beta");
    let mut again = Bed::with(settings(1), bed.snapshot());
    assert!(again.request(1).is_none());
    let request = again.request(6).expect("it was not asked about");
    // A crash now loses the answer, and asks no second time.
    let mut crashed = Bed::with(settings(1), {
        let mut all = bed.snapshot();
        all.states.extend(again.snapshot().states);
        all
    });
    assert!(crashed.request(60).is_none());
    again.answer(7, &request, "normal", "the shard was moved");
    assert!(again.last().is_some_and(|incident| incident.reason.contains("the shard was moved")));
}

#[test]
fn neither_low_nor_muted_nor_without_a_model() {
    let mut bed = Bed::new();
    bed.line(0, "app", "shutter closed for good");
    bed.tick(3);
    let request = bed.request(3).expect("the kind");
    bed.answer(4, &request, "watch", "");
    assert!(bed.last().is_none_or(|incident| incident.severity == Severity::Low));
    assert!(bed.request(60).is_none(), "low");

    let incident = bed.incident(100, "cannot open shard beta");
    let said = Said {
        word: Word::Mute,
        id: incident.id.to_string(),
        for_seconds: None,
        until_worse: false,
        host: None,
        reason: String::new(),
        by: String::new(),
    };
    bed.pipeline.handle(Input::Answered(said), at(105), &mut bed.out);
    assert_eq!(bed.last().map(|one| one.state), Some(IncidentState::Muted));
    assert!(bed.request(160).is_none(), "muted");

    for (mode, no_judge) in [(judge::Mode::Off, None), (judge::Mode::Templates, Some("no key".into()))] {
        let mut settings = settings(1);
        settings.judge.mode = mode;
        settings.no_judge = no_judge;
        let mut bed = Bed::with(settings, Snapshot::default());
        bed.line(0, "app", "ERROR cannot open shard beta");
        bed.tick(3);
        assert!(bed.request(60).is_none(), "{mode:?}");
    }
}

#[test]
fn an_incident_that_a_model_judged_is_asked_about_when_more_joined_it() {
    let mut bed = Bed::new();
    bed.line(0, "app", "ERROR cannot open shard beta");
    bed.tick(3);
    let request = bed.request(3).expect("the kind");
    bed.answer(4, &request, "anomalous", "");
    let incident = bed.last().expect("told");
    assert_eq!(incident.judged_by, JudgedBy::Model("m".into()));
    assert!(bed.request(60).is_none(), "its reason is known: {}", incident.reason);

    let mut incident = incident;
    incident.reason.push_str("\ndetector:rate: far more than usual");
    let mut again = Bed::with(settings(1), Snapshot { incidents: vec![incident], ..Snapshot::default() });
    assert!(again.request(60).is_some(), "that it came often is news");
}

#[test]
fn no_budget_no_question() {
    let mut settings = settings(1);
    settings.judge.daily_tokens = 40_000;
    let mut bed = Bed::with(settings, Snapshot::default());
    bed.tokens = 20_000;
    bed.incident(0, "cannot open shard beta");
    assert!(bed.request(60).is_none(), "half of the day is spent");
    assert!(bed.pipeline.next_deadline().is_some_and(|next| next > at(60)), "and nobody is in a hurry");
    bed.line(86_400, "app", "ERROR cannot open shard beta");
    bed.tick(86_410);
    assert!(bed.request(86_420).is_some(), "the next day");
}

#[test]
fn single_lines_lead_to_the_same_question() {
    let mut settings = settings(1);
    settings.judge.mode = judge::Mode::Lines;
    let mut bed = Bed::with(settings, Snapshot::default());
    bed.line(0, "app", "ERROR cannot open shard beta");
    bed.tick(3);
    let request = bed.request(3).expect("the line");
    bed.answer(4, &request, "normal", "");
    let about = bed.request(6).expect("the incident");
    assert!(document(&about)["incidents"][0]["examples"].to_string().contains("shard beta"));
    bed.answer(7, &about, "normal", "the shard was moved");
    assert!(bed.last().is_some_and(|incident| incident.reason.contains("the shard was moved")));
}

#[test]
fn logs_read_as_a_whole_are_asked_about_at_their_end() {
    let mut first = Vec::new();
    for run in 0..2 {
        let mut bed = Bed::with(settings(1), Snapshot { states: std::mem::take(&mut first), ..Snapshot::default() });
        bed.pipeline.on_event_time();
        for (second, name) in ["alpha", "beta", "gamma"].into_iter().enumerate() {
            bed.line(second as i64, name, &format!("ERROR {name} cannot open its only shard"));
        }
        bed.pipeline.end_of_input(at(10), &mut bed.out);
        let request = bed.request(100).expect("the kinds");
        bed.answer(101, &request, "watch", "");
        assert!(bed.request(102).is_none(), "not by itself");
        bed.pipeline.ask_about_incidents(2, at(103), &mut bed.out);
        if run == 0 {
            assert_eq!(bed.pipeline.incidents_to_ask_about(), 2);
            let request = bed.request(104).expect("the gravest");
            assert_eq!(document(&request)["incidents"].as_array().map(Vec::len), Some(2));
            bed.answer(105, &request, "normal", "the shard was moved");
        }
        assert_eq!(bed.pipeline.incidents_to_ask_about(), 0, "run {run}");
        let told = bed.snapshot().incidents.iter().filter(|one| one.reason.contains("the shard was moved")).count();
        assert_eq!(told, 2, "run {run}");
        first = bed.snapshot().states.into_iter().filter(|(name, _)| **name == *SecondQuestions::STATE).collect();
    }
}

/// Lines with few values in one place and small numbers in another, all known to be normal.
fn with_values() -> Bed {
    let mut bed = Bed { pipeline: Pipeline::new(settings(1)), out: Effects::default(), tokens: 0 };
    bed.pipeline.restore(Snapshot::default(), at(-20_000), &mut bed.out);
    for n in 0..600 {
        let second = n * 20 - 19_000;
        let mut block =
            stamped(second, "api", &message(["10.0.0.1", "10.0.0.2"][(n % 2) as usize], 100 + n * 389 % 37));
        block.phase = Phase::Learn;
        bed.pipeline.handle(Input::Lines(&block), at(second), &mut bed.out);
    }
    bed.pipeline.handle(Input::Learned, at(0), &mut bed.out);
    let request = bed.request(1).expect("the baseline");
    bed.answer(2, &request, "normal", "");
    bed.out.facts.clear();
    bed
}

fn message(client: &str, took: i64) -> String {
    format!("request from {client} was served by the cache, took={took}")
}

/// The kinds that were asked about, each with what was odd, from now until `second`.
fn asked_again(bed: &mut Bed, second: i64) -> Vec<String> {
    let mut odd = Vec::new();
    bed.tick(second);
    while let Some(request) = bed.request(second) {
        let items = document(&request)["items"].as_array().cloned().unwrap_or_default();
        odd.extend(
            items.iter().filter_map(|item| Some(format!("{} {}", item["examples"][0], item["context"][0].as_str()?))),
        );
        bed.answer(second, &request, "normal", "");
    }
    odd
}

#[test]
fn odd_values_are_asked_about_once_a_day_and_rates_never() {
    let mut bed = with_values();
    bed.line(100, "api", &message("10.0.0.1", 110));
    assert_eq!(asked_again(&mut bed, 110), Vec::<String>::new(), "as ever");
    // Hundreds at once: a rate.
    for n in 0..900 {
        bed.line(200 + n / 30, "api", &message("10.0.0.2", 100 + n * 389 % 37));
    }
    assert_eq!(asked_again(&mut bed, 300), Vec::<String>::new(), "a rate");

    bed.line(400, "api", &message("8.8.8.8", 110));
    let kinds = bed.pipeline.kinds.iter().filter(|state| &*state.kind.program == "api").map(|state| state.id);
    let verdicts: Vec<Option<Verdict>> =
        kinds.map(|id| bed.pipeline.judge.verdict(id).map(|row| row.verdict)).collect();
    assert_eq!(verdicts, [Some(Verdict::Normal)], "it stands meanwhile");
    let odd = asked_again(&mut bed, 410);
    assert!(odd.len() == 1 && odd[0].contains("never seen before in its place"), "{odd:?}");
    assert!(odd[0].contains("from <IP:public>") && odd[0].contains("took=110"), "its own line, masked: {odd:?}");

    bed.line(500, "api", &message("10.0.0.3", 110));
    assert_eq!(asked_again(&mut bed, 510), Vec::<String>::new(), "the same day");
    bed.line(87_000, "api", &message("10.0.0.4", 110));
    assert_eq!(asked_again(&mut bed, 87_010).len(), 1, "the next day");
}

#[test]
fn a_number_far_beyond_is_asked_about_too() {
    let mut bed = with_values();
    bed.line(100, "api", &message("10.0.0.1", 90_000));
    let odd = asked_again(&mut bed, 110);
    assert!(odd.len() == 1 && odd[0].contains("far beyond all others"), "{odd:?}");
}
