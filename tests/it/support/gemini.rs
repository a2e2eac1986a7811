//! Google Gemini on loopback: a real HTTP server that refuses what Google refuses and fails as Google fails.
//!
//! It judges by a keyword table, obeys injected instructions when told to be gullible, and records every request.
//! Runs on a thread of its own, so that blocking tests of the binary can use it too. Must not be kinder than the API.

mod contract;
mod faults;
mod http;
mod model;

pub use faults::Fault;
pub use http::Request;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

type Oracle = dyn Fn(&Value) -> Option<Value> + Send;
type FaultRule = dyn Fn(&Value) -> Option<Fault> + Send;

/// The server. Stops when dropped.
pub struct FakeGemini {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
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
    oracle: Option<Box<Oracle>>,
    gullible: bool,
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
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async move {
                    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                    tell.send(listener.local_addr().expect("an address")).expect("the test waits");
                    tokio::select! {
                        () = serve(listener, state) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        let address = told.recv().expect("the server starts");
        FakeGemini { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// For `base_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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

    /// From now on obeys whatever a log line tells it.
    pub fn be_gullible(&self) {
        self.lock().gullible = true;
    }

    /// Another model answers than the one asked.
    pub fn reroute(&self, model: &str) {
        self.lock().rerouted = Some(model.to_owned());
    }

    /// Every request so far, refused ones included.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// How many requests came so far.
    pub fn calls(&self) -> usize {
        self.lock().requests.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for FakeGemini {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            while let Some(request) = http::read(&mut stream).await {
                let response = respond(&state, request);
                if !http::write(&mut stream, response).await {
                    break;
                }
            }
        });
    }
}

/// The contract first: a scripted fault must not hide a request that Google would refuse.
fn respond(state: &Mutex<State>, request: Request) -> http::Response {
    let mut state = lock(state);
    state.requests.push(request.clone());
    let call = match contract::check(&request) {
        Ok(contract::Call::Generate(call)) => call,
        Ok(contract::Call::Models(body) | contract::Call::CountTokens(body)) => return http::Response::json(200, &body),
        Err(response) => return response,
    };
    let document = call.document();
    let scripted = state.faults.pop_front().or(state.always);
    let fault = scripted.or_else(|| state.rule.as_ref()?(document.as_ref()?));
    let mut verdicts = model::judge(document.as_ref(), state.gullible, state.oracle.as_deref());
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
