//! The OpenAI-compatible backend over the wire, against servers with the habits of those that are used.

use logwren::judge::{Judge, Room};
use logwren::llm::{self, Backend, Client};
use logwren::model::{JudgeFailure, Judged};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::gemini::{SIX, now, request, run, six, verdicts};
use crate::support::openai::{FakeOpenAi, Flavor, error_body};

/// What fits into the default room of the backend.
fn judge() -> Judge {
    let (max_input_tokens, max_output_tokens) = llm::Config::default().room(Backend::Openai);
    let mut judge =
        Judge::new(&toml::from_str("backend = 'openai'").unwrap(), Room { max_input_tokens, max_output_tokens });
    for question in six() {
        judge.ask(question, now());
    }
    judge
}

fn config(url: &str, more: &str) -> llm::Config {
    let model = FakeOpenAi::MODEL;
    toml::from_str(&format!(
        "[openai]\nbase_url = '{url}'\nmodel = '{model}'\nretry_delay = '5ms'\nrequests_per_minute = 0\n{more}"
    ))
    .unwrap()
}

fn client(fake: &FakeOpenAi, more: &str) -> Client {
    let key = SecretString::from(format!("{}\n", FakeOpenAi::KEY));
    Client::new(&config(&fake.url(), more), Backend::Openai, Some(key)).unwrap().unwrap()
}

/// One request about six kinds.
async fn ask(client: &Client) -> Judged {
    client.ask(request(&mut judge()).unwrap()).await
}

/// All of the first request and all of the second: what a server refuses is learned once a process.
#[track_caller]
fn check(flavor: Flavor, more: &str, calls: [usize; 2]) -> impl Future<Output = FakeOpenAi> {
    let more = more.to_owned();
    async move {
        let fake = FakeOpenAi::start(flavor);
        let client = client(&fake, &more);
        let mut before = 0;
        for expected in calls {
            let mut judge = judge();
            let (troubles, _) = run(&mut judge, &client).await;
            assert!(troubles.is_empty(), "{flavor:?}: {troubles:?}");
            assert_eq!(verdicts(&judge, &six()), SIX, "{flavor:?}");
            assert_eq!(fake.calls() - before, expected, "{flavor:?}");
            before = fake.calls();
        }
        fake
    }
}

#[tokio::test]
async fn what_a_server_refuses_is_left_out_once() {
    let fake = check(Flavor::Ollama, "", [1, 1]).await;
    let sent = fake.requests().remove(0);
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {}", FakeOpenAi::KEY).as_str()));
    let body = sent.json();
    assert_eq!(body["max_tokens"], 2048);
    assert_eq!(body["response_format"]["type"], "json_schema");
    assert_eq!((body.get("temperature"), body["reasoning_effort"].as_str()), (None, Some("none")));
    assert!(sent.body.contains(r#""properties":{"id":"#), "the id comes first: {}", sent.body);
    assert!(!sent.body.contains(FakeOpenAi::KEY));

    // Twice refused: the name of the limit and the temperature.
    let fake = check(Flavor::OpenAi, "temperature = 0.2", [3, 1]).await;
    let body = fake.requests().pop().unwrap().json();
    assert_eq!((body["max_completion_tokens"].as_u64(), body.get("temperature")), (Some(2048), None));
    assert_eq!(body["response_format"]["type"], "json_schema", "nothing was lost that was not refused");

    let fake = check(Flavor::LlamaPython, "", [2, 1]).await;
    let format = fake.requests().pop().unwrap().json()["response_format"].clone();
    assert_eq!((format["type"].as_str(), format["schema"]["type"].as_str()), (Some("json_object"), Some("object")));

    check(Flavor::Vllm, "", [1, 1]).await;
    for flavor in [Flavor::Bare, Flavor::Mute] {
        let fake = check(flavor, "", [4, 1]).await;
        assert_eq!(fake.requests().pop().unwrap().json().get("response_format"), None);
    }
}

#[tokio::test]
async fn a_context_that_is_too_small_is_met_by_halves() {
    let fake = FakeOpenAi::start(Flavor::Vllm);
    let client = client(&fake, "");
    let (mut judge, mut larger) = (judge(), judge());
    let (troubles, _) = run(&mut judge, &client).await;
    assert!(troubles.is_empty() && verdicts(&judge, &six()) == SIX);
    let too_large = error_body("context_length_exceeded", "This model's maximum context length is 100 tokens.");
    fake.answer([(400, too_large)]);
    let before = fake.calls();
    run(&mut larger, &client).await;
    assert_eq!(verdicts(&larger, &six()), SIX);
    assert_eq!(fake.calls() - before, 3);
    assert!(fake.requests().iter().all(|sent| sent.json()["response_format"]["type"] == "json_schema"));
}

/// The next answer is this one: how the request ends, and after how many calls.
#[track_caller]
fn check_end(status: u16, body: String, expected: &str) -> impl Future<Output = ()> {
    let expected = expected.to_owned();
    async move {
        let fake = FakeOpenAi::start(Flavor::Ollama);
        fake.answer([(status, body.clone())]);
        let judged = ask(&client(&fake, "")).await;
        let end = match &judged.result {
            Ok(_) => "ok".to_owned(),
            Err(JudgeFailure::Stop { .. }) => "stop".to_owned(),
            Err(JudgeFailure::Split { .. }) => "split".to_owned(),
            Err(JudgeFailure::Blocked { .. }) => "blocked".to_owned(),
            Err(JudgeFailure::Later { after, .. }) => format!("later {}", after.as_secs()),
        };
        assert_eq!(format!("{end} after {}", fake.calls()), expected, "{body}: {:?}", judged.result);
        assert_eq!(judged.usage.requests, fake.calls() as u64);
        if let Err(failure) = judged.result {
            assert!(failure.to_string().starts_with("openai: "), "{failure}");
        }
    }
}

#[tokio::test]
async fn failures() {
    let choice = |choice: Value| json!({"choices": [choice], "model": "m"}).to_string();
    check_end(429, error_body("rate_limit_exceeded", "Please try again in 20ms."), "ok after 2").await;
    check_end(429, error_body("insufficient_quota", "You exceeded your current quota."), "later 3600 after 1").await;
    check_end(503, "{\"error\":{\"message\":\"Loading model\"}}".to_owned(), "ok after 2").await;
    check_end(500, "oops".to_owned(), "ok after 2").await;
    check_end(404, error_body("model_not_found", "The model `x` does not exist"), "stop after 1").await;
    check_end(401, error_body("invalid_api_key", "Incorrect API key provided"), "stop after 1").await;
    check_end(200, choice(json!({"message": {"content": "{"}, "finish_reason": "length"})), "split after 1").await;
    check_end(200, choice(json!({"message": {"content": null, "refusal": "I can't help"}})), "blocked after 1").await;
    check_end(200, choice(json!({"message": {"content": "x"}, "finish_reason": "content_filter"})), "blocked after 1")
        .await;
    check_end(200, "{}".to_owned(), "ok after 2").await;
    check_end(200, json!({"error": {"message": "busy", "code": 503}}).to_string(), "ok after 2").await;
}

#[tokio::test]
async fn another_model_stands_in() {
    let fake = FakeOpenAi::start(Flavor::OpenAi);
    let client = client(&fake, &format!("models = ['{}']", FakeOpenAi::OTHER));
    // Learns the name of the limit before.
    assert!(ask(&client).await.result.is_ok());
    fake.answer([(404, error_body("model_not_found", "The model does not exist"))]);
    for calls in [4, 5] {
        let judged = ask(&client).await;
        let model = judged.result.map(|completion| completion.model);
        assert_eq!((model.as_deref(), fake.calls()), (Ok(FakeOpenAi::OTHER), calls));
    }
}

#[tokio::test]
async fn keys_and_costs() {
    let fake = FakeOpenAi::start(Flavor::OpenAi);
    let wrong = Client::new(&config(&fake.url(), ""), Backend::Openai, Some(SecretString::from("sk-wrong-0123456789")));
    let judged = ask(&wrong.unwrap().unwrap()).await;
    assert!(!format!("{judged:?}").contains("sk-wrong"), "{judged:?}");
    let Err(JudgeFailure::Stop { reason }) = judged.result else { panic!("{:?}", judged.result) };
    assert!(reason.contains("Incorrect API key"), "{reason}");

    let fake = FakeOpenAi::start(Flavor::Ollama);
    let without = Client::new(&config(&fake.url(), ""), Backend::Openai, None).unwrap().unwrap();
    let judged = ask(&without).await;
    assert!(judged.result.is_ok() && judged.cost_usd > 0.0, "a model of the price list has its price anywhere");
    assert_eq!(fake.requests()[0].header("authorization"), None);
    let remote = config("https://vllm.example.com/v1", "");
    assert!(matches!(Client::new(&remote, Backend::Openai, None), Ok(None)), "nothing leaves without a key");
}
