//! When a request is tried again, on a paused clock: waits are obeyed, budgets end, each try takes its rate token.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use logwren::llm::{Again, Client, Failure, Limits, LlmBackend};
use logwren::model::{Completion, JudgeFailure, JudgeRequest, Judged, Period, Prompt, Usage};
use logwren::redact::{Config, Redactor};
use serde_json::json;
use tokio::time::Instant;

/// Fails as told, then answers. Remembers when it was asked and which model.
#[derive(Clone)]
struct Script {
    models: Vec<String>,
    failures: Arc<Mutex<VecDeque<Failure>>>,
    tries: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Default for Script {
    fn default() -> Script {
        Script { models: vec!["m".to_owned()], failures: Arc::default(), tries: Arc::default() }
    }
}

const USAGE: Usage = Usage { requests: 1, input_tokens: 100, cached_tokens: 0, output_tokens: 10 };

impl LlmBackend for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    fn complete<'a>(&'a self, _prompt: &'a Prompt, model: &'a str) -> BoxFuture<'a, Result<Completion, Failure>> {
        self.tries.lock().unwrap().push((Instant::now(), model.to_owned()));
        let next = self.failures.lock().unwrap().pop_front();
        async move {
            match next {
                Some(failure) => Err(failure),
                None => Ok(Completion { text: "yes".to_owned(), usage: USAGE, model: "m".to_owned() }),
            }
        }
        .boxed()
    }

    fn cost_usd(&self, _model: &str, usage: &Usage) -> f64 {
        usage.input_tokens as f64
    }
}

fn failure(again: Again) -> Failure {
    let outcome = JudgeFailure::Later { reason: "busy".to_owned(), after: Duration::from_secs(7) };
    Failure { again, outcome, elsewhere: None, usage: USAGE, model: None }
}

fn after(seconds: u64) -> Again {
    Again::After(Duration::from_secs(seconds))
}

const LIMITS: Limits = Limits {
    requests_per_minute: 0,
    tokens_per_minute: 0,
    max_retries: 3,
    retry_delay: Period::from_secs(1),
    timeout: Period::from_secs(60),
};

fn request() -> JudgeRequest {
    let redactor = Redactor::new(&Config::default(), [7; 32]);
    let (user, _) = redactor.batch().document(&json!({"items": []}));
    let prompt = Prompt { system: "", user, schema: json!({}), max_output_tokens: 100, estimated_input_tokens: 10 };
    JudgeRequest { id: 1, kinds: vec![], prompt }
}

/// Seconds between the tries, and the end.
async fn play(limits: Limits, failures: &[Again]) -> (Vec<f64>, Judged) {
    let script = Script::default();
    script.failures.lock().unwrap().extend(failures.iter().map(|again| failure(*again)));
    let start = Instant::now();
    let judged = Client::of(Box::new(script.clone()), limits).ask(request()).await;
    let tries = script.tries.lock().unwrap();
    let times: Vec<f64> = tries.iter().map(|(time, _)| (*time - start).as_secs_f64()).collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (gaps, judged)
}

#[tokio::test(start_paused = true)]
async fn backoff_grows_and_ends() {
    let (gaps, judged) = play(LIMITS, &[Again::Backoff; 9]).await;
    assert_eq!(gaps.len(), 3);
    for (gap, least) in gaps.iter().zip([1.0, 2.0, 4.0]) {
        assert!((least..=least * 2.0 + 0.01).contains(gap), "{gaps:?}");
    }
    assert!(judged.result.is_err());
    assert_eq!((judged.usage.requests, judged.usage.input_tokens, judged.cost_usd), (4, 400, 400.0));
}

#[tokio::test(start_paused = true)]
async fn an_ordered_wait_is_obeyed_and_a_long_one_not_sat_out() {
    let (gaps, judged) = play(LIMITS, &[after(20)]).await;
    assert!((20.0..20.6).contains(&gaps[0]), "{gaps:?}");
    assert!(judged.result.is_ok());
    let (gaps, judged) = play(LIMITS, &[after(301)]).await;
    assert!(gaps.is_empty() && judged.result.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_budget_ends_the_tries_too() {
    let (gaps, judged) = play(LIMITS, &[after(50); 9]).await;
    assert_eq!(gaps.len(), 2, "50 + 50 fits into 120 s, a third does not");
    assert!(judged.result.is_err());
    let (gaps, _) = play(Limits { timeout: Period::from_secs(10), ..LIMITS }, &[after(50); 9]).await;
    assert_eq!(gaps.len(), 1, "90 s are the least");
}

#[tokio::test(start_paused = true)]
async fn some_failures_are_tried_once_or_never() {
    assert_eq!(play(LIMITS, &[Again::No]).await.0.len(), 0);
    assert_eq!(play(LIMITS, &[Again::Once; 3]).await.0.len(), 1);
    assert_eq!(play(Limits { max_retries: 0, ..LIMITS }, &[Again::Backoff]).await.0.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn leaving_out_what_was_refused_is_no_retry_but_ends() {
    let none = Limits { max_retries: 0, ..LIMITS };
    let (gaps, judged) = play(none, &[Again::Adapted; 3]).await;
    assert_eq!((gaps, judged.result.is_ok()), (vec![0.0; 3], true));
    let (gaps, judged) = play(none, &[Again::Adapted; 50]).await;
    assert_eq!((gaps.len(), judged.result.is_ok()), (8, false));
    let (gaps, judged) = play(LIMITS, &[Again::Adapted, Again::Backoff]).await;
    assert_eq!((gaps.len(), judged.result.is_ok()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn models_stand_in_for_one_another() {
    let script = Script { models: vec!["a".to_owned(), "b".to_owned()], ..Script::default() };
    let busy = Failure { elsewhere: Some(Duration::from_secs(100)), ..failure(Again::No) };
    script.failures.lock().unwrap().push_back(busy.clone());
    let client = Client::of(Box::new(script.clone()), LIMITS);
    let asked = || std::mem::take(&mut *script.tries.lock().unwrap()).into_iter().map(|(_, model)| model).collect();
    let mut after: Vec<Vec<String>> = Vec::new();
    for _ in 0..2 {
        assert!(client.ask(request()).await.result.is_ok());
        after.push(asked());
    }
    tokio::time::sleep(Duration::from_secs(101)).await;
    assert!(client.ask(request()).await.result.is_ok());
    after.push(asked());
    assert_eq!(after, [vec!["a", "b"], vec!["b"], vec!["a"]]);

    script.failures.lock().unwrap().extend([busy.clone(), busy]);
    let judged = client.ask(request()).await;
    assert_eq!(asked(), ["a", "b"], "each once");
    let Err(JudgeFailure::Later { after, .. }) = judged.result else { panic!("{:?}", judged.result) };
    assert_eq!(after, Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn each_try_takes_a_rate_token() {
    let slow = Limits { requests_per_minute: 1, ..LIMITS };
    let (gaps, judged) = play(slow, &[Again::Backoff, Again::Adapted]).await;
    assert!(judged.result.is_ok());
    assert!(gaps.iter().all(|gap| *gap >= 60.0 - 0.01), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_from_ready_to_ask() {
    let client = Client::of(Box::new(Script::default()), Limits { requests_per_minute: 1, ..LIMITS });
    let start = Instant::now();
    client.ready().await;
    client.ready().await;
    assert!(client.ask(request()).await.result.is_ok());
    assert_eq!(start.elapsed(), Duration::ZERO);
    client.ready().await;
    assert!(start.elapsed() >= Duration::from_secs(60));
    assert_eq!(format!("{client:?}"), "Client { backend: \"script\", .. }");
}
