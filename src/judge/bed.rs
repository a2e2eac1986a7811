//! A judge with a scripted clock and dice, questions to ask, and a model that answers right. For tests only.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::model::{
    Completion, Evidence, JudgeFailure, JudgeRequest, Judged, Kind, KindId, Level, Question, TemplateId, Timestamp,
    Usage,
};
use crate::redact::Redactor;

const START: i64 = 1_795_000_000;
static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(&crate::redact::Config::default(), [7; 32]));

/// A judge, its clock and its dice.
pub struct Bed {
    pub judge: Judge,
    pub now: Timestamp,
    dice: u64,
}

impl Bed {
    pub fn new(toml: &str) -> Bed {
        let config: Config = toml::from_str(toml).unwrap();
        Bed { judge: Judge::new(&config, Room::default()), now: Timestamp::from_seconds(START), dice: 42 }
    }

    pub fn with(toml: &str, questions: usize) -> Bed {
        let mut bed = Bed::new(toml);
        for number in 0..questions {
            assert_eq!(bed.judge.ask(question(number), bed.now), Asked::Queued);
        }
        bed
    }

    pub fn wait(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
        self.judge.tick(self.now);
    }

    pub fn request(&mut self) -> Option<JudgeRequest> {
        let Bed { judge, now, dice } = self;
        judge.request(*now, &mut || roll(dice), &REDACTOR)
    }

    /// Offers incidents.
    pub fn about(&mut self, questions: Vec<IncidentQuestion>) -> AskedAbout {
        let Bed { judge, now, dice } = self;
        judge.request_about(questions, *now, &mut || roll(dice), &REDACTOR)
    }

    /// Ends `request` with `result`, 1000 tokens and a cent.
    pub fn end(&mut self, request: JudgeRequest, result: Result<Completion, JudgeFailure>) -> Answer {
        let usage = Usage { requests: 1, input_tokens: 900, cached_tokens: 0, output_tokens: 100 };
        let (request, kinds) = (request.id, request.kinds);
        self.judge.answer(Judged { request, kinds, result, usage, cost_usd: 0.01, finished_at: self.now }, self.now)
    }

    /// Asks and has the model answer by `change`, which sees the right reply.
    pub fn answered(&mut self, change: impl FnOnce(&mut Value)) -> Answer {
        let request = self.request().expect("something to ask");
        let mut reply = right_reply(&request);
        change(&mut reply);
        self.end(request, Ok(completion(&reply.to_string())))
    }

    pub fn failed(&mut self, failure: JudgeFailure) -> Answer {
        let request = self.request().expect("something to ask");
        self.end(request, Err(failure))
    }

    /// `0:normal 1:undecided`, for the questions that have a verdict.
    pub fn verdicts(&self, questions: usize) -> String {
        (0..questions)
            .filter_map(|number| Some(format!("{number}:{}", self.judge.verdict(id(number))?.verdict.as_str())))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn roll(dice: &mut u64) -> u64 {
    *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *dice >> 11
}

pub fn question(number: usize) -> Question {
    let template = format!("worker-{} finished job <NUM> for <*>", letters(number));
    let line = format!("worker-{} finished job 12 for alice", letters(number));
    let kind = Kind { program: "app".into(), level: Level::Info, template: TemplateId::of(&template) };
    let now = Timestamp::from_seconds(START);
    let sample = Evidence {
        time: now,
        host: "web1".into(),
        program: "app".into(),
        level: Level::Info,
        origin: "/var/log/app.log".into(),
        offset: 77,
        line,
    };
    Question {
        id: kind.id(),
        kind,
        template,
        host: "web1".to_owned(),
        count: 12,
        first_seen: now,
        last_seen: now,
        samples: vec![sample],
        odd: String::new(),
        low_priority: false,
        missed: 0,
        not_before: None,
    }
}

pub fn letters(number: usize) -> String {
    number.to_string().bytes().map(|digit| char::from(digit + 49)).collect()
}

pub fn id(number: usize) -> KindId {
    question(number).id
}

pub fn document(request: &JudgeRequest) -> Value {
    serde_json::from_str(request.prompt.user.as_str()).unwrap()
}

pub fn is_bad(item: &Value) -> bool {
    let text = item.to_string();
    ["kernel panic", "out of memory", "corrupt"].iter().any(|word| text.contains(word))
}

pub fn right_reply(request: &JudgeRequest) -> Value {
    let document = document(request);
    let verdicts: Vec<Value> = document["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            if is_bad(item) {
                json!({"id": item["id"], "verdict": "anomalous", "confidence": 0.9, "severity": "high",
                    "category": "storage", "reason": "it is broken", "remediation": ["mend it"]})
            } else {
                json!({"id": item["id"], "verdict": "normal", "confidence": 0.9})
            }
        })
        .collect();
    json!({"nonce": document["nonce"], "verdicts": verdicts})
}

pub fn completion(text: &str) -> Completion {
    Completion { text: text.to_owned(), usage: Usage::default(), model: "gemini-test".to_owned() }
}

pub fn split() -> JudgeFailure {
    JudgeFailure::Split { reason: "too large".to_owned() }
}

pub fn blocked() -> JudgeFailure {
    JudgeFailure::Blocked { reason: "blocked".to_owned() }
}

pub fn later(seconds: u64) -> JudgeFailure {
    JudgeFailure::Later { reason: "busy".to_owned(), after: Duration::from_secs(seconds) }
}

pub fn stop() -> JudgeFailure {
    JudgeFailure::Stop { reason: "bad key".to_owned() }
}
