//! Servers that speak OpenAI's chat completions on loopback, each as strict as the one it stands for.
//!
//! They judge by the same keyword table as the fake Gemini. Must not be kinder than the real ones.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::gemini::http::{self, Request, Response};
use super::gemini::model;
use super::serve::{Running, serve};

/// Whose habits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flavor {
    /// Wants a key and `max_completion_tokens`, refuses every unknown field and a temperature.
    OpenAi,
    /// Ignores what it does not know.
    Ollama,
    /// `python -m llama_cpp.server`: knows `json_object` only, and says so with a 500.
    LlamaPython,
    /// Counts the output budget against a context of 4096 tokens.
    Vllm,
    /// An old server that knows no `response_format` at all.
    Bare,
    /// As `Bare`, without a word of why.
    Mute,
}

/// The server. Stops when dropped.
pub struct FakeOpenAi {
    running: Running,
    state: Arc<Mutex<State>>,
}

struct State {
    flavor: Flavor,
    requests: Vec<Request>,
    /// Status and body of the next answers.
    scripted: VecDeque<(u16, String)>,
}

impl FakeOpenAi {
    pub const KEY: &'static str = "sk-proj-fake-key_for-tests-0123456789";
    /// Exists everywhere.
    pub const MODEL: &'static str = "gpt-6-luna";
    /// Exists too.
    pub const OTHER: &'static str = "gpt-4o-mini";

    pub fn start(flavor: Flavor) -> FakeOpenAi {
        let state = Arc::new(Mutex::new(State { flavor, requests: Vec::new(), scripted: VecDeque::new() }));
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
        FakeOpenAi { running, state }
    }

    /// For `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.running.address)
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

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn respond(state: &mut State, request: Request) -> Response {
    state.requests.push(request.clone());
    let asked = match check(state.flavor, &request) {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    if let Some((status, body)) = state.scripted.pop_front() {
        return Response::full(status, "application/json", &[], body.as_bytes());
    }
    Response::json(200, &complete(&asked))
}

/// OpenAI's error body.
pub fn error_body(code: &str, message: &str) -> String {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}}).to_string()
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::full(status, "application/json", &[], error_body(code, message).as_bytes())
}

/// A request that the server would take.
struct Asked {
    model: String,
    system: String,
    user: String,
    is_json: bool,
    limit: u64,
}

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_completion_tokens",
    "temperature",
    "reasoning_effort",
    "response_format",
    "seed",
    "stream",
];

fn check(flavor: Flavor, request: &Request) -> Result<Asked, Response> {
    if request.method != "POST" || request.target != "/v1/chat/completions" {
        return Err(Response::full(404, "text/plain", &[], b"404 page not found"));
    }
    match (flavor, request.header("authorization")) {
        (Flavor::OpenAi, Some(value)) if value == format!("Bearer {}", FakeOpenAi::KEY) => {}
        (Flavor::OpenAi, Some(wrong)) => {
            // Echoes what it got: it must not show up anywhere.
            return Err(error(401, "invalid_api_key", &format!("Incorrect API key provided: {wrong}.")));
        }
        (Flavor::OpenAi, None) => return Err(error(401, "", "You didn't provide an API key.")),
        (_, _) => {}
    }
    let body = request.json();
    let Some(fields) = body.as_object() else { return Err(error(400, "", "We could not parse the JSON body.")) };
    if flavor == Flavor::OpenAi {
        if body.get("max_tokens").is_some() {
            let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
            return Err(error(400, "unsupported_parameter", message));
        }
        if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(error(400, "unknown_parameter", &format!("Unknown parameter: '{name}'.")));
        }
        if body.get("temperature").is_some_and(|temperature| temperature != 1) {
            let message = "Unsupported value: 'temperature' does not support this value with this model.";
            return Err(error(400, "unsupported_value", message));
        }
    }
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    if ![FakeOpenAi::MODEL, FakeOpenAi::OTHER].contains(&model.as_str()) {
        return Err(error(
            404,
            "model_not_found",
            &format!("The model `{model}` does not exist or you do not have access to it."),
        ));
    }
    let text_of = |role: &str| -> String {
        let messages = body["messages"].as_array().into_iter().flatten();
        messages.filter(|message| message["role"] == role).filter_map(|message| message["content"].as_str()).collect()
    };
    let (system, user) = (text_of("system"), text_of("user"));
    if user.is_empty() {
        return Err(error(400, "", "Invalid 'messages': empty array."));
    }
    let limit = body["max_completion_tokens"].as_u64().or(body["max_tokens"].as_u64()).unwrap_or(u64::MAX);
    let prompt_tokens = tokens(&system) + tokens(&user);
    if flavor == Flavor::Vllm && prompt_tokens.saturating_add(limit) > 4_096 {
        let message =
            format!("This model's maximum context length is 4096 tokens. However, you requested {limit} tokens.");
        return Err(error(400, "", &message));
    }
    let is_json = format(flavor, &body["response_format"], &format!("{system}{user}"))?;
    Ok(Asked { model, system, user, is_json, limit })
}

/// Whether the answer has to be JSON.
fn format(flavor: Flavor, format: &Value, messages: &str) -> Result<bool, Response> {
    if format.is_null() {
        return Ok(false);
    }
    let refused = |message: &str| Err(error(400, "", message));
    match (flavor, format["type"].as_str().unwrap_or_default()) {
        (Flavor::Bare, _) => refused("response_format is not supported by this server"),
        (Flavor::Mute, _) => Err(Response::full(400, "application/json", &[], b"{\"error\":\"bad request\"}")),
        (Flavor::LlamaPython, "json_schema") => Err(Response::full(
            500,
            "application/json",
            &[],
            json!({"error": {"message": "[{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'msg': \"Input should be 'text' or 'json_object'\"}]",
                "type": "internal_server_error", "param": null, "code": null}})
            .to_string()
            .as_bytes(),
        )),
        (_, "json_schema") => {
            let named = &format["json_schema"];
            let name = named["name"].as_str().unwrap_or_default();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
                return refused("Invalid 'response_format.json_schema.name': string does not match pattern.");
            }
            if named["schema"]["type"] != "object" {
                return refused("Invalid schema for response_format 'verdicts': schema must be a JSON Schema of 'type: \"object\"'");
            }
            if named.to_string().contains("propertyOrdering") {
                return refused("Invalid schema for response_format 'verdicts': unknown keyword 'propertyOrdering'");
            }
            Ok(true)
        }
        (flavor, "json_object") => {
            if flavor == Flavor::OpenAi && format.get("schema").is_some() {
                return refused("Unknown parameter: 'response_format.schema'.");
            }
            if !messages.to_lowercase().contains("json") {
                return refused("'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.");
            }
            Ok(true)
        }
        (_, other) => refused(&format!("Invalid value: '{other}'. Supported values are: 'json_object', 'json_schema', and 'text'.")),
    }
}

fn complete(asked: &Asked) -> Value {
    let document: Option<Value> = serde_json::from_str(&asked.user).ok();
    let mut text = match model::judge(document.as_ref(), None, None) {
        Some(verdicts) if asked.is_json => verdicts.to_string(),
        Some(verdicts) => format!("<think>Let me {{see}}.</think>Here is my judgement:\n```json\n{verdicts}\n```\n"),
        None => "I do not see a JSON document with items.".to_owned(),
    };
    let needed = tokens(&text);
    let finish = if needed > asked.limit { "length" } else { "stop" };
    let kept = usize::try_from(asked.limit.saturating_mul(4)).unwrap_or(usize::MAX).min(text.len());
    text.truncate(text.floor_char_boundary(kept));
    let (prompt_tokens, completion_tokens) = (tokens(&asked.system) + tokens(&asked.user), needed.min(asked.limit));
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": asked.model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null}, "logprobs": null,
            "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens, "prompt_tokens_details": {"cached_tokens": 0}},
    })
}

fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}
