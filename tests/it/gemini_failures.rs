//! What the Gemini backend makes of every way to fail: how a request ends, after how many tries, and what is said of it.

use std::time::Duration;

use logwren::llm::{Backend, BuildError, Client};
use logwren::model::{JudgeFailure, Judged};
use secrecy::SecretString;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::gemini::{SIX, client, config, judge, request, run, six, verdicts};
use crate::support::certs::Authority;
use crate::support::gemini::{FakeGemini, Fault};
use crate::support::serve::{nobody, serve};

/// One request about six kinds: how it ends, and after how many calls.
async fn ask(fake: &FakeGemini, more: &str) -> (String, Judged) {
    let client = client(fake, more);
    let judged = client.ask(request(&mut judge("", &six())).unwrap()).await;
    let end = match &judged.result {
        Ok(_) => "ok".to_owned(),
        Err(JudgeFailure::Stop { .. }) => "stop".to_owned(),
        Err(JudgeFailure::Split { .. }) => "split".to_owned(),
        Err(JudgeFailure::Blocked { .. }) => "blocked".to_owned(),
        Err(JudgeFailure::Later { after, .. }) => format!("later {}", after.as_secs()),
    };
    (format!("{end} after {}", fake.calls()), judged)
}

/// The first requests fail so, the others are fine.
#[track_caller]
fn check(faults: &[Fault], expected: &str) -> impl Future<Output = ()> {
    check_with(faults.to_vec(), None, "timeout = '400ms'", expected.to_owned())
}

/// Every request fails so.
#[track_caller]
fn check_always(fault: Fault, expected: &str) -> impl Future<Output = ()> {
    check_with(vec![], Some(fault), "timeout = '400ms'", expected.to_owned())
}

async fn check_with(faults: Vec<Fault>, always: Option<Fault>, more: &str, expected: String) {
    let fake = FakeGemini::start();
    fake.fail(faults.clone());
    fake.fail_always(always);
    let (end, judged) = ask(&fake, more).await;
    assert_eq!(end, expected, "{faults:?} {always:?}: {:?}", judged.result);
    assert_eq!(judged.usage.requests, fake.calls() as u64, "{faults:?} {always:?}");
    if let Err(failure) = &judged.result {
        let reason = failure.to_string();
        assert!(reason.starts_with("gemini: ") && reason.len() < 500 && !reason.contains(['\n', '<']), "{reason}");
    }
}

#[tokio::test]
async fn quotas() {
    check(&[Fault::QuotaMinute("0.05s")], "ok after 2").await;
    check(&[Fault::QuotaMinute("51820.6s")], "later 51820 after 1").await;
    check(&[Fault::QuotaBare], "ok after 2").await;
    check(&[Fault::QuotaZero], "stop after 1").await;
    check(&[Fault::QuotaMessage("40ms")], "ok after 2").await;
    check(&[Fault::RetryAfter("400")], "later 400 after 1").await;
    check_always(Fault::QuotaBare, "later 60 after 4").await;
    check_always(Fault::QuotaMinute("10ms"), "later 0 after 4").await;

    let fake = FakeGemini::start();
    fake.fail([Fault::QuotaDay]);
    let (_, judged) = ask(&fake, "").await;
    let Err(JudgeFailure::Later { after, .. }) = judged.result else { panic!("{:?}", judged.result) };
    assert!(after > Duration::from_secs(59) && after < Duration::from_secs(26 * 3600), "{after:?}");
    assert_eq!(fake.calls(), 1);
}

#[tokio::test]
async fn server_errors() {
    check(&[Fault::Internal], "ok after 2").await;
    check_always(Fault::Internal, "split after 4").await;
    check(&[Fault::Overloaded, Fault::Overloaded, Fault::Overloaded], "ok after 4").await;
    check_always(Fault::Overloaded, "later 60 after 4").await;
    check(&[Fault::DeadlineExceeded], "ok after 2").await;
    check_always(Fault::DeadlineExceeded, "split after 2").await;
    check(&[Fault::BadGateway], "ok after 2").await;
    check(&[Fault::Wrapped], "ok after 2").await;
    check_always(Fault::Nested, "later 60 after 4").await;
}

#[tokio::test]
async fn refusals() {
    check_always(Fault::SchemaRefused, "ok after 2").await;
    check_always(Fault::OpaqueAlways, "split after 2").await;
    check(&[Fault::TooLarge], "split after 1").await;
    check(&[Fault::Forbidden], "stop after 1").await;
    check(&[Fault::NotFound], "stop after 1").await;
    check(&[Fault::Unauthenticated], "stop after 1").await;
    check(&[Fault::Redirect], "stop after 1").await;
}

#[tokio::test]
async fn successes_that_are_none() {
    check(&[Fault::PromptBlocked], "blocked after 1").await;
    check(&[Fault::Safety], "blocked after 1").await;
    for reason in ["RECITATION", "SPII", "PROHIBITED_CONTENT", "BLOCKLIST"] {
        check(&[Fault::Finish(reason)], "blocked after 1").await;
    }
    for fault in
        [Fault::NoCandidates, Fault::NoParts, Fault::EmptyText, Fault::Finish("OTHER"), Fault::Finish("FUTURE")]
    {
        check(&[fault], "ok after 2").await;
        check_always(fault, "split after 2").await;
    }
    check(&[Fault::FinishWithText("FUTURE_REASON")], "ok after 1").await;
    check(&[Fault::ThoughtsOnly], "split after 1").await;
    check(&[Fault::CutJson], "split after 1").await;
    check(&[Fault::Loop], "split after 1").await;
}

#[tokio::test]
async fn broken_connections() {
    check(&[Fault::SlowHeaders(Duration::from_millis(20))], "ok after 1").await;
    check(&[Fault::SlowBody(Duration::from_millis(20))], "ok after 2").await;
    check(&[Fault::Hang], "ok after 2").await;
    check_always(Fault::Hang, "split after 2").await;
    check(&[Fault::Reset], "ok after 2").await;
    check(&[Fault::ResetBody], "ok after 2").await;
    check(&[Fault::LengthTooLong], "ok after 2").await;
    check(&[Fault::ChunkedCut], "ok after 2").await;
    check(&[Fault::Http10], "ok after 1").await;
}

#[tokio::test]
async fn broken_bodies() {
    let patient = "timeout = '10s'";
    check_with(vec![Fault::Huge], None, patient, "ok after 2".to_owned()).await;
    check_with(vec![Fault::Gzip], None, patient, "ok after 1".to_owned()).await;
    check_with(vec![Fault::GzipBomb], None, patient, "ok after 2".to_owned()).await;
    check_with(vec![Fault::GzipBroken], None, patient, "ok after 2".to_owned()).await;
    check_with(vec![Fault::InvalidUtf8], None, patient, "ok after 1".to_owned()).await;
}

#[tokio::test]
async fn a_connection_closed_between_requests_is_no_failure() {
    let fake = FakeGemini::start();
    let client = client(&fake, "max_retries = 1");
    fake.fail_always(Some(Fault::CloseAfter));
    for question in six() {
        let judged = client.ask(request(&mut judge("", &[question])).unwrap()).await;
        assert!(judged.result.is_ok(), "{:?}", judged.result);
    }
}

#[tokio::test]
async fn a_schema_that_was_refused_is_left_out_with_all_that_may_be_refused() {
    let fake = FakeGemini::start();
    fake.fail_always(Some(Fault::SchemaRefused));
    let client = client(&fake, "temperature = 0.5");
    for (_, calls) in [("refused and asked again", 2), ("remembered", 3)] {
        let mut judge = judge("", &six());
        run(&mut judge, &client).await;
        assert_eq!(verdicts(&judge, &six()), SIX);
        assert_eq!(fake.calls(), calls);
    }
    let configs: Vec<_> = fake.requests().iter().map(|request| request.json()["generationConfig"].clone()).collect();
    assert_eq!(configs[0]["temperature"], 0.5);
    assert!(configs[0]["responseJsonSchema"].is_object());
    assert_eq!(configs[1], json!({"maxOutputTokens": 8192, "responseMimeType": "application/json"}));
    assert_eq!(configs[2], configs[1]);
}

/// One odd request that is refused whatever is left out must not cost the later ones their schema.
#[tokio::test]
async fn a_refusal_that_was_not_about_the_schema_costs_no_schema() {
    let fake = FakeGemini::start();
    fake.fail([Fault::OpaqueAlways, Fault::OpaqueAlways]);
    let client = client(&fake, "");
    let mut judge = judge("", &six());
    run(&mut judge, &client).await;
    assert_eq!(verdicts(&judge, &six()), SIX);
    let schemas: Vec<bool> = fake
        .requests()
        .iter()
        .map(|request| request.json()["generationConfig"]["responseJsonSchema"].is_object())
        .collect();
    assert_eq!(schemas, [true, false, true, true], "refused twice, then both halves");
}

#[tokio::test]
async fn another_model_stands_in() {
    for fault in [Fault::NotFound, Fault::QuotaDay, Fault::QuotaZero, Fault::QuotaMinute("51820.6s")] {
        let fake = FakeGemini::start();
        fake.fail([fault]);
        let client = client(&fake, "models = ['gemini-3.8-flash', 'gemini-2.5-flash-lite']");
        for _ in 0..2 {
            let judged = client.ask(request(&mut judge("", &six())).unwrap()).await;
            let model = judged.result.map(|completion| completion.model);
            assert_eq!(model.as_deref(), Ok("gemini-3.8-flash"), "{fault:?}");
        }
        assert_eq!(fake.calls(), 3, "{fault:?}: the first model is left alone after that");
        let config = &fake.requests()[1].json()["generationConfig"]["thinkingConfig"];
        assert_eq!(config, &json!({"thinkingLevel": "low"}), "by the rules of the model that is asked");
    }
    let fake = FakeGemini::start();
    fake.fail_always(Some(Fault::QuotaDay));
    let (end, judged) = ask(&fake, "models = ['gemini-3.8-flash']").await;
    assert!(end.starts_with("later ") && end.ends_with(" after 2"), "{end}: {:?}", judged.result);
    let fake = FakeGemini::start();
    fake.fail_always(Some(Fault::Forbidden));
    assert_eq!(ask(&fake, "models = ['gemini-3.8-flash']").await.0, "stop after 1", "the key is no matter of models");
}

#[tokio::test]
async fn nobody_there() {
    let config = config(&format!("http://{}", nobody()), "");
    let client = Client::new(&config, Backend::Gemini, Some(SecretString::from(FakeGemini::KEY))).unwrap().unwrap();
    let judged = client.ask(request(&mut judge("", &six())).unwrap()).await;
    let Err(JudgeFailure::Later { reason, after }) = judged.result else { panic!("{:?}", judged.result) };
    assert!(reason.contains("cannot connect") && reason.contains("refused"), "{reason}");
    assert_eq!(after, Duration::from_secs(60));
    assert_eq!(judged.usage.input_tokens, 0);
}

/// A server that shows a certificate nobody vouches for, and one that does not speak TLS at all.
#[tokio::test]
async fn an_unknown_certificate_gets_no_key() {
    let acceptor = TlsAcceptor::from(Authority::new().server(&["127.0.0.1"]));
    let (seen, was_seen) = std::sync::mpsc::channel();
    let impostor = serve(move |stream| {
        let (acceptor, seen) = (acceptor.clone(), seen.clone());
        async move {
            let _ = seen.send(acceptor.accept(stream).await.is_ok());
        }
    });
    let plain = FakeGemini::start();
    let https = plain.url().replace("http://", "https://");
    for (url, part) in [(format!("https://{}", impostor.address), "certificate"), (https, "cannot connect")] {
        let config = config(&url, "max_retries = 0");
        let client = Client::new(&config, Backend::Gemini, Some(SecretString::from(FakeGemini::KEY))).unwrap().unwrap();
        let judged = client.ask(request(&mut judge("", &six())).unwrap()).await;
        let Err(JudgeFailure::Later { reason, .. }) = judged.result else { panic!("{:?}", judged.result) };
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(was_seen.recv(), Ok(false), "the handshake fails before any request");
    assert_eq!(plain.calls(), 0);
}

#[tokio::test]
async fn the_key_shows_nowhere() {
    let fake = FakeGemini::start();
    for (key, part) in [("wrong-key-0123456789", "API key not valid"), (FakeGemini::LEAKED_KEY, "reported as leaked")] {
        let client =
            Client::new(&config(&fake.url(), ""), Backend::Gemini, Some(SecretString::from(format!("{key}\n"))))
                .unwrap()
                .unwrap();
        let judged = client.ask(request(&mut judge("", &six())).unwrap()).await;
        let shown = format!("{client:?} {judged:?}");
        assert!(!shown.contains(key), "{shown}");
        let Err(JudgeFailure::Stop { reason }) = judged.result else { panic!("{:?}", judged.result) };
        assert!(reason.contains(part), "{reason}");
    }
    assert!(fake.requests().iter().all(|request| !request.target.contains("key") && !request.body.contains("-key")));
    assert!(matches!(Client::new(&config(&fake.url(), ""), Backend::Gemini, None), Ok(None)));
    assert!(matches!(
        Client::new(&config(&fake.url(), ""), Backend::Gemini, Some(SecretString::from(" \n"))),
        Ok(None)
    ));
    let broken = Client::new(&config(&fake.url(), ""), Backend::Gemini, Some(SecretString::from("a\nb")));
    assert!(matches!(broken, Err(BuildError::Key)));
}

#[tokio::test]
async fn other_models_have_other_rules() {
    for model in [
        "gemini-3.8-flash",
        "gemini-3.7-flash",
        "gemini-3.6-flash",
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "gemini-4-argon",
        "gemini-flash-lite-latest",
    ] {
        let fake = FakeGemini::start();
        let (end, judged) = ask(&fake, &format!("model = '{model}'")).await;
        assert_eq!(end, "ok after 1", "{model}: {:?}", judged.result);
    }
    let fake = FakeGemini::start();
    let (end, judged) = ask(&fake, "model = 'gemini-1.5-flash'").await;
    assert_eq!(end, "stop after 1", "{:?}", judged.result);

    let fake = FakeGemini::start();
    fake.reroute("gemini-3.5-flash-lite");
    let (_, judged) = ask(&fake, "model = 'gemini-2.5-flash'").await;
    assert_eq!(judged.result.map(|completion| completion.model).as_deref(), Ok("gemini-3.5-flash-lite"));
    assert!(judged.cost_usd > 0.0);
}
