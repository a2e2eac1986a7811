//! The judge and its backend over the wire, against a fake Gemini that refuses what Google refuses.

use std::sync::Arc;

use logwren::judge::{self, Asked, Judge};
use logwren::llm::{self, Client};
use logwren::model::{Evidence, JudgeRequest, Judged, Kind, Level, Question, TemplateId, Timestamp, Verdict};
use logwren::redact::{self, Redactor};
use secrecy::SecretString;

use crate::support::gemini::FakeGemini;

fn question(program: &str, template: &str, line: &str) -> Question {
    let kind = Kind { program: program.into(), level: Level::Info, template: TemplateId::of(template) };
    let now = Timestamp::from_seconds(1_795_000_000);
    Question {
        id: kind.id(),
        kind,
        template: template.to_owned(),
        host: "web1".to_owned(),
        count: 3,
        first_seen: now,
        last_seen: now,
        samples: vec![Evidence {
            time: now,
            host: "web1".into(),
            program: program.into(),
            level: Level::Info,
            origin: "/var/log/syslog".into(),
            offset: 0,
            line: line.to_owned(),
        }],
        low_priority: false,
        missed: 0,
        not_before: None,
    }
}

fn client(fake: &FakeGemini, more: &str) -> Client {
    let toml = format!("[gemini]\nbase_url = '{}'\nretry_delay = '5ms'\nrequests_per_minute = 0\n{more}", fake.url());
    let config: llm::Config = toml::from_str(&toml).unwrap();
    Client::new(&config, Some(SecretString::from(FakeGemini::KEY))).unwrap().unwrap()
}

fn redactor() -> Redactor {
    Redactor::new(&redact::Config::default(), [7; 32])
}

#[tokio::test]
async fn one_request_one_verdict() {
    let fake = FakeGemini::start();
    let client = client(&fake, "");
    let mut judge = Judge::new(&judge::Config::default(), 8192);
    let now = Timestamp::from_seconds(1_795_000_000);
    let bad = question("kernel", "I/O error, dev <*>, sector <NUM>", "I/O error, dev sda, sector 12345");
    let good = question("systemd", "Started <*>.", "Started cron.service.");
    assert_eq!(judge.ask(bad.clone(), now), Asked::Queued);
    assert_eq!(judge.ask(good.clone(), now), Asked::Queued);
    let request = judge.request(now, &mut || fastrand::u64(..), &redactor()).unwrap();
    let judged = client.ask(request).await;
    let answer = judge.answer(judged, now);
    assert_eq!(judge.verdict(bad.id).map(|row| row.verdict), Some(Verdict::Anomalous));
    assert_eq!(judge.verdict(good.id).map(|row| row.verdict), Some(Verdict::Normal));
    assert_eq!(answer.verdicts.len(), 2);
    assert_eq!(fake.calls(), 1);
}
