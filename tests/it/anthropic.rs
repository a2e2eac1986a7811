//! The Anthropic backend over the wire.

use logwren::llm::{self, Backend, Client};
use logwren::model::{JudgeFailure, Judged};
use secrecy::SecretString;
use serde_json::json;

use crate::gemini::{SIX, judge, request, run, six, verdicts};
use crate::support::anthropic::{FakeAnthropic, error_body};

fn client(fake: &FakeAnthropic, more: &str, key: &str) -> Client {
    let url = fake.url();
    let config: llm::Config = toml::from_str(&format!(
        "[anthropic]\nbase_url = '{url}'\nretry_delay = '5ms'\nrequests_per_minute = 0\n{more}"
    ))
    .unwrap();
    Client::new(&config, Backend::Anthropic, Some(SecretString::from(format!("{key}\n")))).unwrap().unwrap()
}

async fn ask(client: &Client) -> Judged {
    client.ask(request(&mut judge("", &six())).unwrap()).await
}

/// All of the first request and all of the second: what a model refuses is learned once a process.
#[track_caller]
fn check(model: &str, calls: [usize; 2]) -> impl Future<Output = FakeAnthropic> {
    let more = format!("model = '{model}'");
    async move {
        let fake = FakeAnthropic::start();
        let client = client(&fake, &more, FakeAnthropic::KEY);
        let mut before = 0;
        for expected in calls {
            let mut judge = judge("", &six());
            let (troubles, _) = run(&mut judge, &client).await;
            assert!(troubles.is_empty(), "{more}: {troubles:?}");
            assert_eq!(verdicts(&judge, &six()), SIX, "{more}");
            assert_eq!(fake.calls() - before, expected, "{more}");
            before = fake.calls();
        }
        fake
    }
}

#[tokio::test]
async fn schema_or_tool_as_the_model_takes_it() {
    let fake = check(FakeAnthropic::MODEL, [1, 1]).await;
    let sent = fake.requests().remove(0);
    assert_eq!(
        (sent.header("x-api-key"), sent.header("anthropic-version")),
        (Some(FakeAnthropic::KEY), Some("2023-06-01"))
    );
    assert_eq!(sent.json()["max_tokens"], 8192);
    assert!(!sent.body.contains(FakeAnthropic::KEY) && sent.body.contains(r#""properties":{"id":"#));
    let fake = check(FakeAnthropic::OLD, [2, 1]).await;
    assert_eq!(fake.requests().pop().unwrap().json()["tool_choice"], json!({"type": "tool", "name": "verdicts"}));
    check(FakeAnthropic::NEW, [1, 1]).await;
}

/// The next answer is this one: how the request ends, and after how many calls.
#[track_caller]
fn check_end(status: u16, body: String, expected: &str) -> impl Future<Output = ()> {
    let expected = expected.to_owned();
    async move {
        let fake = FakeAnthropic::start();
        fake.answer([(status, body.clone())]);
        let judged = ask(&client(&fake, "", FakeAnthropic::KEY)).await;
        let end = match &judged.result {
            Ok(_) => "ok",
            Err(JudgeFailure::Stop { .. }) => "stop",
            Err(JudgeFailure::Split { .. }) => "split",
            Err(JudgeFailure::Blocked { .. }) => "blocked",
            Err(JudgeFailure::Later { .. }) => "later",
        };
        assert_eq!(format!("{end} after {}", fake.calls()), expected, "{body}: {:?}", judged.result);
        if let Err(failure) = judged.result {
            assert!(failure.to_string().starts_with("anthropic: "), "{failure}");
        }
    }
}

#[tokio::test]
async fn failures() {
    check_end(529, error_body("overloaded_error", "Overloaded"), "ok after 2").await;
    check_end(429, error_body("rate_limit_error", "slow down"), "ok after 2").await;
    check_end(413, error_body("request_too_large", "Request too large"), "split after 1").await;
    let wrong = |message: &str| error_body("invalid_request_error", message);
    check_end(400, wrong("prompt is too long: 9 tokens > 8 maximum"), "split after 1").await;
    check_end(400, wrong("Your credit balance is too low"), "stop after 1").await;
    let refusal = json!({"content": [], "stop_reason": "refusal", "stop_details": {"category": "cyber"}, "usage": {"input_tokens": 9}});
    check_end(200, refusal.to_string(), "blocked after 1").await;
    let cut = json!({"content": [{"type": "text", "text": "{"}], "stop_reason": "max_tokens"});
    check_end(200, cut.to_string(), "split after 1").await;
    check_end(200, "{}".to_owned(), "ok after 2").await;
}

#[tokio::test]
async fn another_model_stands_in_and_no_key_shows() {
    let fake = FakeAnthropic::start();
    let client = self::client(
        &fake,
        &format!("model = 'claude-gone'\nmodels = ['{}']", FakeAnthropic::MODEL),
        FakeAnthropic::KEY,
    );
    for calls in [2, 3] {
        let judged = ask(&client).await;
        assert!(judged.cost_usd > 0.0);
        assert_eq!(judged.result.map(|completion| completion.model).as_deref(), Ok(FakeAnthropic::MODEL));
        assert_eq!(fake.calls(), calls);
    }
    let judged = ask(&self::client(&fake, "", "sk-ant-wrong-0123")).await;
    assert!(!format!("{judged:?}").contains("sk-ant-wrong"), "{judged:?}");
    assert!(matches!(judged.result, Err(JudgeFailure::Stop { .. })), "{:?}", judged.result);
}
