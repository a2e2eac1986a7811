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

/// Fails as told, then answers. Remembers when it was asked and whether with a schema.
#[derive(Clone, Default)]
struct Script {
    failures: Arc<Mutex<VecDeque<Failure>>>,
    tries: Arc<Mutex<Vec<(Instant, bool)>>>,
}

const USAGE: Usage = Usage { requests: 1, input_tokens: 100, cached_tokens: 0, output_tokens: 10 };

impl LlmBackend for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn complete<'a>(&'a self, prompt: &'a Prompt) -> BoxFuture<'a, Result<Completion, Failure>> {
        self.tries.lock().unwrap().push((Instant::now(), !prompt.schema.is_null()));
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
    Failure { again, outcome, usage: USAGE, model: None }
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

/// Seconds between the tries, whether each had a schema, and the end.
async fn play(limits: Limits, failures: &[Again]) -> (Vec<f64>, Vec<bool>, Judged) {
    let script = Script::default();
    script.failures.lock().unwrap().extend(failures.iter().map(|again| failure(*again)));
    let start = Instant::now();
    let judged = Client::of(Box::new(script.clone()), limits).ask(request()).await;
    let tries = script.tries.lock().unwrap();
    let times: Vec<f64> = tries.iter().map(|(time, _)| (*time - start).as_secs_f64()).collect();
    let gaps = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    (gaps, tries.iter().map(|(_, schema)| *schema).collect(), judged)
}

#[tokio::test(start_paused = true)]
async fn backoff_grows_and_ends() {
    let (gaps, _, judged) = play(LIMITS, &[Again::Backoff; 9]).await;
    assert_eq!(gaps.len(), 3);
    for (gap, least) in gaps.iter().zip([1.0, 2.0, 4.0]) {
        assert!((least..=least * 2.0 + 0.01).contains(gap), "{gaps:?}");
    }
    assert!(judged.result.is_err());
    assert_eq!((judged.usage.requests, judged.usage.input_tokens, judged.cost_usd), (4, 400, 400.0));
}

#[tokio::test(start_paused = true)]
async fn an_ordered_wait_is_obeyed_and_a_long_one_not_sat_out() {
    let (gaps, _, judged) = play(LIMITS, &[after(20)]).await;
    assert!((20.0..20.6).contains(&gaps[0]), "{gaps:?}");
    assert!(judged.result.is_ok());
    let (gaps, _, judged) = play(LIMITS, &[after(301)]).await;
    assert!(gaps.is_empty() && judged.result.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_budget_ends_the_tries_too() {
    let (gaps, _, judged) = play(LIMITS, &[after(50); 9]).await;
    assert_eq!(gaps.len(), 2, "50 + 50 fits into 120 s, a third does not");
    assert!(judged.result.is_err());
    let (gaps, _, _) = play(Limits { timeout: Period::from_secs(10), ..LIMITS }, &[after(50); 9]).await;
    assert_eq!(gaps.len(), 1, "90 s are the least");
}

#[tokio::test(start_paused = true)]
async fn some_failures_are_tried_once_or_never() {
    assert_eq!(play(LIMITS, &[Again::No]).await.0.len(), 0);
    assert_eq!(play(LIMITS, &[Again::Once; 3]).await.0.len(), 1);
    assert_eq!(play(Limits { max_retries: 0, ..LIMITS }, &[Again::Backoff]).await.0.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_plain_retry_is_made_once_and_not_counted() {
    let none = Limits { max_retries: 0, ..LIMITS };
    let (_, schemas, judged) = play(none, &[Again::Plain]).await;
    assert_eq!((schemas, judged.result.is_ok()), (vec![true, false], true));
    let (_, schemas, judged) = play(none, &[Again::Plain; 3]).await;
    assert_eq!((schemas, judged.result.is_ok()), (vec![true, false], false));
    let (_, schemas, judged) = play(LIMITS, &[Again::Plain, Again::Backoff]).await;
    assert_eq!((schemas, judged.result.is_ok()), (vec![true, false, false], true));
}

#[tokio::test(start_paused = true)]
async fn each_try_takes_a_rate_token() {
    let slow = Limits { requests_per_minute: 1, ..LIMITS };
    let (gaps, _, judged) = play(slow, &[Again::Backoff, Again::Plain]).await;
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
