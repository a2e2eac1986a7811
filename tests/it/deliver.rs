//! Every notifier over the wire: what arrives, what the receiver's answers lead to, and that no log line and no secret
//! gets where it must not.

use std::sync::Arc;
use std::time::Duration;

use logwren::deliver::{Config, Deliverers};
use logwren::model::{
    Alert, Category, DeliveryOutcome, Evidence, Fingerprint, Incident, IncidentState, JudgedBy, Level, SecretRef,
    Severity, Timestamp,
};
use logwren::redact::{Redactor, Secret};

use crate::support::certs::Authority;
use crate::support::receiver::{Contract, Receiver, Reply, Request};
use crate::support::serve::nobody;
use crate::support::smtp::{Mail, MailServer, Options};

/// Text that tries everything at once.
const HOSTILE: &str = "<!channel> @here <https://evil.example|click> ``` </pre><script>alert(1)</script> \
                       x\r\nBcc: evil@example.net\r\n.\r\n\x1b]0;owned\x07\u{202e}{{ 7*7 }}";

const USER: &str = "wren@example.com";
const PASSWORD: &str = "s3cret-p4ssword";

/// An alert to `notifier` whose log text is `line`.
pub fn alert(notifier: &str, line: &str) -> Alert {
    let time = Timestamp::from_seconds(1_763_806_800);
    let evidence = Evidence {
        time,
        host: "web-03".into(),
        program: "nginx".into(),
        level: Level::Err,
        origin: "/var/log/nginx/error.log".into(),
        offset: 4_711,
        line: line.to_owned(),
    };
    let incident = Incident {
        id: Fingerprint(0xaa),
        state: IncidentState::New,
        severity: Severity::High,
        category: Category::Availability,
        confidence: 0.9,
        host: "web-03".into(),
        program: "nginx".into(),
        title: format!("upstream timed out {line}"),
        reason: format!("214 lines where 3 a day are usual: {line}"),
        remediation: vec!["check the upstream".into(), line.to_owned()],
        judged_by: JudgedBy::Rule("web-upstream".into()),
        not_judged: "no key".into(),
        template: None,
        template_text: line.to_owned(),
        kinds: vec![],
        count: 214,
        first_seen: time,
        last_seen: time.saturating_add(Duration::from_secs(300)),
        evidence: vec![evidence.clone(), evidence],
        about_self: false,
    };
    Alert {
        id: format!("00000000000000aa:{notifier}:1").into(),
        notifier: notifier.into(),
        state: IncidentState::New,
        incident,
        created_at: time,
        attempts: 0,
        next_attempt: time,
        last_error: String::new(),
    }
}

/// Builds from TOML; `env` resolves `*_env`.
pub fn build(toml: &str, env: &[(&str, &str)]) -> Deliverers {
    let config: Config = toml::from_str(toml).expect("a config that parses");
    let secrets = |place: &SecretRef| match place {
        SecretRef::Env(name) => {
            let found = env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| Secret::from(*value)).ok_or_else(|| format!("{place} is not set"))
        }
        SecretRef::Credential(_) | SecretRef::File(_) => Err(format!("{place} is not for this test")),
    };
    let redactor = Arc::new(Redactor::new(&Default::default(), [7; 32]));
    Deliverers::new(&config, &secrets, redactor).expect("a config that builds")
}

async fn send(deliverers: &Deliverers, line: &str) -> DeliveryOutcome {
    deliverers.deliver(alert("n", line)).await.outcome
}

#[track_caller]
fn expect_retry(outcome: &DeliveryOutcome, words: &[&str]) {
    let DeliveryOutcome::Retry { error, .. } = outcome else { panic!("not a retry: {outcome:?}") };
    expect_words(error, words);
}

#[track_caller]
fn expect_refused(outcome: &DeliveryOutcome, words: &[&str]) {
    let DeliveryOutcome::Refused { error } = outcome else { panic!("not refused: {outcome:?}") };
    expect_words(error, words);
}

/// Every error names its host, says what to do and holds no secret.
#[track_caller]
fn expect_words(error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(error.contains("127.0.0.1:") && error.len() < 1_000, "{error}");
    assert!(!error.contains("s3cret") && !error.contains(char::is_control), "{error}");
}

// --- webhook

fn webhook(receiver: &Receiver) -> Deliverers {
    webhook_with(&receiver.url("/in/s3cret"), "")
}

fn webhook_with(url: &str, more: &str) -> Deliverers {
    let toml =
        format!("[[webhook]]\nname = 'n'\nurl_env = 'URL'\nsecret_env = 'KEY'\nauthorization_env = 'AUTH'\n{more}");
    build(&toml, &[("URL", url), ("KEY", "s3cret-key"), ("AUTH", "Bearer s3cret-token")])
}

fn signed() -> Contract {
    Contract { secret: Some("s3cret-key"), authorization: Some("Bearer s3cret-token"), ..Contract::default() }
}

#[tokio::test]
async fn webhook_is_signed_authorized_and_redacted() {
    let receiver = Receiver::start(signed());
    assert_eq!(send(&webhook(&receiver), "login failed password=hunter2hunter2").await, DeliveryOutcome::Delivered);
    let [request] = &*receiver.wait_for(1) else { panic!("one request") };
    assert_eq!((request.line.as_str(), request.answered), ("POST /in/s3cret HTTP/1.1", 204));
    assert_eq!(request.header("idempotency-key"), Some("00000000000000aa:n:1"));
    let json = request.json();
    assert_eq!(json["incident"]["judged_by"], "rule:web-upstream");
    assert_eq!(json["incident"]["evidence"][0]["host"], "web-03");
    assert!(!request.raw().contains("hunter2"), "{}", request.raw());
}

#[tokio::test]
async fn webhook_body_is_data_whatever_the_log_holds() {
    let receiver = Receiver::start(signed());
    assert_eq!(send(&webhook(&receiver), HOSTILE).await, DeliveryOutcome::Delivered);
    let json = receiver.requests()[0].json();
    let line = json["incident"]["evidence"][1]["line"].as_str().expect("a line");
    // As logged, but for what redaction takes out: escaping is the receiver's, who knows where it will be shown.
    assert!(line.contains("<!channel> @here <https://evil.example|click> ``` </pre><script>"), "{line}");
}

#[tokio::test]
async fn webhook_retries_carry_the_same_key() {
    let receiver = Receiver::start(signed());
    receiver.script([Reply::status(500, "boom")]);
    let deliverers = webhook(&receiver);
    expect_retry(&send(&deliverers, "x").await, &["answered 500 (boom)", "see its log"]);
    assert_eq!(send(&deliverers, "x").await, DeliveryOutcome::Delivered);
    let keys: Vec<_> =
        receiver.requests().iter().map(|request| request.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn webhook_waits_as_long_as_it_is_told() {
    let receiver = Receiver::start(signed());
    receiver.script([Reply { headers: vec![("retry-after", "7".into())], ..Reply::status(429, "") }]);
    let outcome = send(&webhook(&receiver), "x").await;
    expect_retry(&outcome, &["answered 429"]);
    assert!(matches!(outcome, DeliveryOutcome::Retry { after: Some(after), .. } if after == Duration::from_secs(7)));
}

#[tokio::test]
async fn webhook_with_the_wrong_key_is_told_what_to_check() {
    let contract = Contract { secret: Some("another"), ..Contract::default() };
    let receiver = Receiver::start(contract);
    expect_retry(&send(&webhook(&receiver), "x").await, &["answered 401", "check authorization_*"]);
}

#[tokio::test]
async fn webhook_receiver_that_echoes_secrets_or_talks_forever() {
    let receiver = Receiver::start(signed());
    let flood = "x\u{1b}[2J ".repeat(500_000);
    receiver.script([Reply::status(400, "bad token s3cret-token"), Reply::status(422, &flood)]);
    let deliverers = webhook(&receiver);
    expect_refused(&send(&deliverers, "x").await, &["answered 400"]);
    expect_refused(&send(&deliverers, "x").await, &["answered 422", "does not take"]);
}

#[tokio::test]
async fn webhook_follows_no_redirect() {
    let (receiver, elsewhere) = (Receiver::start(signed()), Receiver::start(Contract::default()));
    for status in [301, 302, 307, 308] {
        receiver.script([Reply { headers: vec![("location", elsewhere.url("/"))], ..Reply::status(status, "") }]);
        expect_refused(&send(&webhook(&receiver), "x").await, &["a redirect", "put the final address"]);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn webhook_dead_or_slow() {
    let dead = format!("http://{}/s3cret", nobody());
    expect_retry(&send(&webhook_with(&dead, ""), "x").await, &["connection refused", "check the port"]);
    let receiver = Receiver::start(signed());
    receiver.script([Reply { delay: Duration::from_millis(900), ..Reply::status(204, "") }]);
    let deliverers = webhook_with(&receiver.url("/s3cret"), "timeout = '150ms'");
    expect_retry(&send(&deliverers, "x").await, &["no answer within 150ms", "firewall"]);
}

#[tokio::test]
async fn webhook_over_tls_trusts_only_who_it_should() {
    let authority = Authority::new();
    let contract = Contract { tls: Some(authority.server(&["127.0.0.1"])), ..signed() };
    let receiver = Receiver::start(contract);
    let trusting = format!("ca_file = '{}'", authority.file().display());
    let url = receiver.url("/s3cret");
    assert_eq!(send(&webhook_with(&url, &trusting), "x").await, DeliveryOutcome::Delivered);
    expect_retry(&send(&webhook_with(&url, ""), "x").await, &["set ca_file"]);

    let contract = Contract { tls: Some(authority.server(&["other.example"])), ..signed() };
    let misnamed = Receiver::start(contract);
    expect_retry(&send(&webhook_with(&misnamed.url("/s3cret"), &trusting), "x").await, &["another name"]);
    assert_eq!((receiver.requests().len(), misnamed.requests().len()), (1, 0));
}

// --- Slack

fn slack(url: &str) -> Deliverers {
    build("[[slack]]\nname = 'n'\nurl_env = 'URL'\ntimeout = '2s'", &[("URL", url)])
}

fn slack_receiver() -> Receiver {
    Receiver::start(Contract { slack: true, ..Contract::default() })
}

#[tokio::test]
async fn slack_takes_it_and_people_can_read_it() {
    let receiver = slack_receiver();
    assert_eq!(send(&slack(&receiver.url("/services/s3cret")), "(110)").await, DeliveryOutcome::Delivered);
    let json = receiver.requests()[0].json();
    assert_eq!(
        json["blocks"][0]["text"]["text"], "[HIGH] web-03 nginx: upstream timed out (110) (new, 214 in 5 m)",
        "{json}"
    );
    assert!(json["text"].as_str().is_some_and(|text| text.starts_with("[HIGH] web-03 nginx")));
}

#[tokio::test]
async fn slack_takes_hostile_text_and_nothing_in_it_acts() {
    let receiver = slack_receiver();
    let deliverers = slack(&receiver.url("/services/s3cret"));
    for line in [HOSTILE.to_owned(), HOSTILE.repeat(40), "&".repeat(5_000), "`".repeat(5_000)] {
        assert_eq!(send(&deliverers, &line).await, DeliveryOutcome::Delivered, "{line}");
    }
    for request in receiver.requests() {
        let raw = String::from_utf8(request.body).expect("JSON is UTF-8");
        assert!(!raw.contains(['<', '>']) && !raw.contains("@here") && !raw.contains("\\u001b"), "{raw}");
    }
}

#[tokio::test]
async fn slack_answers() {
    let receiver = slack_receiver();
    let deliverers = slack(&receiver.url("/services/s3cret"));
    receiver.script([
        Reply::status(500, "rollup_error"),
        Reply { headers: vec![("retry-after", "30".into())], ..Reply::status(429, "") },
        Reply::status(404, "no_service"),
        Reply::status(400, "invalid_payload"),
        Reply::status(503, "<html>\u{1b}[2J"),
    ]);
    expect_retry(&send(&deliverers, "x").await, &["answered 500 rollup_error"]);
    let limited = send(&deliverers, "x").await;
    assert!(matches!(limited, DeliveryOutcome::Retry { after: Some(after), .. } if after == Duration::from_secs(30)));
    expect_refused(&send(&deliverers, "x").await, &["no_service", "make a new one", "environment variable URL"]);
    expect_refused(&send(&deliverers, "x").await, &["invalid_payload"]);
    expect_retry(&send(&deliverers, "x").await, &["answered 503"]);
    assert_eq!(send(&deliverers, "x").await, DeliveryOutcome::Delivered);
    let dead = slack(&format!("http://{}/services/s3cret", nobody()));
    expect_retry(&send(&dead, "x").await, &["connection refused"]);
}

#[tokio::test]
async fn redact_all_takes_personal_data_too() {
    let receiver = slack_receiver();
    let toml = "[[slack]]\nname = 'n'\nurl_env = 'URL'\nredact = 'all'";
    let deliverers = build(toml, &[("URL", &receiver.url("/"))]);
    assert_eq!(send(&deliverers, "mail from jane.doe@example.org").await, DeliveryOutcome::Delivered);
    assert!(!receiver.requests()[0].raw().contains("jane.doe@example.org"));
}

// --- email

const OPS: &str = "['ops@example.com']";

fn email(server: &MailServer, scheme: &str, to: &str, more: &str) -> Deliverers {
    let address = server.address();
    let user = if more.contains("password_env") { "wren@example.com@" } else { "" };
    let toml = format!(
        "[[email]]\nname = 'n'\nsmtp = '{scheme}://{user}{address}'\nfrom = 'logwren <logwren@example.com>'\nto = {to}\n\
         timeout = '5s'\n{more}"
    );
    build(&toml, &[("PASS", PASSWORD)])
}

fn with_login(authority: &Authority) -> (Options, String) {
    let options =
        Options { tls: Some(authority.server(&["127.0.0.1"])), login: Some((USER, PASSWORD)), ..Options::default() };
    (options, format!("password_env = 'PASS'\nca_file = '{}'", authority.file().display()))
}

#[tokio::test]
async fn email_by_starttls_and_login() {
    let authority = Authority::new();
    let (options, more) = with_login(&authority);
    let server = MailServer::start(options);
    let deliverers = email(&server, "smtp", OPS, &more);
    assert_eq!(send(&deliverers, "(110) password=hunter2hunter2").await, DeliveryOutcome::Delivered);
    let [mail] = &*server.wait_for(1) else { panic!("one mail") };
    assert!(mail.encrypted);
    assert_eq!((mail.user.as_deref(), mail.sender.as_str()), (Some(USER), "logwren@example.com"));
    assert_eq!(mail.header("message-id"), "<alert-00000000000000aa-n-1@example.com>");
    assert_eq!(mail.header("in-reply-to"), "<incident-00000000000000aa@example.com>");
    assert_eq!(mail.header("auto-submitted"), "auto-generated");
    assert!(mail.header("subject").starts_with("[HIGH] web-03 nginx: upstream timed out (110)"));
    assert!(mail.part("text/plain").contains("What to do\n  - check the upstream"));
    assert!(mail.part("text/html").contains("<li style=\"white-space:pre-line\">check the upstream</li>"));
    let parts = mail.part("text/plain") + &mail.part("text/html") + &mail.data;
    assert!(!parts.contains("hunter2"), "{parts}");
}

#[tokio::test]
async fn email_by_implicit_tls_and_auth_login() {
    let authority = Authority::new();
    let (options, more) = with_login(&authority);
    let server = MailServer::start(Options { implicit: true, login_only: true, ..options });
    assert_eq!(send(&email(&server, "smtps", OPS, &more), "x").await, DeliveryOutcome::Delivered);
    let mails: Vec<Mail> = server.mails();
    assert!(mails[0].encrypted && mails[0].user.is_some());
}

#[tokio::test]
async fn email_to_a_local_relay_in_the_clear() {
    let server = MailServer::start(Options::default());
    assert_eq!(send(&email(&server, "smtp", OPS, ""), "x").await, DeliveryOutcome::Delivered);
    expect_retry(
        &send(&email(&server, "smtp", OPS, "starttls = 'required'"), "x").await,
        &["offers no STARTTLS", "use smtps://"],
    );
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn email_is_inert_whatever_the_log_holds() {
    let server = MailServer::start(Options::default());
    let deliverers = email(&server, "smtp", OPS, "");
    for line in [HOSTILE.to_owned(), HOSTILE.repeat(40), "ü🐦".repeat(2_000), ".\r\n".repeat(500), "=?".repeat(999)]
    {
        assert_eq!(send(&deliverers, &line).await, DeliveryOutcome::Delivered, "{line}");
    }
    let names = |mail: &Mail| mail.headers().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let mails = server.mails();
    for mail in &mails {
        assert_eq!(names(mail), names(&mails[0]));
        assert_eq!(mail.recipients, ["ops@example.com"]);
        let html = mail.part("text/html");
        assert!(!html.contains("<script") && !html.contains(['\x1b', '\u{202e}']) && !html.contains("49"), "{html}");
        assert_eq!(html.matches("</pre>").count(), 1);
        assert!(!mail.part("text/plain").contains(['\x1b', '\r', '\u{202e}']));
    }
}

#[tokio::test]
async fn email_refused_for_one_recipient_reaches_the_others() {
    let server = MailServer::start(Options::default());
    server.script("RCPT", "550 5.1.1 no such user");
    let deliverers = email(&server, "smtp", "['gone@example.com', 'ops@example.com']", "");
    assert_eq!(send(&deliverers, "x").await, DeliveryOutcome::Delivered);
    assert_eq!(server.mails()[0].recipients, ["ops@example.com"]);
    server.script("RCPT", "550 5.1.1 no such user");
    server.script("RCPT", "550 5.1.1 no such user");
    expect_refused(&send(&deliverers, "x").await, &["gone@example.com: 5.1.1 no such user", "check the to addresses"]);
}

#[tokio::test]
async fn email_delayed_for_one_recipient_is_repeated_for_that_one_only() {
    let server = MailServer::start(Options::default());
    let deliverers = email(&server, "smtp", "['slow@example.com', 'ops@example.com']", "");
    server.script("RCPT", "451 4.7.1 greylisted");
    expect_retry(&send(&deliverers, "x").await, &["not yet taken for slow@example.com: 4.7.1 greylisted"]);
    // A dead moment in between forgets nothing.
    server.script("CONNECT", "421 4.3.2 busy");
    expect_retry(&send(&deliverers, "x").await, &["answered 421 4.3.2 busy"]);
    assert_eq!(send(&deliverers, "x").await, DeliveryOutcome::Delivered);
    let recipients: Vec<_> = server.mails().into_iter().map(|mail| mail.recipients).collect();
    assert_eq!(recipients, [["ops@example.com"], ["slow@example.com"]]);
    let ids: Vec<_> = server.mails().iter().map(|mail| mail.header("message-id")).collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn email_replies() {
    let server = MailServer::start(Options::default());
    let deliverers = email(&server, "smtp", OPS, "");
    for (verb, reply, words) in [
        ("MAIL", "451 4.3.0 try later", "451 4.3.0 try later"),
        ("RCPT", "450 4.2.1 mailbox busy", "4.2.1 mailbox busy"),
        (".", "452 4.3.1 disk full", "452 4.3.1 disk full"),
        ("EHLO", "421 4.7.0 too many connections", "does not talk to this host"),
        ("CONNECT", "554 5.7.1 you are on a list", "does not talk to this host"),
        ("MAIL", "530 5.7.0 Authentication required", "add user@ to smtp"),
        ("CONNECT", "HTTP/1.1 400 Bad Request", "does not speak SMTP"),
    ] {
        server.script(verb, reply);
        expect_retry(&send(&deliverers, "x").await, &[words]);
    }
    for (verb, reply, words) in [
        ("MAIL", "550 5.7.1 sender not allowed", "does not take the from address"),
        ("DATA", "554 5.5.1 no valid recipients", "does not take this mail"),
        (".", "552 5.3.4 too big\x1b[2J", "does not take this mail"),
    ] {
        server.script(verb, reply);
        expect_refused(&send(&deliverers, "x").await, &[words]);
    }
    assert_eq!(send(&deliverers, "x").await, DeliveryOutcome::Delivered);
}

#[tokio::test]
async fn email_with_the_wrong_password_waits_for_the_operator() {
    let authority = Authority::new();
    let (options, more) = with_login(&authority);
    for login_only in [false, true] {
        let server = MailServer::start(Options { login: Some((USER, "another")), login_only, ..options.clone() });
        let outcome = send(&email(&server, "smtp", OPS, &more), "x").await;
        expect_retry(&outcome, &["answered 535", "check the user in smtp and the password"]);
        // Nor as the server echoes it: base64 of user and password.
        let DeliveryOutcome::Retry { error, .. } = outcome else { unreachable!() };
        assert!(!error.contains("AHdyZW5A") && !error.contains("czNjcmV0"), "{error}");
        assert!(!server.verbs().contains(&"MAIL".to_owned()));
    }
}

#[tokio::test]
async fn email_says_nothing_to_a_server_it_cannot_trust() {
    let (authority, another) = (Authority::new(), Authority::new());
    let (options, _) = with_login(&authority);
    let (_, more) = with_login(&another);
    let server = MailServer::start(options.clone());
    expect_retry(&send(&email(&server, "smtp", OPS, &more), "x").await, &["set ca_file"]);
    assert_eq!(server.verbs(), ["EHLO", "STARTTLS"]);
    let server = MailServer::start(Options { implicit: true, ..options });
    expect_retry(&send(&email(&server, "smtps", OPS, &more), "x").await, &["set ca_file"]);
    assert!(server.verbs().is_empty());
    // TLS from the start where none is spoken.
    let plain = MailServer::start(Options::default());
    expect_retry(&send(&email(&plain, "smtps", OPS, ""), "x").await, &["does not speak TLS"]);
}

#[tokio::test]
async fn email_dead_or_slow() {
    let server = MailServer::start(Options::default());
    let hasty = email(&server, "smtp", OPS, "").describe();
    assert!(hasty[0].1.contains("STARTTLS if offered"), "{hasty:?}");
    for verb in ["CONNECT", "RCPT", "."] {
        server.stall(verb);
        let toml = format!(
            "[[email]]\nname = 'n'\nsmtp = 'smtp://{}'\nfrom = 'a@example.com'\nto = {OPS}\ntimeout = '200ms'",
            server.address()
        );
        expect_retry(&send(&build(&toml, &[]), "x").await, &["no answer within 200ms"]);
    }
    let toml = format!("[[email]]\nname = 'n'\nsmtp = 'smtp://{}'\nfrom = 'a@example.com'\nto = {OPS}", nobody());
    expect_retry(&send(&build(&toml, &[]), "x").await, &["connection refused"]);
    assert!(server.mails().is_empty());
}

// --- all

/// What a library writes into our log at the lowest level, too.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    use tracing_subscriber::util::SubscriberInitExt;
    let log = Log::default();
    let sink = log.clone();
    let _guard = tracing_subscriber::fmt()
        .with_max_level(tracing::level_filters::LevelFilter::TRACE)
        .with_writer(move || sink.clone())
        .finish()
        .set_default();
    let authority = Authority::new();
    let (options, more) = with_login(&authority);
    for login in [PASSWORD, "another"] {
        let server = MailServer::start(Options { login: Some((USER, login)), ..options.clone() });
        send(&email(&server, "smtp", OPS, &more), "x").await;
    }
    let hook = Receiver::start(Contract { tls: Some(authority.server(&["127.0.0.1"])), ..signed() });
    let trusting = format!("ca_file = '{}'", authority.file().display());
    send(&webhook_with(&hook.url("/s3cret"), &trusting), "x").await;
    send(&slack(&slack_receiver().url("/services/s3cret")), "x").await;
    send(&slack(&format!("http://{}/services/s3cret", nobody())), "x").await;

    tracing::info!("the end");
    let text = String::from_utf8(log.0.lock().expect("no writer panicked").clone()).expect("UTF-8");
    assert!(text.contains("the end"));
    for secret in ["s3cret", "AHdyZW5A", "czNjcmV0"] {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{line:?}");
    }
}

#[tokio::test]
async fn a_test_alert_says_so() {
    let (receiver, hook) = (slack_receiver(), Receiver::start(Contract::default()));
    let server = MailServer::start(Options::default());
    let toml = format!(
        "slack = [{{name = 's', url_env = 'URL'}}]\nwebhook = [{{name = 'w', url = '{}'}}]\nemail = [{{name = 'e', smtp = \
         'smtp://{}', from = 'a@example.com', to = {OPS}}}]",
        hook.url("/"),
        server.address()
    );
    let deliverers = build(&toml, &[("URL", &receiver.url("/"))]);
    for name in deliverers.names() {
        let outcome = deliverers.test(&name, "web-03", Timestamp::from_seconds(1_763_806_800)).await;
        assert_eq!(outcome, Some(DeliveryOutcome::Delivered), "{name}");
    }
    assert_eq!(deliverers.test("x", "web-03", Timestamp::EPOCH).await, None);
    let slack: Vec<Request> = receiver.requests();
    assert!(slack[0].raw().contains("[TEST] web-03 logwren: Test alert"));
    assert_eq!(hook.requests()[0].json()["test"], true);
    assert!(server.mails()[0].header("subject").starts_with("[TEST]"));
}
