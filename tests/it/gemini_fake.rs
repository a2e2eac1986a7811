//! Is the fake Gemini as strict as the real one? What a wrong request gets, word for word.

use logwren::judge::PROMPT_VERSION;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::gemini::FakeGemini;

const PATH: &str = "/v1beta/models/gemini-3.5-flash-lite:generateContent";

/// Sends it, and says `STATUS: message` or `STATUS: text of the answer`.
async fn send(fake: &FakeGemini, method: Method, path: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let client = Client::builder().tls_certs_only([]).build().unwrap();
    let mut request = client.request(method, format!("{}{path}", fake.url())).body(body.to_string());
    request = request.header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    let message = json.pointer("/error/message").and_then(Value::as_str);
    let answer: Option<String> = json.pointer("/candidates/0/content/parts").and_then(Value::as_array).map(|parts| {
        parts.iter().filter(|part| part["thought"] != true).filter_map(|part| part["text"].as_str()).collect()
    });
    format!("{status}: {}", message.map(str::to_owned).or(answer).unwrap_or(text))
}

/// A right request with `change` made to it.
async fn changed(path: &str, change: impl FnOnce(&mut Value)) -> String {
    let fake = FakeGemini::start();
    let mut body = json!({
        "systemInstruction": {"parts": [{"text": "judge"}]},
        "contents": [{"role": "user", "parts": [{"text": "{\"nonce\":\"n\",\"items\":[{\"id\":7,\"line\":\"all fine\"}]}"}]}],
        "generationConfig": {"maxOutputTokens": 1000, "responseMimeType": "application/json"},
    });
    change(&mut body);
    send(&fake, Method::POST, path, &[("x-goog-api-key", FakeGemini::KEY)], &body).await
}

async fn check(change: impl FnOnce(&mut Value), expected: &str) {
    check_at(PATH, change, expected).await;
}

async fn check_at(path: &str, change: impl FnOnce(&mut Value), expected: &str) {
    let got = changed(path, change).await;
    assert!(got.starts_with(expected), "expected {expected}, got {got}");
}

#[tokio::test]
async fn what_is_right_is_answered() {
    assert_eq!(PROMPT_VERSION, 1);
    let answer = "200: {\"nonce\":\"n\",\"verdicts\":[{\"confidence\":0.9,\"id\":7,\"verdict\":\"normal\"}]}";
    check(|_| {}, answer).await;
    check_at(&PATH.replace("v1beta", "v1"), |_| {}, answer).await;
    check(|body| body["generationConfig"]["responseJsonSchema"] = json!({"type": "object"}), answer).await;
    check(
        |body| body["generationConfig"]["responseMimeType"] = "text/plain".into(),
        "200: Here is my judgement:\n```json",
    )
    .await;
    check(|body| body["contents"][0]["parts"][0]["text"] = "hello".into(), "200: I do not see").await;
    check(|body| body["generationConfig"]["maxOutputTokens"] = 5.into(), "200: {\"nonce\":\"n\",\"verd").await;
}

#[tokio::test]
async fn unknown_fields_and_wrong_values_are_refused() {
    let unknown = |name: &str, place: &str| {
        format!("400: Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.")
    };
    check(|body| body["system_instruction"] = json!({}), &unknown("system_instruction", "")).await;
    check(|body| body["generationConfig"]["max_tokens"] = 5.into(), &unknown("max_tokens", " at 'generation_config'"))
        .await;
    check(|body| body["contents"][0]["content"] = "x".into(), &unknown("content", " at 'contents[0]'")).await;
    check(
        |body| {
            body["generationConfig"]["responseJsonSchema"] =
                json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}})
        },
        &unknown("pattern", " at 'generation_config.response_json_schema'"),
    )
    .await;
    check(|body| body["contents"][0]["role"] = "system".into(), "400: Please use a valid role: user, model.").await;
    check(|body| body["contents"] = json!([]), "400: * GenerateContentRequest.contents: contents is not specified")
        .await;
    check(|body| body["contents"][0]["parts"] = json!([]), "400: * GenerateContentRequest.contents[0].parts").await;
    check(|body| body["generationConfig"]["temperature"] = json!(2.5), "400: temperature must be").await;
    check(|body| body["generationConfig"]["maxOutputTokens"] = 0.into(), "400: Unable to submit").await;
    check(|body| *body = json!([]), "400: Invalid JSON payload received.").await;
}

#[tokio::test]
async fn schemas_that_do_not_fit_are_refused() {
    let with = |schema: Value| move |body: &mut Value| body["generationConfig"]["responseJsonSchema"] = schema;
    let opaque = "400: Request contains an invalid argument.";
    check(with(json!({"type": "array", "maxItems": 961, "items": {"type": "string"}})), opaque).await;
    check(with(json!({"type": "array", "maxItems": 960, "items": {"type": "string"}})), "200").await;
    let ids: Vec<String> = (0..101).map(|id| id.to_string()).collect();
    check(with(json!({"type": "object", "properties": {"id": {"type": "string", "enum": ids}}})), opaque).await;
    check(
        |body| {
            body["generationConfig"]["responseJsonSchema"] = json!({"type": "object"});
            body["generationConfig"]["responseSchema"] = json!({"type": "object"});
        },
        "400: Only one of",
    )
    .await;
    check(
        |body| {
            body["generationConfig"]["responseJsonSchema"] = json!({"type": "object"});
            body["generationConfig"]["responseMimeType"] = "text/plain".into();
        },
        "400: * GenerateContentRequest.generation_config.response_schema",
    )
    .await;
}

#[tokio::test]
async fn thinking_rules_differ_by_model() {
    let level = |level: &'static str| {
        move |body: &mut Value| body["generationConfig"]["thinkingConfig"] = json!({"thinkingLevel": level})
    };
    let at = |model: &str| PATH.replace("gemini-3.5-flash-lite", model);
    check(level("minimal"), "200").await;
    check(level("MINIMAL"), "200").await;
    check(level("none"), "400: Invalid value at").await;
    check_at(&at("gemini-3.8-flash"), level("minimal"), "400: Thinking level MINIMAL is not supported").await;
    check_at(&at("gemini-3.7-flash"), level("low"), "200").await;
    check_at(&at("gemini-2.5-flash"), level("low"), "400: Thinking level is not supported").await;
    check(
        |body| body["generationConfig"]["thinkingConfig"] = json!({"thinkingLevel": "low", "thinkingBudget": 0}),
        "400: You can only set one",
    )
    .await;
}

#[tokio::test]
async fn places_and_credentials() {
    let fake = FakeGemini::start();
    let right = ("x-goog-api-key", FakeGemini::KEY);
    let body = json!({"contents": [{"parts": [{"text": "hi"}]}]});
    let post = async |path: &str, headers: &[(&str, &str)]| send(&fake, Method::POST, path, headers, &body).await;
    assert!(
        post("/v1beta/models/gemini-9:generateContent", &[right])
            .await
            .starts_with("404: models/gemini-9 is not found")
    );
    assert!(
        post("/v2/models/gemini-3.5-flash-lite:generateContent", &[right]).await.starts_with("404: <!DOCTYPE html>")
    );
    assert!(post("/v1beta/models/gemini-3.5-flash-lite:generate", &[right]).await.starts_with("404: <!DOCTYPE html>"));
    assert!(send(&fake, Method::GET, PATH, &[right], &body).await.starts_with("404: <!DOCTYPE html>"));
    assert!(post(PATH, &[]).await.starts_with("403: Method doesn't allow unregistered callers"));
    assert!(post(PATH, &[("x-goog-api-key", "no")]).await.starts_with("400: API key not valid."));
    assert!(
        post(PATH, &[("x-goog-api-key", FakeGemini::LEAKED_KEY)]).await.starts_with("403: Your API key was reported")
    );
    let query = format!("{PATH}?key={}", FakeGemini::KEY);
    assert!(post(&query, &[]).await.starts_with("200: "));
    assert!(post(&query, &[right]).await.starts_with("400: Multiple authentication credentials received."));
    assert!(post(PATH, &[right, ("authorization", "Bearer x")]).await.starts_with("400: Multiple"));
    assert!(post(PATH, &[right, ("x-server-timeout", "5")]).await.starts_with("400: Manually set deadline"));
    assert!(post(&PATH.replace("generateContent", "countTokens"), &[right]).await.contains("totalTokens"));
    assert!(
        send(&fake, Method::GET, "/v1beta/models", &[right], &json!({})).await.contains("models/gemini-3.5-flash-lite")
    );
}
