//! What can be asked over HTTP? How the daemon is, and what happened, as JSON, for scripts and probes on this host.
//!
//! Reads the store, changes nothing, and listens only where the config says. *Not here:* state of its own (store), pages
//! for people (report).

mod answer;
mod metrics;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use metrics::{Metrics, ModelSpend};

/// `[web]`: off by default.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen, as `127.0.0.1:9119`. Loopback only: incidents quote log lines, and there is no login.
    #[serde(deserialize_with = "loopback", skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
}

/// What the handlers need.
#[derive(Clone)]
struct Shared {
    state_dir: Arc<PathBuf>,
    /// One line about the running daemon, and why it is unwell when it is.
    health: Arc<dyn Fn() -> Health + Send + Sync>,
    /// Asks the running daemon; `None` when it does not answer in time.
    metrics: Arc<dyn Fn() -> Asked + Send + Sync>,
}

/// The daemon's answer to a scrape, some day.
pub type Asked = Pin<Box<dyn Future<Output = Option<Metrics>> + Send>>;

/// How the daemon is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Health {
    pub status: String,
    /// Why nothing can be committed now. `None` is healthy.
    pub degraded: Option<String>,
    /// Over all sources since the start, by the names of `/metrics`.
    pub lines: BTreeMap<&'static str, u64>,
    /// Sources that spoke regularly and are silent now.
    pub silent_sources: usize,
}

/// Opens the port; [`serve`] then answers on it.
///
/// # Errors
/// The address is taken or not ours.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until `stop`.
pub async fn serve(
    listener: TcpListener,
    state_dir: PathBuf,
    health: impl Fn() -> Health + Send + Sync + 'static,
    metrics: impl Fn() -> Asked + Send + Sync + 'static,
    stop: CancellationToken,
) {
    let shared = Shared { state_dir: Arc::new(state_dir), health: Arc::new(health), metrics: Arc::new(metrics) };
    let router = Router::new()
        .route("/healthz", get(answer::health))
        .route("/metrics", get(answer::metrics))
        .route("/api/incidents", get(answer::incidents))
        .route("/api/incidents/{id}", get(answer::incident))
        .layer(axum::middleware::from_fn(answer::only_from_here))
        .with_state(shared);
    let served = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "the HTTP interface has ended; watching goes on");
    }
}

fn loopback<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(Some(address)),
        Ok(_) => Err(serde::de::Error::custom(format!(
            "`{text}` is not a loopback address; allowed: 127.0.0.1:PORT or [::1]:PORT (put a proxy with a login in front)"
        ))),
        Err(_) => Err(serde::de::Error::custom(format!("`{text}` is no address; write it like \"127.0.0.1:9119\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        let listen = |text: &str| toml::from_str::<Config>(&format!("listen = '{text}'")).map(|config| config.listen);
        assert!(listen("127.0.0.1:9119").is_ok_and(|listen| listen.is_some()));
        assert!(listen("[::1]:9119").is_ok());
        assert!(listen("0.0.0.0:9119").is_err_and(|error| error.to_string().contains("loopback")));
        assert!(listen("localhost").is_err_and(|error| error.to_string().contains("no address")));
        assert_eq!(toml::from_str::<Config>(""), Ok(Config::default()));
    }
}
