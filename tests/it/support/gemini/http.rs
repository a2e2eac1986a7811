//! Just enough HTTP/1.1 to be rude with: requests in, any sequence of bytes and waits out. No TLS, no HTTP/2.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What is done on the connection, step by step.
pub struct Response {
    pub steps: Vec<Step>,
    /// Another request may follow.
    pub keep_alive: bool,
}

pub enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// These bytes over and over, so many times.
    Repeat(Vec<u8>, usize),
    /// RST instead of FIN.
    Reset,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON, `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    /// The JSON document inside the user turn.
    pub fn document(&self) -> Value {
        let json = self.json();
        let text = json.pointer("/contents/0/parts/0/text").and_then(Value::as_str).unwrap_or_default();
        serde_json::from_str(text).unwrap_or(Value::Null)
    }
}

impl Response {
    pub fn json(status: u16, body: &Value) -> Response {
        Response::full(status, "application/json; charset=UTF-8", &[], body.to_string().as_bytes())
    }

    pub fn html(status: u16, body: &str) -> Response {
        Response::full(status, "text/html; charset=UTF-8", &[], body.as_bytes())
    }

    pub fn full(status: u16, content_type: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut bytes = head(status, content_type, headers, Some(body.len()));
        bytes.extend_from_slice(body);
        Response { steps: vec![Step::Send(bytes)], keep_alive: true }
    }

    pub fn steps(steps: Vec<Step>) -> Response {
        Response { steps, keep_alive: false }
    }
}

/// Status line and headers with the empty line.
pub fn head(status: u16, content_type: &str, headers: &[(&str, &str)], length: Option<usize>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} x\r\nContent-Type: {content_type}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = length {
        text.push_str(&format!("Content-Length: {length}\r\n"));
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// The next request of a connection; none when it ended.
pub async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > 64 * 1024 || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method, target, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// False when the connection is over.
pub async fn write(stream: &mut TcpStream, response: Response) -> bool {
    for step in response.steps {
        let sent = match step {
            Step::Send(bytes) => stream.write_all(&bytes).await,
            Step::Wait(time) => {
                // A client that gave up must not keep the server waiting.
                let mut nothing = [0u8; 1];
                tokio::select! {
                    () = tokio::time::sleep(time) => Ok(()),
                    _ = stream.read(&mut nothing) => return false,
                }
            }
            Step::Repeat(bytes, times) => {
                let mut result = Ok(());
                for _ in 0..times {
                    result = stream.write_all(&bytes).await;
                    if result.is_err() {
                        break;
                    }
                }
                result
            }
            Step::Reset => {
                // Unread input or zero linger makes the kernel send RST.
                let _ = stream.set_zero_linger();
                return false;
            }
        };
        if sent.is_err() {
            return false;
        }
    }
    response.keep_alive
}
