//! What is asked of the model, when, and how often.

use std::time::Duration;

use super::tests::{NOW, settings, syslog};
use super::*;
use crate::model::{Category, Completion, Incident, Judged, Level, Usage, Verdict, VerdictRow};
use crate::model::{Kind, KindRow, LineBlock, Phase, Question, Severity, Snapshot, TemplateId, TemplateRow};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOW + seconds)
}

fn start(mode: judge::Mode, snapshot: Snapshot) -> Pipeline {
    let mut settings = settings(1);
    settings.judge.mode = mode;
    let mut pipeline = Pipeline::new(settings);
    pipeline.restore(snapshot, at(0), &mut Effects::default());
    pipeline
}

fn taught(mut block: LineBlock) -> LineBlock {
    block.phase = Phase::Learn;
    block
}

/// Handles the inputs at their seconds; gives the questions that were written.
fn questions(pipeline: &mut Pipeline, inputs: Vec<(i64, Input<'_>)>) -> Vec<Question> {
    let mut out = Effects::default();
    for (second, input) in inputs {
        pipeline.handle(input, at(second), &mut out);
    }
    let asked = |fact| match fact {
        Fact::Question(question) => Some(question),
        _ => None,
    };
    out.facts.into_iter().filter_map(asked).collect()
}

#[test]
fn a_learned_kind_that_speaks_live_is_asked_about_first() {
    let mut pipeline = start(judge::Mode::Templates, Snapshot::default());
    let old = [taught(syslog("app", "cache of tenant red is warm")), taught(syslog("app", "shutter closed"))];
    let inputs = vec![(0, Input::Lines(&old[0])), (0, Input::Lines(&old[1])), (0, Input::Learned)];
    let asked = questions(&mut pipeline, inputs);
    assert!(asked.len() == 2 && asked.iter().all(|question| question.low_priority), "{asked:?}");

    let live = syslog("app", "shutter closed");
    let asked = questions(&mut pipeline, vec![(1, Input::Lines(&live)), (10, Input::Tick)]);
    let [question] = asked.as_slice() else { panic!("{asked:?}") };
    assert!(question.template.contains("shutter") && !question.low_priority, "{question:?}");
    assert_eq!(pipeline.counters().questions, 2, "the same question is counted once");
    assert_eq!(questions(&mut pipeline, vec![(11, Input::Lines(&live)), (20, Input::Tick)]), []);

    // And over a restart.
    let snapshot = Snapshot { questions: vec![question.clone()], ..Snapshot::default() };
    assert_eq!(start(judge::Mode::Templates, snapshot).waiting_questions(at(30)).0, 1);
}

#[test]
fn an_undecided_kind_is_asked_about_again_after_its_time() {
    let text = "shutter closed";
    let kind = Kind { program: "app".into(), level: Level::Info, template: TemplateId::of(text) };
    let row = TemplateRow {
        id: kind.template,
        text: text.to_owned(),
        count: 1,
        first_seen: at(0),
        last_seen: at(0),
        merged_into: None,
    };
    let verdict = VerdictRow {
        kind: kind.id(),
        verdict: Verdict::Undecided,
        severity: Severity::Low,
        category: Category::Other,
        confidence: 0.0,
        reason: String::new(),
        remediation: Vec::new(),
        model: "failed".to_owned(),
        prompt_version: 1,
        judged_at: at(0),
        not_before: Some(at(100)),
    };
    let kinds = vec![KindRow { kind, learned: false, count: 1, first_seen: at(0), last_seen: at(0) }];
    let snapshot = Snapshot { templates: vec![row], kinds, verdicts: vec![verdict], ..Snapshot::default() };
    let mut pipeline = start(judge::Mode::Templates, snapshot);
    let line = syslog("app", text);
    assert_eq!(questions(&mut pipeline, vec![(50, Input::Lines(&line)), (60, Input::Tick)]), []);
    let asked = questions(&mut pipeline, vec![(101, Input::Lines(&line)), (110, Input::Tick)]);
    assert!(asked.len() == 1 && !asked[0].samples.is_empty(), "{asked:?}");
}

#[test]
fn in_lines_mode_every_line_is_a_question_without_its_secrets() {
    let mut pipeline = start(judge::Mode::Lines, Snapshot::default());
    let lines = [
        syslog("app", "request 1 served, password=hunter2hunter2"),
        syslog("app", "request 2 served, password=hunter2hunter2"),
        syslog("app", "request 2 served, password=hunter2hunter2"),
    ];
    let mut inputs: Vec<(i64, Input<'_>)> = vec![(0, Input::Learned)];
    for (offset, line) in lines.iter().enumerate().take(2) {
        inputs.push((offset as i64, Input::Lines(line)));
    }
    inputs.push((10, Input::Tick));
    let asked = questions(&mut pipeline, inputs);
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].id != asked[1].id && asked[0].kind == asked[1].kind);
    assert!(!format!("{asked:?}").contains("hunter2"), "{asked:?}");
    assert!(asked[1].samples[0].line.contains("request 2 served"), "{asked:?}");

    let mut out = Effects::default();
    pipeline.handle(Input::JudgeReady, at(11), &mut out);
    let request = out.judge.expect("asked");
    assert_eq!(request.kinds.len(), 2);
    assert!(request.prompt.user.as_str().contains("request 2 served"), "{}", request.prompt.user.as_str());
}

#[test]
fn nothing_is_asked_while_draining() {
    let mut pipeline = start(judge::Mode::Templates, Snapshot::default());
    let line = syslog("app", "shutter closed");
    let mut out = Effects::default();
    pipeline.handle(Input::Lines(&line), at(0), &mut out);
    pipeline.handle(Input::Drain, at(1), &mut out);
    pipeline.handle(Input::JudgeReady, at(1), &mut out);
    assert!(out.judge.is_none());
    assert_eq!(pipeline.waiting_questions(at(1)).0, 1, "it waits for the next start");
    assert!(pipeline.next_deadline().is_none_or(|deadline| deadline > at(1).saturating_sub(Duration::from_secs(1))));
}

/// What a model answers that takes everything for normal but, if it is `honest`, the bad canary.
fn all_normal(request: &crate::model::JudgeRequest, honest: bool) -> Judged {
    all(request, honest, |_| "normal")
}

/// What a model answers of each item, but, if it is `honest`, of the bad canary.
fn all(request: &crate::model::JudgeRequest, honest: bool, verdict: impl Fn(&str) -> &'static str) -> Judged {
    let document: serde_json::Value = serde_json::from_str(request.prompt.user.as_str()).expect("one document");
    let bad = ["kernel panic", "out of memory", "corrupt"];
    let items = document["items"].as_array().expect("items");
    let verdicts: Vec<serde_json::Value> = items
        .iter()
        .map(|item| {
            let text = item.to_string().to_ascii_lowercase();
            let anomalous = honest && bad.iter().any(|words| text.contains(words));
            let verdict = if anomalous { "anomalous" } else { verdict(&text) };
            serde_json::json!({ "id": item["id"], "verdict": verdict, "confidence": 0.95, "reason": "an ordinary retry" })
        })
        .collect();
    let text = serde_json::json!({ "nonce": document["nonce"], "verdicts": verdicts }).to_string();
    Judged {
        request: request.id,
        kinds: request.kinds.clone(),
        result: Ok(Completion { text, usage: Usage::default(), model: "m".to_owned() }),
        usage: Usage::default(),
        cost_usd: 0.0,
        finished_at: at(0),
    }
}

/// A line that is new at a bad level, and a model that takes it for normal: how bad is it before and after?
fn new_error_and_a_normal_verdict(honest: bool) -> (Incident, Option<Incident>, Pipeline) {
    let last = |out: &Effects| {
        out.facts.iter().rev().find_map(|fact| match fact {
            Fact::Incident(incident) => Some((**incident).clone()),
            _ => None,
        })
    };
    let mut pipeline = start(judge::Mode::Templates, Snapshot::default());
    let mut out = Effects::default();
    pipeline.handle(Input::Learned, at(0), &mut out);
    pipeline.handle(Input::Lines(&syslog("app", "ERROR cannot open shard beta")), at(0), &mut out);
    pipeline.handle(Input::Tick, at(10), &mut out);
    let before = last(&out).expect("a finding of the level");
    pipeline.handle(Input::JudgeReady, at(11), &mut out);
    let request = out.judge.take().expect("asked");
    let mut out = Effects::default();
    pipeline.handle(Input::Judged(all_normal(&request, honest)), at(12), &mut out);
    (before, last(&out), pipeline)
}

#[test]
fn a_normal_verdict_settles_a_new_kind_of_error() {
    let (before, after, _) = new_error_and_a_normal_verdict(true);
    let after = after.expect("it is written");
    assert_eq!((before.severity, after.severity, after.id), (Severity::Medium, Severity::Low, before.id));
    assert!(after.reason.contains("model:m: takes it for normal (confidence 0.95)"), "{}", after.reason);
}

#[test]
fn a_verdict_with_a_wrong_canary_settles_nothing() {
    let (before, after, pipeline) = new_error_and_a_normal_verdict(false);
    assert_eq!((before.severity, after), (Severity::Medium, None));
    let now = pipeline.triage.get(before.id).expect("an open incident");
    assert_eq!(now.severity, Severity::Medium);
}

/// Triage names detectors without knowing them.
#[test]
fn what_verdicts_settle_are_detectors() {
    for name in triage::SETTLEABLE {
        assert!(detect::COMPONENTS.iter().any(|component| component.name == name), "{name}");
    }
}

/// Asked once; from then on it is counted here, and more than ever before is an incident.
#[test]
fn what_is_odd_when_frequent_is_watched_without_the_model() {
    let mut pipeline = start(judge::Mode::Templates, Snapshot::default());
    let mut out = Effects::default();
    pipeline.handle(Input::Learned, at(0), &mut out);
    let at_second = |second: i64| {
        let mut block = syslog("app", "lease of tenant red was renewed late");
        let stamp = at(second).to_string();
        block.bytes = format!("{stamp} web-03 app: lease of tenant red was renewed late\n").into_bytes();
        if let Some(span) = block.spans.first_mut() {
            span.end = span.start + u32::try_from(block.bytes.len()).expect("short") - 1;
        }
        block
    };
    pipeline.handle(Input::Lines(&at_second(0)), at(0), &mut out);
    pipeline.handle(Input::Tick, at(10), &mut out);
    pipeline.handle(Input::JudgeReady, at(11), &mut out);
    let request = out.judge.take().expect("asked");
    let judged = all(&request, true, |text| if text.contains("lease") { "watch" } else { "normal" });
    pipeline.handle(Input::Judged(judged), at(12), &mut out);
    for second in [20, 620] {
        pipeline.handle(Input::Lines(&at_second(second)), at(second), &mut out);
    }
    out.facts.clear();
    let mut incidents = Vec::new();
    for second in 1_300..1_330 {
        pipeline.handle(Input::Lines(&at_second(second)), at(second), &mut out);
        pipeline.handle(Input::JudgeReady, at(second), &mut out);
        // What it became may be asked about as a whole.
        assert!(out.judge.take().is_none_or(|request| request.kinds.is_empty()), "asked again");
        incidents.extend(out.facts.drain(..).filter_map(|fact| match fact {
            Fact::Incident(incident) if incident.severity >= Severity::Medium => Some(incident),
            _ => None,
        }));
    }
    let first = incidents.first().expect("more than ever before");
    assert!(first.reason.contains("12 lines in ten minutes") && first.reason.contains("m said"), "{}", first.reason);
}
