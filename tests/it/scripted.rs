//! Every way a model's API was seen to fail, by its number in the project's list of 53: through judge and client together,
//! nothing is lost, nothing becomes normal by it, and nobody is stormed with requests.

use std::net::{Ipv6Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use logwren::judge::Judge;
use logwren::llm::{Backend, Client};
use logwren::model::{JudgeFailure, Timestamp};
use secrecy::SecretString;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::gemini::{SIX, client, config, judge, now, request, six, verdicts};
use crate::support::certs::Authority;
use crate::support::daemon::Home;
use crate::support::gemini::{FakeGemini, Fault};
use crate::support::serve::{Running, nobody, serve};

/// The number of each failure, what is scripted for it, and the most calls until all six kinds are judged when it
/// happens once. 49, 50 and 53 have tests of their own below.
const SCRIPTED: &[(u32, Fault, usize)] = &[
    (1, Fault::QuotaMinute("0.02s"), 2),
    (2, Fault::QuotaDay, 2),
    (3, Fault::QuotaBare, 2),
    (4, Fault::QuotaZero, 2),
    (5, Fault::QuotaMessage("20ms"), 2),
    (6, Fault::QuotaMinute("51820.6s"), 2),
    (7, Fault::Internal, 2),
    (8, Fault::Overloaded, 2),
    (9, Fault::DeadlineExceeded, 2),
    (10, Fault::BadGateway, 2),
    (11, Fault::Wrapped, 2),
    (12, Fault::Nested, 2),
    (13, Fault::SchemaRefused, 2),
    (14, Fault::Forbidden, 2),
    (15, Fault::NotFound, 2),
    (16, Fault::Unauthenticated, 2),
    (17, Fault::PromptBlocked, 3),
    (18, Fault::NoCandidates, 2),
    (19, Fault::Safety, 3),
    (20, Fault::NoParts, 2),
    (21, Fault::EmptyText, 2),
    (22, Fault::ThoughtsOnly, 3),
    (23, Fault::CutJson, 3),
    (24, Fault::Finish("RECITATION"), 3),
    (24, Fault::Finish("FUTURE_REASON"), 2),
    (25, Fault::NoFinishCut, 3),
    (26, Fault::Fenced, 1),
    (27, Fault::Prose, 1),
    (28, Fault::WrongRoot, 3),
    (29, Fault::OddNumbers, 1),
    (30, Fault::OtherCase, 1),
    (31, Fault::UnknownIds, 1),
    (32, Fault::DuplicateIds, 3),
    (33, Fault::MissingIds, 3),
    (34, Fault::LineNumbers, 3),
    (35, Fault::AllNormal, 3),
    (36, Fault::AllAnomalous, 3),
    (37, Fault::WrongNonce, 3),
    (38, Fault::Loop, 3),
    (39, Fault::HostileProse, 1),
    (40, Fault::SlowHeaders(Duration::from_millis(30)), 1),
    (41, Fault::SlowBody(Duration::from_millis(30)), 2),
    (42, Fault::Hang, 2),
    (43, Fault::Reset, 2),
    (43, Fault::ResetBody, 2),
    (44, Fault::LengthTooLong, 2),
    (44, Fault::ChunkedCut, 2),
    (45, Fault::Huge, 3),
    (46, Fault::Gzip, 1),
    (46, Fault::GzipBomb, 2),
    (46, Fault::GzipBroken, 2),
    (47, Fault::InvalidUtf8, 1),
    (48, Fault::Redirect, 2),
    (51, Fault::CloseAfter, 1),
    (52, Fault::Http10, 1),
];

/// Settings under which no failure takes long, and no answer is late on a busy machine.
const FAST: &str = "timeout = '30s'\nmax_retries = 1";
/// For servers that never end.
const IMPATIENT: &str = "timeout = '2s'\nmax_retries = 1";

fn settings(fault: Fault) -> &'static str {
    if matches!(fault, Fault::SlowBody(_) | Fault::Hang) { IMPATIENT } else { FAST }
}

/// Asks as the driver does, and lets time pass where there is nothing to ask. Ends when nothing waits or at `end`.
async fn live(judge: &mut Judge, client: &Client, end: Timestamp) {
    let mut clock = now();
    while clock < end {
        judge.tick(clock);
        match judge.request(clock, &mut || fastrand::u64(..), &crate::gemini::REDACTOR) {
            Some(request) => {
                judge.answer(client.ask(request).await, clock);
            }
            None => match judge.next_deadline() {
                Some(next) => clock = next.max(clock.saturating_add(Duration::from_secs(1))),
                None => return,
            },
        }
    }
}

fn hours(hours: u64) -> Timestamp {
    now().saturating_add(Duration::from_secs(hours * 3600))
}

#[test]
fn every_number_is_scripted() {
    let alone = [49, 50, 53];
    for number in 1..=53 {
        let scripted = SCRIPTED.iter().any(|(known, _, _)| *known == number);
        assert!(scripted != alone.contains(&number), "{number}");
    }
}

#[tokio::test]
async fn what_happens_once_costs_a_little_and_loses_nothing() {
    for (number, fault, most) in SCRIPTED {
        let fake = FakeGemini::start();
        fake.fail([*fault]);
        let mut judge = judge("", &six());
        live(&mut judge, &client(&fake, settings(*fault)), hours(48)).await;
        assert_eq!(verdicts(&judge, &six()), SIX, "{number} {fault:?}");
        assert!(fake.calls() <= *most, "{number} {fault:?}: {} calls", fake.calls());
        assert_eq!(judge.waiting(hours(48)), 0, "{number} {fault:?}");
    }
}

/// Every request fails so, for two hours. Failures that only damage an answer which can be read all the same are left out.
#[tokio::test]
async fn what_goes_on_storms_nobody_and_makes_nothing_normal() {
    for (number, fault, most) in SCRIPTED {
        // Slow ones cost this test their time, and say nothing that others do not.
        if *most == 1 || matches!(fault, Fault::SlowBody(_) | Fault::Hang | Fault::Huge | Fault::GzipBomb) {
            continue;
        }
        let fake = FakeGemini::start();
        fake.fail_always(Some(*fault));
        let mut judge = judge("", &six());
        live(&mut judge, &client(&fake, FAST), hours(2)).await;
        // A schema that is refused is no failure; ids that are left out or doubled are one of these kinds.
        let partly =
            matches!(fault, Fault::SchemaRefused | Fault::MissingIds | Fault::DuplicateIds | Fault::NoFinishCut);
        for (question, right) in six().iter().zip(SIX.split(' ')) {
            let verdict = judge.verdict(question.id).map_or("none", |row| row.verdict.as_str());
            let wrong = verdict != "none" && verdict != "undecided" && !(partly && verdict == right);
            assert!(!wrong, "{number} {fault:?}: {} is {verdict}", question.template);
            let waits = judge.question(question.id).is_some();
            assert!(waits || verdict != "none", "{number} {fault:?}: {} is lost", question.template);
        }
        assert!(fake.calls() <= 60, "{number} {fault:?}: {} calls in two hours", fake.calls());
    }
}

/// TLS in front of a fake that itself speaks none.
fn tls(fake: &FakeGemini, server: Arc<rustls::ServerConfig>) -> Running {
    let acceptor = TlsAcceptor::from(server);
    let address = fake.url().trim_start_matches("http://").to_owned();
    serve(move |stream| {
        let (acceptor, address) = (acceptor.clone(), address.clone());
        async move {
            let Ok(mut outside) = acceptor.accept(stream).await else { return };
            let Ok(mut inside) = TcpStream::connect(address).await else { return };
            let _ = copy_bidirectional(&mut outside, &mut inside).await;
        }
    })
}

/// 49: one whole run against `url`, where the system trusts `authority`. What is said of the model.
fn analyze(url: &str, authority: &Authority) -> String {
    let home = Home::new();
    let log: String =
        (0..30).map(|n| format!("2026-03-01T09:00:{n:02}+00:00 web1 ledger: page {n} is corrupt\n")).collect();
    home.write("s.log", &log);
    let config = home.config(&format!("[llm.gemini]\nbase_url = '{url}'\nmax_retries = 0\nrequests_per_minute = 0\n"));
    let output = Command::new(env!("CARGO_BIN_EXE_logwren"))
        .args(["analyze", "s.log", "--json", "r.json", "--config"])
        .arg(config)
        .current_dir(home.path(""))
        .env_clear()
        .env("HOME", home.path("home"))
        .env("SSL_CERT_FILE", authority.file())
        .env("GOOGLE_API_KEY", FakeGemini::KEY)
        .output()
        .expect("runs");
    let report = std::fs::read_to_string(home.path("r.json")).unwrap_or_default();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap_or_default();
    let problems = report["problems"].to_string();
    assert!(!problems.contains(FakeGemini::KEY));
    format!(
        "{} calls; {problems}; {}",
        report["processing_metrics"]["api_calls_made"],
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn failure_49_certificates() {
    let fake = FakeGemini::start();
    let authority = Authority::new();
    let right = tls(&fake, authority.server(&["127.0.0.1"]));
    let said = analyze(&format!("https://{}", right.address), &authority);
    assert!(fake.calls() > 0 && !said.contains("gave no answer"), "a right one is trusted: {said}");

    let calls = fake.calls();
    let stranger = Authority::new();
    for (server, part) in [
        (authority.server_until(&["127.0.0.1"], 2020), "expired"),
        (authority.server(&["elsewhere.example"]), "not valid for name"),
        (stranger.server(&["127.0.0.1"]), "invalid peer certificate"),
    ] {
        let wrong = tls(&fake, server);
        let said = analyze(&format!("https://{}", wrong.address), &authority);
        assert!(said.contains("cannot connect") && said.contains(part), "{part}: {said}");
    }
    // Plain HTTP where TLS is spoken.
    let said = analyze(&format!("http://{}", right.address), &authority);
    assert!(said.contains("gave no answer"), "{said}");
    assert_eq!(fake.calls(), calls, "no request and no key left");
}

#[tokio::test]
async fn failure_50_names_and_addresses() {
    let ask = async |url: &str| {
        let config = config(url, "timeout = '2s'\nmax_retries = 0");
        let client = Client::new(&config, Backend::Gemini, Some(SecretString::from(FakeGemini::KEY))).unwrap().unwrap();
        client.ask(request(&mut judge("", &six())).unwrap()).await
    };
    for url in ["https://no-such-host.invalid".to_owned(), format!("http://{}", nobody())] {
        let judged = ask(&url).await;
        assert!(
            matches!(judged.result, Err(JudgeFailure::Later { .. } | JudgeFailure::Split { .. })),
            "{:?}",
            judged.result
        );
        assert_eq!(judged.usage.requests, 1, "{url}");
    }
    // `localhost` is both addresses, whichever of them answers.
    let fake = FakeGemini::start();
    let port = fake.url().rsplit(':').next().unwrap().to_owned();
    assert!(ask(&format!("http://localhost:{port}")).await.result.is_ok());
    // A server on IPv6 alone; where a machine has none, there is nobody.
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0));
    let address =
        listener.as_ref().map_or_else(|_| "[::1]:9".to_owned(), |listener| listener.local_addr().unwrap().to_string());
    let forward = listener.map(|listener| {
        listener.set_nonblocking(true).unwrap();
        let (listener, inside) = (tokio::net::TcpListener::from_std(listener).unwrap(), format!("127.0.0.1:{port}"));
        tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let mut inside = TcpStream::connect(&inside).await.unwrap();
                tokio::spawn(async move { copy_bidirectional(&mut outside, &mut inside).await });
            }
        })
    });
    let judged = ask(&format!("http://{address}")).await;
    assert_eq!(judged.result.is_ok(), forward.is_ok(), "{address}: {:?}", judged.result);
}

/// 53: the clock jumps while a failed request waits to be asked again, and while the judge pauses.
#[tokio::test]
async fn failure_53_a_clock_that_jumps() {
    for jump in [100_i64, -100, 400 * 86_400, -400 * 86_400] {
        let fake = FakeGemini::start();
        fake.fail([Fault::Overloaded, Fault::Overloaded]);
        let (mut judge, client) = (judge("", &six()), client(&fake, FAST));
        // Both tries fail: a pause of a minute.
        let first = request(&mut judge).unwrap();
        judge.answer(client.ask(first).await, now());
        assert!(judge.paused(now()).is_some() && fake.calls() == 2);
        judge.tick(now());
        let jumped = Timestamp::from_seconds(now().as_seconds() + jump);
        live_from(&mut judge, &client, jumped, 90).await;
        assert_eq!(verdicts(&judge, &six()), SIX, "{jump}");
        assert_eq!(fake.calls(), 3, "{jump}: a jump is no reason to ask more often");
    }
}

async fn live_from(judge: &mut Judge, client: &Client, start: Timestamp, seconds: u64) {
    for second in 0..seconds {
        let clock = start.saturating_add(Duration::from_secs(second));
        judge.tick(clock);
        if let Some(request) = judge.request(clock, &mut || fastrand::u64(..), &crate::gemini::REDACTOR) {
            judge.answer(client.ask(request).await, clock);
        }
    }
}
