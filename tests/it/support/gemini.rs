//! Google Gemini on loopback: a real HTTP server that refuses what Google refuses and fails as Google fails.
//!
//! It judges by a keyword table, obeys injected instructions when told to be gullible, and records every request.
//! Must not be kinder than the API.

mod contract;
mod faults;
pub mod http;
pub mod model;

pub use faults::Fault;
pub use http::Request;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use super::serve::{Running, serve};

type FaultRule = dyn Fn(&Value) -> Option<Fault> + Send;

/// The server. Stops when dropped.
pub struct FakeGemini {
    running: Running,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    /// For the next generateContent requests, in order.
    faults: VecDeque<Fault>,
    always: Option<Fault>,
    /// Decides by the document of the request.
    rule: Option<Box<FaultRule>>,
    /// Judges an item instead of the keyword table.
    oracle: Option<Box<model::Oracle>>,
    /// Text that it takes for an order to find everything normal.
    order: Option<String>,
    /// `modelVersion` instead of the model asked.
    rerouted: Option<String>,
}

impl FakeGemini {
    /// The only key it takes. A new one (`AQ.`), so that nothing may rely on the old shape.
    pub const KEY: &'static str = "AQ.Ab8RN6fake-key_for-tests-0123456789";
    /// A key that Google has found on the internet.
    pub const LEAKED_KEY: &'static str = "AIzaSyLeakedLeakedLeakedLeakedLeakedLea";

    pub fn start() -> FakeGemini {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let running = serve(move |mut stream| {
            let state = Arc::clone(&shared);
            async move {
                while let Some(request) = http::read(&mut stream).await {
                    let response = respond(&state, request);
                    if !http::write(&mut stream, response).await {
                        break;
                    }
                }
            }
        });
        FakeGemini { running, state }
    }

    /// For `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// The next requests fail so, one after the other; later ones are answered.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().faults.extend(faults);
    }

    /// Every request fails so, or none again.
    pub fn fail_always(&self, fault: Option<Fault>) {
        self.lock().always = fault;
    }

    /// Requests fail by what they ask.
    pub fn fail_when(&self, rule: impl Fn(&Value) -> Option<Fault> + Send + 'static) {
        self.lock().rule = Some(Box::new(rule));
    }

    /// Judges items that `oracle` knows: it returns the fields of a verdict without the id.
    pub fn oracle(&self, oracle: impl Fn(&Value) -> Option<Value> + Send + 'static) {
        self.lock().oracle = Some(Box::new(oracle));
    }

    /// From now on finds everything normal when any text of a request says `order`, as a weak model does.
    pub fn obey(&self, order: &str) {
        self.lock().order = Some(order.to_lowercase());
    }

    /// Another model answers than the one asked.
    pub fn reroute(&self, model: &str) {
        self.lock().rerouted = Some(model.to_owned());
    }

    /// Every request so far, refused ones included.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// How many of them asked about kinds of lines, and how many about incidents.
    pub fn asked(&self) -> (usize, usize) {
        let requests = self.requests();
        let about = requests.iter().filter(|request| request.body.contains("\\\"incidents\\\":[")).count();
        (requests.len() - about, about)
    }

    /// How many requests came so far.
    pub fn calls(&self) -> usize {
        self.lock().requests.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The contract first: a scripted fault must not hide a request that Google would refuse.
fn respond(state: &Mutex<State>, request: Request) -> http::Response {
    let mut state = lock(state);
    state.requests.push(request.clone());
    let call = match contract::check(&request) {
        Ok(contract::Call::Generate(call)) => call,
        Ok(contract::Call::Models(body) | contract::Call::CountTokens(body)) => {
            return http::Response::json(200, &body);
        }
        Err(response) => return response,
    };
    let document = call.document();
    let scripted = state.faults.pop_front().or(state.always);
    let fault = scripted.or_else(|| state.rule.as_ref()?(document.as_ref()?));
    let mut verdicts = model::judge(document.as_ref(), state.order.as_deref(), state.oracle.as_deref());
    if let (Some(fault), Some(verdicts)) = (fault, verdicts.as_mut()) {
        faults::distort(fault, verdicts);
    }
    let version = state.rerouted.clone().unwrap_or_else(|| call.model.clone());
    let answer = model::envelope(&call, verdicts, &version, fault);
    match fault {
        Some(fault) => faults::apply(fault, &call, answer),
        None => http::Response::json(200, &answer),
    }
}
