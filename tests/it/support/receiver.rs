//! Stands for a webhook receiver or for Slack's incoming webhooks: records requests, answers as scripted, and otherwise
//! refuses what the real one refuses. HTTP/1.1, one request a connection.
//!
//! Slack's rules: docs.slack.dev, "Block Kit reference" and "Sending messages using incoming webhooks".

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use rustls::ServerConfig;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::TlsAcceptor;

use super::serve::{Running, Seen, Stream, serve};

/// What the receiver insists on.
#[derive(Clone, Default)]
pub struct Contract {
    /// Slack's shape instead of the webhook's.
    pub slack: bool,
    /// Requests must be signed with it.
    pub secret: Option<&'static str>,
    /// The Authorization header must be this.
    pub authorization: Option<&'static str>,
    pub tls: Option<Arc<ServerConfig>>,
}

/// A running receiver.
pub struct Receiver {
    running: Running,
    seen: Seen<Request>,
    script: Arc<Mutex<VecDeque<Reply>>>,
    scheme: &'static str,
}

/// A request as it came, and what it was answered.
#[derive(Clone, Debug)]
pub struct Request {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub answered: u16,
}

/// One scripted answer.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    pub delay: Duration,
}

impl Reply {
    pub fn status(status: u16, body: &str) -> Reply {
        Reply { status, body: body.to_owned(), ..Reply::default() }
    }
}

impl Receiver {
    pub fn start(contract: Contract) -> Receiver {
        let seen = Seen::default();
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let scheme = if contract.tls.is_some() { "https" } else { "http" };
        let (log, replies) = (seen.clone(), script.clone());
        let running = serve(move |stream| {
            let (contract, log, replies) = (contract.clone(), log.clone(), replies.clone());
            async move {
                let stream: Box<dyn Stream> = match &contract.tls {
                    Some(config) => match TlsAcceptor::from(config.clone()).accept(stream).await {
                        Ok(stream) => Box::new(stream),
                        // The client did not like the certificate.
                        Err(_) => return,
                    },
                    None => Box::new(stream),
                };
                // A client that hangs up early is the test's business, not the server's.
                let _ = answer(stream, &contract, &log, &replies).await;
            }
        });
        Receiver { running, seen, script, scheme }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.running.address)
    }

    /// Answers the next requests with these instead, in order.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().expect("no server thread panicked").extend(replies);
    }

    pub fn requests(&self) -> Vec<Request> {
        self.seen.all()
    }

    /// For what takes its time by design.
    #[track_caller]
    pub fn wait_for_within(&self, count: usize, limit: Duration) -> Vec<Request> {
        self.seen.wait_for(count, limit)
    }

    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Request> {
        self.seen.wait_for(count, Duration::from_secs(20))
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    /// Everything that came, for "is it in there anywhere".
    pub fn raw(&self) -> String {
        format!("{}\n{:?}\n{}", self.line, self.headers, String::from_utf8_lossy(&self.body))
    }
}

async fn answer(
    stream: Box<dyn Stream>,
    contract: &Contract,
    seen: &Seen<Request>,
    script: &Mutex<VecDeque<Reply>>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut request = read_request(&mut stream).await?;
    let scripted = script.lock().expect("no server thread panicked").pop_front();
    let reply = match scripted {
        Some(reply) => reply,
        None => match check(&request, contract) {
            Ok(()) if contract.slack => Reply::status(200, "ok"),
            Ok(()) => Reply::status(204, ""),
            Err((status, body)) => Reply::status(status, &body),
        },
    };
    request.answered = reply.status;
    seen.push(request);
    tokio::time::sleep(reply.delay).await;
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if reply.status != 204 {
        head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
    }
    stream.write_all(format!("{head}\r\n{}", reply.body).as_bytes()).await?;
    stream.shutdown().await
}

async fn read_request(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<Request> {
    let mut head = vec![];
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = head
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request { line: head.first().cloned().unwrap_or_default(), headers, body: vec![], answered: 0 };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await?;
    Ok(request)
}

fn check(request: &Request, contract: &Contract) -> Result<(), (u16, String)> {
    let refuse = |status, words: &str| Err((status, words.to_owned()));
    if !request.line.starts_with("POST ") {
        return refuse(405, "POST only");
    }
    if !request.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return refuse(if contract.slack { 400 } else { 415 }, "invalid_payload");
    }
    let Ok(json) = serde_json::from_slice::<Value>(&request.body) else {
        return refuse(400, "invalid_payload");
    };
    if contract.slack {
        return check_slack(&json).map_err(|word| (400, word.to_owned()));
    }
    if contract.authorization.is_some_and(|expected| request.header("authorization") != Some(expected)) {
        return refuse(401, "wrong authorization");
    }
    if contract.secret.is_some_and(|secret| !is_signed(request, secret)) {
        return refuse(401, "wrong signature");
    }
    if json["version"] != 1 || json["alert_id"].as_str().is_none_or(str::is_empty) {
        return refuse(400, "no version or alert_id");
    }
    if request.header("idempotency-key") != json["alert_id"].as_str() {
        return refuse(400, "Idempotency-Key is not the alert_id");
    }
    if !["new", "ongoing", "escalating", "quiet", "regressed"].contains(&json["state"].as_str().unwrap_or_default()) {
        return refuse(400, "unknown state");
    }
    let incident = &json["incident"];
    for key in ["id", "severity", "category", "host", "program", "title", "first_seen", "last_seen", "reason"] {
        if !incident[key].is_string() {
            return refuse(400, &format!("incident.{key} is no string"));
        }
    }
    if !incident["count"].is_u64() || !incident["remediation"].is_array() || !incident["evidence"].is_array() {
        return refuse(400, "incident.count, remediation or evidence has the wrong type");
    }
    let judged_by = incident["judged_by"].as_str().unwrap_or_default();
    if !["rule:", "detector:", "model:"].iter().any(|prefix| judged_by.starts_with(prefix)) {
        return refuse(400, "unknown judged_by");
    }
    Ok(())
}

/// `v1=` hex HMAC-SHA256 of `timestamp "." body`, not older than five minutes. Written from the documentation, not with
/// the code under test.
fn is_signed(request: &Request, secret: &str) -> bool {
    let (Some(timestamp), Some(signature)) =
        (request.header("x-logwren-timestamp"), request.header("x-logwren-signature"))
    else {
        return false;
    };
    let now = jiff::Timestamp::now().as_second();
    if timestamp.parse::<i64>().map_or(true, |then| (now - then).abs() > 300) {
        return false;
    }
    let Some(hex) = signature.strip_prefix("v1=").filter(|hex| hex.len() == 64) else { return false };
    let bytes: Option<Vec<u8>> =
        (0..32).map(|at| hex.get(at * 2..at * 2 + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(&request.body);
    bytes.is_some_and(|bytes| mac.verify_slice(&bytes).is_ok())
}

fn check_slack(json: &Value) -> Result<(), &'static str> {
    let Some(object) = json.as_object() else { return Err("invalid_payload") };
    let text = object.get("text").and_then(Value::as_str).unwrap_or_default();
    let Some(blocks) = object.get("blocks") else {
        return if text.is_empty() { Err("no_text") } else { Ok(()) };
    };
    let blocks = blocks.as_array().ok_or("invalid_blocks")?;
    let fine = blocks.len() <= 50 && blocks.iter().all(is_block);
    if fine { Ok(()) } else { Err("invalid_blocks") }
}

fn is_block(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("header") => is_text(&block["text"], 150) && block["text"]["type"] == "plain_text",
        Some("section") => is_text(&block["text"], 3_000),
        Some("context") => block["elements"].as_array().is_some_and(|elements| {
            (1..=10).contains(&elements.len()) && elements.iter().all(|element| is_text(element, 3_000))
        }),
        Some("divider") => true,
        // Blocks we do not send; the real one knows more.
        _ => false,
    }
}

/// A text object: known keys only, 1 to `max` characters (counted as UTF-16 units, the strictest reading).
fn is_text(object: &Value, max: usize) -> bool {
    let allowed: &[&str] = match object["type"].as_str() {
        Some("plain_text") => &["type", "text", "emoji"],
        Some("mrkdwn") => &["type", "text", "verbatim"],
        _ => return false,
    };
    let known = object.as_object().is_some_and(|object| object.keys().all(|key| allowed.contains(&key.as_str())));
    let length = object["text"].as_str().map_or(0, |text| text.encode_utf16().count());
    known && (1..=max).contains(&length)
}
