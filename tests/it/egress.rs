//! Everything that the fakes receive is in the ledger, byte for byte, and nothing is received without a row.

use std::path::Path;
use std::process::{Command, Output};

use logwren::egress::{Ledger, Row};

use crate::support::daemon::{Daemon, Home, append};
use crate::support::gemini::FakeGemini;
use crate::support::planted::{assert_unseen, planted};
use crate::support::receiver::{Contract, Receiver};
use crate::support::smtp::{MailServer, Options};

fn logwren(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logwren")).args(arguments).env_remove("GOOGLE_API_KEY").output().expect("runs")
}

fn line(message: &str) -> String {
    format!("{} web-03 shop[7]: {message}\n", jiff::Timestamp::now())
}

struct Scene {
    home: Home,
    gemini: FakeGemini,
    slack: Receiver,
    hook: Receiver,
    mail: MailServer,
    config: std::path::PathBuf,
}

/// A host that asks a model and tells people in three ways.
fn scene() -> Scene {
    let home = Home::new();
    let gemini = FakeGemini::start();
    let slack = Receiver::start(Contract { slack: true, ..Contract::default() });
    let hook = Receiver::start(Contract::default());
    let mail = MailServer::start(Options::default());
    let key = home.secret("key", FakeGemini::KEY);
    let url = home.secret("url", &slack.url("/services/T0/B0/s3cr3tp4th"));
    let config = home.config(&format!(
        "[judge]\nsamples = 'redacted'\n[batch]\ntimeout = '200ms'\n[llm.gemini]\nbase_url = '{}'\napi_key_file = '{}'\n\
         requests_per_minute = 0\n[[notifiers.webhook]]\nname = 'hook'\nurl = '{}'\n[[notifiers.slack]]\nname = 'ops'\n\
         url_file = '{}'\n[[notifiers.email]]\nname = 'oncall'\nsmtp = 'smtp://{}'\nfrom = 'a@example.com'\nto = ['b@example.com']",
        gemini.url(),
        key.display(),
        hook.url("/hook"),
        url.display(),
        mail.address(),
    ));
    Scene { home, gemini, slack, hook, mail, config }
}

fn rows(state: &Path) -> Vec<(Row, Vec<u8>)> {
    let ledger = Ledger::read(state).expect("readable");
    let body = |row: Row| {
        let body = ledger.body(row.id).expect("readable").expect("still there");
        (row, body)
    };
    ledger.rows(None).expect("readable").into_iter().map(body).collect()
}

#[test]
fn what_arrives_is_in_the_ledger() {
    let Scene { home, gemini, slack, hook, mail, config } = scene();
    append(&home.log("app.log"), &(0..200).map(|n| line(&format!("request {n} served"))).collect::<String>());
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    let planted = planted(7);
    let text: String =
        planted.iter().flat_map(|one| one.text.lines()).map(|one| line(&format!("ERROR {one}"))).collect();
    append(&home.log("app.log"), &text);
    append(&home.log("app.log"), &line("page 3 of the ledger is corrupt"));
    hook.wait_for(2);
    mail.wait_for(1);
    slack.wait_for(1);
    assert!(daemon.stop().0.success());

    let state = home.path("state");
    let rows = rows(&state);
    let mut left: Vec<(String, Vec<u8>)> = rows.iter().map(|(row, body)| (row.purpose.clone(), body.clone())).collect();
    let mut arrived: Vec<(String, Vec<u8>)> = Vec::new();
    arrived.extend(gemini.requests().into_iter().map(|request| ("model gemini".to_owned(), request.body.into_bytes())));
    arrived.extend(hook.requests().into_iter().map(|request| ("alert hook".to_owned(), request.body)));
    arrived.extend(slack.requests().into_iter().map(|request| ("alert ops".to_owned(), request.body)));
    arrived.extend(mail.mails().into_iter().map(|mail| ("alert oncall".to_owned(), mail.data.into_bytes())));
    assert!(gemini.calls() > 0);
    for (purpose, body) in arrived {
        let same = |(known, bytes): &(String, Vec<u8>)| *known == purpose && trimmed(bytes) == trimmed(&body);
        let at = left.iter().position(same);
        assert!(at.is_some(), "{purpose}: {}", String::from_utf8_lossy(&body));
        left.remove(at.unwrap_or_default());
    }
    assert!(left.is_empty(), "rows that did not arrive: {left:?}");
    for (row, body) in &rows {
        assert_eq!(row.bytes, body.len() as u64);
        assert!(row.destination.starts_with("127.0.0.1:") && !row.outcome.is_empty(), "{row:?}");
    }
    // The file itself holds no secret, neither of a log nor of ours.
    let files: Vec<String> = ["egress.db", "egress.db-wal"]
        .iter()
        .filter_map(|name| std::fs::read(state.join(name)).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect();
    assert_unseen(&planted, "the ledger", files.iter().map(String::as_str));
    assert!(files.iter().all(|text| !text.contains("s3cr3tp4th") && !text.contains(FakeGemini::KEY)));

    // And people can look at it.
    let state = state.display().to_string();
    let list = logwren(&["egress", "--state-dir", &state]);
    let text = String::from_utf8(list.stdout).expect("UTF-8");
    assert!(text.contains("model gemini") && text.contains("alert ops") && text.contains("alert oncall"), "{text}");
    assert_eq!(text.lines().count(), rows.len() + 2, "{text}");
    let (first, body) = &rows[0];
    assert_eq!(&logwren(&["egress", "--state-dir", &state, "--show", &first.id.to_string()]).stdout, body);
    assert!(!logwren(&["egress", "--state-dir", &state, "--show", "999999"]).status.success());
}

/// The last line end belongs to SMTP.
fn trimmed(body: &[u8]) -> &[u8] {
    body.trim_ascii_end()
}

#[test]
fn other_commands_record_too() {
    let Scene { home, gemini, slack, hook, mail, config } = scene();
    let config = config.display().to_string();
    let state = home.path("state");
    let none = logwren(&["egress", "--config", &config]);
    assert!(String::from_utf8_lossy(&none.stdout).contains("nothing has left this host"));
    let tested = logwren(&["test-alert", "--config", &config]);
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    assert_eq!((slack.requests().len(), hook.requests().len(), mail.mails().len()), (1, 1, 1));
    assert_eq!(rows(&state).len(), 3);
    let input = home.write("some.log", &(line("page 3 of the ledger is corrupt") + &line("all is well")));
    let analyzed = logwren(&["analyze", &input.display().to_string(), "--config", &config]);
    assert!(analyzed.status.success(), "{}", String::from_utf8_lossy(&analyzed.stderr));
    let asked: Vec<Vec<u8>> = gemini.requests().into_iter().map(|request| request.body.into_bytes()).collect();
    let recorded = rows(&state).into_iter().filter(|(row, _)| row.purpose == "model gemini");
    assert!(!asked.is_empty());
    assert_eq!(recorded.map(|(_, body)| body).collect::<Vec<_>>(), asked);
}

/// Fails closed: what cannot be written down is not sent, and is sent when it can be again.
#[test]
fn nothing_leaves_without_a_row() {
    let Scene { home, gemini, slack: _slack, hook, mail: _mail, config } = scene();
    append(&home.log("app.log"), &(0..200).map(|n| line(&format!("request {n} served"))).collect::<String>());
    let daemon = Daemon::watch(&config);
    daemon.wait_logged("learned ");
    // What the baseline holds is asked about; that request is over.
    let end = std::time::Instant::now() + crate::support::daemon::PATIENCE;
    while !Ledger::read(&home.path("state"))
        .and_then(|ledger| ledger.rows(None))
        .is_ok_and(|rows| rows.iter().any(|row| row.outcome == "200"))
    {
        assert!(std::time::Instant::now() < end, "the baseline is never asked about");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let ledger = rusqlite::Connection::open(home.path("state").join("egress.db")).expect("opened");
    ledger.execute_batch("ALTER TABLE requests RENAME TO hidden").expect("hidden");
    let calls = gemini.calls();
    append(&home.log("app.log"), &line("ERROR gasket of pump 4 leaks"));
    daemon.wait_logged("nothing leaves without a row in the ledger");
    assert_eq!((gemini.calls(), hook.requests().len()), (calls, 0));
    ledger.execute_batch("ALTER TABLE hidden RENAME TO requests").expect("back");
    hook.wait_for(1);
}
