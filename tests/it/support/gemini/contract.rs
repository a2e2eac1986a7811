//! What Google refuses, and with which words. Messages are those seen in the wild.

use serde_json::{Map, Value, json};

use super::FakeGemini;
use super::http::{Request, Response};

/// Models that exist. The rest is 404.
const MODELS: &[&str] = &[
    "gemini-4-argon",
    "gemini-3.8-flash",
    "gemini-3.7-flash",
    "gemini-3.6-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.1-flash-lite",
    "gemini-2.5-flash",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-flash-lite-latest",
];

const TOP: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "cachedContent",
    "labels",
    "serviceTier",
    "store",
    "continuationToken",
    "generationConfig",
];
const GENERATION: &[&str] = &[
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "temperature",
    "topP",
    "topK",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "thinkingConfig",
];
const THINKING: &[&str] = &["includeThoughts", "thinkingBudget", "thinkingLevel"];
const CONTENT: &[&str] = &["role", "parts"];
const PART: &[&str] = &["text", "thought", "inlineData", "fileData", "functionCall", "functionResponse"];
const SAFETY: &[&str] = &["category", "threshold"];
const SCHEMA: &[&str] = &[
    "$id",
    "$defs",
    "$ref",
    "$anchor",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

/// A request that Google would take.
pub enum Call {
    Generate(Generate),
    Models(Value),
    CountTokens(Value),
}

/// A valid generateContent request.
pub struct Generate {
    pub model: String,
    pub user: String,
    pub system: String,
    pub has_schema: bool,
    pub is_json: bool,
    pub max_output_tokens: u64,
    /// Tokens it will think.
    pub thoughts: u64,
}

impl Generate {
    /// The user turn as the one JSON document it should be.
    pub fn document(&self) -> Option<Value> {
        serde_json::from_str(&self.user).ok().filter(Value::is_object)
    }
}

/// Google's error body.
pub fn error(code: u16, status: &str, message: &str, details: Vec<Value>) -> Response {
    Response::json(code, &error_body(code, status, message, details))
}

pub fn error_body(code: u16, status: &str, message: &str, details: Vec<Value>) -> Value {
    let mut error = json!({"code": code, "message": message, "status": status});
    if !details.is_empty() {
        error["details"] = details.into();
    }
    json!({ "error": error })
}

pub fn check(request: &Request) -> Result<Call, Response> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let rest = path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/")).ok_or_else(not_here)?;
    if rest == "models" && request.method == "GET" {
        credentials(request, query)?;
        let models: Vec<Value> = MODELS.iter().map(|name| json!({"name": format!("models/{name}")})).collect();
        return Ok(Call::Models(json!({ "models": models })));
    }
    let (model, verb) = rest.strip_prefix("models/").and_then(|rest| rest.split_once(':')).ok_or_else(not_here)?;
    if request.method != "POST" || !["generateContent", "countTokens"].contains(&verb) {
        return Err(not_here());
    }
    credentials(request, query)?;
    if request.header("content-type").is_none_or(|kind| !kind.starts_with("application/json")) {
        return Err(invalid("Invalid content type. Expected application/json."));
    }
    if request
        .header("x-server-timeout")
        .and_then(|value| value.parse::<u64>().ok())
        .is_some_and(|seconds| seconds < 10)
    {
        return Err(invalid("Manually set deadline 5s is too short. Minimum allowed deadline is 10s."));
    }
    let Value::Object(body) = request.json() else {
        return Err(invalid("Invalid JSON payload received. Expected an object."));
    };
    if verb == "countTokens" {
        return Ok(Call::CountTokens(json!({"totalTokens": request.body.len() / 4})));
    }
    if !MODELS.contains(&model) {
        return Err(error(
            404,
            "NOT_FOUND",
            &format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. \
                 Call ListModels to see the list of available models and their supported methods."
            ),
            vec![],
        ));
    }
    generate(model, &body).map(Call::Generate)
}

fn credentials(request: &Request, query: &str) -> Result<(), Response> {
    let in_query = query.split('&').find_map(|pair| pair.strip_prefix("key="));
    let in_bearer = request.header("authorization");
    let headers: Vec<&str> =
        request.headers.iter().filter(|(name, _)| name == "x-goog-api-key").map(|(_, value)| value.as_str()).collect();
    let given: Vec<&str> = headers.into_iter().chain(in_query).chain(in_bearer).collect();
    match given.as_slice() {
        [] => Err(error(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity). \
             Please use API Key or other form of API consumer identity to call this API.",
            vec![],
        )),
        [FakeGemini::KEY] => Ok(()),
        [FakeGemini::LEAKED_KEY] => Err(error(
            403,
            "PERMISSION_DENIED",
            "Your API key was reported as leaked. Please use another API key.",
            vec![],
        )),
        // Echoes what it got, as some proxies do: it must not show up anywhere.
        [wrong] => Err(error(
            400,
            "INVALID_ARGUMENT",
            &format!("API key not valid. Please pass a valid API key. ({wrong})"),
            vec![
                json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com", "metadata": {"service": "generativelanguage.googleapis.com"}}),
                json!({"@type": "type.googleapis.com/google.rpc.LocalizedMessage", "locale": "en-US",
                    "message": "API key not valid. Please pass a valid API key."}),
            ],
        )),
        _ => Err(invalid("Multiple authentication credentials received. Please pass only one.")),
    }
}

fn generate(model: &str, body: &Map<String, Value>) -> Result<Generate, Response> {
    known(body, TOP, "")?;
    let contents = body.get("contents").and_then(Value::as_array).filter(|contents| !contents.is_empty());
    let contents = contents.ok_or_else(|| invalid("* GenerateContentRequest.contents: contents is not specified"))?;
    let mut user = String::new();
    for content in contents {
        let role = content.get("role").and_then(Value::as_str).unwrap_or("user");
        if !["user", "model"].contains(&role) {
            return Err(invalid("Please use a valid role: user, model."));
        }
        user.push_str(&text_of(content, "contents[0]")?);
    }
    let system = match body.get("systemInstruction") {
        Some(content) => text_of(content, "system_instruction")?,
        None => String::new(),
    };
    if let Some(settings) = body.get("safetySettings") {
        for setting in settings.as_array().ok_or_else(opaque)? {
            known(setting.as_object().ok_or_else(opaque)?, SAFETY, "safety_settings[0]")?;
        }
    }
    let empty = Map::new();
    let config = match body.get("generationConfig") {
        Some(config) => config.as_object().ok_or_else(opaque)?,
        None => &empty,
    };
    known(config, GENERATION, "generation_config")?;
    let max_output_tokens = match config.get("maxOutputTokens") {
        Some(number) => number.as_u64().filter(|number| (1..=65_536).contains(number)).ok_or_else(|| {
            invalid("Unable to submit request because it has a maxOutputTokens value out of the supported range from 1 to 65536.")
        })?,
        None => 65_536,
    };
    if config.get("temperature").and_then(Value::as_f64).is_some_and(|number| !(0.0..=2.0).contains(&number)) {
        return Err(invalid("temperature must be in the range [0.0, 2.0]."));
    }
    let thoughts = thinking(model, config)?;
    let mime = config.get("responseMimeType").and_then(Value::as_str).unwrap_or("text/plain");
    if !["text/plain", "application/json", "text/x.enum"].contains(&mime) {
        return Err(invalid(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are `text/plain`, `application/json`, `text/x.enum`.",
        ));
    }
    let schemas = [config.get("responseSchema"), config.get("responseJsonSchema")];
    if schemas.iter().flatten().count() == 2 {
        return Err(invalid("Only one of response_schema and response_json_schema may be set."));
    }
    let schema = schemas.into_iter().flatten().next();
    if let Some(schema) = schema {
        if mime != "application/json" {
            return Err(invalid(
                "* GenerateContentRequest.generation_config.response_schema: only allowed when response_mime_type is application/json.",
            ));
        }
        let mut size = SchemaSize::default();
        size.add(schema)?;
        // The constrained decoder's state does not fit: refused without a word of why.
        if size.max_items > 960 || size.enum_values > 100 {
            return Err(opaque());
        }
    }
    Ok(Generate {
        model: model.to_owned(),
        user,
        system,
        has_schema: schema.is_some(),
        is_json: mime == "application/json",
        max_output_tokens,
        thoughts,
    })
}

/// Tokens it will think under this config, or the refusal.
fn thinking(model: &str, config: &Map<String, Value>) -> Result<u64, Response> {
    let old = model.starts_with("gemini-2.5");
    let Some(thinking) = config.get("thinkingConfig") else {
        return Ok(if old || model.contains("lite") { 0 } else { 600 });
    };
    let thinking = thinking.as_object().ok_or_else(opaque)?;
    known(thinking, THINKING, "generation_config.thinking_config")?;
    let level = thinking.get("thinkingLevel").and_then(Value::as_str).map(str::to_lowercase);
    let budget = thinking.get("thinkingBudget").and_then(Value::as_i64);
    match (level.as_deref(), budget) {
        (Some(_), Some(_)) => Err(invalid("You can only set one of thinking budget and thinking level.")),
        (Some(_), None) if old => Err(invalid("Thinking level is not supported for this model.")),
        (Some("minimal"), None) if model.starts_with("gemini-3.7") || model.starts_with("gemini-3.8") => Err(invalid(
            "Thinking level MINIMAL is not supported for this model. Allowed values are: medium, low, high.",
        )),
        (Some("minimal"), None) => Ok(0),
        (Some("low"), None) => Ok(100),
        (Some("medium"), None) => Ok(600),
        (Some("high"), None) => Ok(3_000),
        (Some(other), None) => Err(invalid(&format!(
            "Invalid value at 'generation_config.thinking_config.thinking_level' (type.googleapis.com/google.ai.generativelanguage.v1beta.ThinkingConfig.ThinkingLevel), \"{other}\""
        ))),
        // A budget of 0 does not switch thinking off on 3.x.
        (None, Some(0)) => Ok(if old { 0 } else { 200 }),
        (None, Some(budget)) => Ok(u64::try_from(budget).unwrap_or(600)),
        (None, None) => Ok(600),
    }
}

#[derive(Default)]
struct SchemaSize {
    max_items: u64,
    enum_values: usize,
}

impl SchemaSize {
    fn add(&mut self, schema: &Value) -> Result<(), Response> {
        let Some(object) = schema.as_object() else { return Err(opaque()) };
        known(object, SCHEMA, "generation_config.response_json_schema")?;
        self.max_items += object.get("maxItems").and_then(Value::as_u64).unwrap_or(0);
        self.enum_values += object.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        for inner in object.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::values) {
            self.add(inner)?;
        }
        if let Some(items) = object.get("items") {
            self.add(items)?;
        }
        for inner in ["anyOf", "oneOf", "prefixItems"].iter().filter_map(|name| object.get(*name)?.as_array()).flatten()
        {
            self.add(inner)?;
        }
        Ok(())
    }
}

fn text_of(content: &Value, place: &str) -> Result<String, Response> {
    let content = content.as_object().ok_or_else(opaque)?;
    known(content, CONTENT, place)?;
    let parts = content.get("parts").and_then(Value::as_array).filter(|parts| !parts.is_empty());
    let parts = parts
        .ok_or_else(|| invalid("* GenerateContentRequest.contents[0].parts: contents.parts must not be empty."))?;
    let mut text = String::new();
    for part in parts {
        let part = part.as_object().ok_or_else(opaque)?;
        known(part, PART, &format!("{place}.parts[0]"))?;
        text.push_str(part.get("text").and_then(Value::as_str).ok_or_else(opaque)?);
    }
    Ok(text)
}

fn known(object: &Map<String, Value>, names: &[&str], place: &str) -> Result<(), Response> {
    let Some(name) = object.keys().find(|name| !names.contains(&name.as_str())) else { return Ok(()) };
    let at = if place.is_empty() { String::new() } else { format!(" at '{place}'") };
    let message = format!("Invalid JSON payload received. Unknown name \"{name}\"{at}: Cannot find field.");
    let details = json!({"@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": place, "description": message}]});
    Err(error(400, "INVALID_ARGUMENT", &message, vec![details]))
}

pub fn invalid(message: &str) -> Response {
    error(400, "INVALID_ARGUMENT", message, vec![])
}

/// The bare refusal.
pub fn opaque() -> Response {
    invalid("Request contains an invalid argument.")
}

fn not_here() -> Response {
    Response::html(
        404,
        "<!DOCTYPE html>\n<html lang=en>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> <ins>That’s an error.</ins>",
    )
}
