//! Anthropic's messages API on loopback, as strict as the real one. Judges by the same keyword table as the fake Gemini.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::gemini::http::{self, Request, Response};
use super::gemini::model;
use super::serve::{Running, serve};

/// The server. Stops when dropped.
pub struct FakeAnthropic {
    running: Running,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// Status and body of the next answers.
    scripted: VecDeque<(u16, String)>,
}

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "system",
    "messages",
    "output_config",
    "tools",
    "tool_choice",
    "metadata",
    "stream",
    "thinking",
];

impl FakeAnthropic {
    pub const KEY: &'static str = "sk-ant-api03-fake-key_for-tests-0123456789";
    /// Knows schemas and forced tools.
    pub const MODEL: &'static str = "claude-haiku-4-5";
    /// Refuses a forced tool.
    pub const NEW: &'static str = "claude-sonnet-5-5";
    /// Knows no schema.
    pub const OLD: &'static str = "claude-haiku-3-5";

    pub fn start() -> FakeAnthropic {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let running = serve(move |mut stream| {
            let state = Arc::clone(&shared);
            async move {
                while let Some(request) = http::read(&mut stream).await {
                    let response = respond(&mut lock(&state), request);
                    if !http::write(&mut stream, response).await {
                        break;
                    }
                }
            }
        });
        FakeAnthropic { running, state }
    }

    /// For `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// The next requests that the contract allows are answered so.
    pub fn answer(&self, answers: impl IntoIterator<Item = (u16, String)>) {
        lock(&self.state).scripted.extend(answers);
    }

    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state).requests.clone()
    }

    pub fn calls(&self) -> usize {
        lock(&self.state).requests.len()
    }
}

/// Anthropic's error body.
pub fn error_body(kind: &str, message: &str) -> String {
    json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).to_string()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: u16, kind: &str, message: &str) -> Response {
    Response::full(status, "application/json", &[], error_body(kind, message).as_bytes())
}

fn invalid(message: &str) -> Response {
    error(400, "invalid_request_error", message)
}

fn respond(state: &mut State, request: Request) -> Response {
    state.requests.push(request.clone());
    let body = match check(&request) {
        Ok(body) => body,
        Err(response) => return response,
    };
    if let Some((status, body)) = state.scripted.pop_front() {
        return Response::full(status, "application/json", &[], body.as_bytes());
    }
    Response::json(200, &complete(&body))
}

fn check(request: &Request) -> Result<Value, Response> {
    if request.method != "POST" || request.target != "/v1/messages" {
        return Err(error(404, "not_found_error", "Not found"));
    }
    match request.header("x-api-key") {
        Some(FakeAnthropic::KEY) => {}
        Some(wrong) => return Err(error(401, "authentication_error", &format!("invalid x-api-key {wrong}"))),
        None => return Err(error(401, "authentication_error", "x-api-key header is required")),
    }
    if request.header("authorization").is_some() {
        return Err(invalid("only one of x-api-key and authorization may be set"));
    }
    if request.header("anthropic-version") != Some("2023-06-01") {
        return Err(invalid("anthropic-version: header is required"));
    }
    let body = request.json();
    let fields = body.as_object().ok_or_else(|| invalid("The request body is not valid JSON"))?;
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(invalid(&format!("{name}: Extra inputs are not permitted")));
    }
    if body["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        return Err(invalid("max_tokens: Field required"));
    }
    let user = &body["messages"][0];
    if user["role"] != "user" || user["content"].as_str().is_none_or(str::is_empty) {
        return Err(invalid("messages: at least one message is required"));
    }
    let model = body["model"].as_str().unwrap_or_default();
    if ![FakeAnthropic::MODEL, FakeAnthropic::NEW, FakeAnthropic::OLD].contains(&model) {
        return Err(error(404, "not_found_error", &format!("model: {model}")));
    }
    if let Some(config) = body.get("output_config") {
        if model == FakeAnthropic::OLD {
            return Err(invalid("output_config: Extra inputs are not permitted"));
        }
        if config["format"]["type"] != "json_schema" {
            return Err(invalid("output_config.format.type: Input should be 'json_schema'"));
        }
        closed(&config["format"]["schema"])?;
    }
    if body.get("tool_choice").is_some() {
        if model == FakeAnthropic::NEW {
            return Err(invalid("tool_choice: forced tool use is not supported for this model"));
        }
        if body["tool_choice"]["name"] != body["tools"][0]["name"]
            || body["tools"][0]["input_schema"]["type"] != "object"
        {
            return Err(invalid("tool_choice: Tool 'verdicts' not found in provided tools"));
        }
    }
    Ok(body)
}

/// What structured outputs want of every object.
fn closed(schema: &Value) -> Result<(), Response> {
    if schema["type"] == "object" && schema["additionalProperties"] != false {
        let message =
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false";
        return Err(invalid(message));
    }
    for inner in schema["properties"].as_object().into_iter().flat_map(|properties| properties.values()) {
        closed(inner)?;
    }
    schema.get("items").map_or(Ok(()), closed)
}

fn complete(body: &Value) -> Value {
    let user = body["messages"][0]["content"].as_str().unwrap_or_default();
    let system = body["system"].as_str().unwrap_or_default();
    let document: Option<Value> = serde_json::from_str(user).ok();
    let verdicts = model::judge(document.as_ref(), None, None).unwrap_or_else(|| json!("I see no document."));
    let limit = body["max_tokens"].as_u64().unwrap_or(0);
    let mut text = verdicts.to_string();
    let needed = (text.len() as u64).div_ceil(4);
    let cut = needed > limit;
    text.truncate(text.floor_char_boundary(usize::try_from(limit * 4).unwrap_or(usize::MAX).min(text.len())));
    let (block, stop) = if body.get("tool_choice").is_some() {
        (json!({"type": "tool_use", "id": "toolu_1", "name": "verdicts", "input": verdicts}), "tool_use")
    } else if body.get("output_config").is_some() {
        (json!({"type": "text", "text": text}), "end_turn")
    } else {
        (json!({"type": "text", "text": format!("Here is the JSON you asked for:\n```json\n{text}\n```")}), "end_turn")
    };
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"],
        "content": [{"type": "thinking", "thinking": "Let me {see}.", "signature": "x"}, block],
        "stop_reason": if cut { "max_tokens" } else { stop }, "stop_sequence": null,
        "usage": {"input_tokens": (system.len() + user.len()) / 4, "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0, "output_tokens": needed.min(limit)},
    })
}
