//! The answers of the HTTP interface. JSON only: log text is never markup here.

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::model::{Severity, Timestamp};
use crate::store::{IncidentFilter, IncidentLookup, Reader, StoreError};

use super::Shared;

/// Most incidents in one answer.
const MOST: u32 = 500;

/// `?severity=high&since=2026-11-22T00:00:00Z&limit=50`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    severity: Option<Severity>,
    since: Option<Timestamp>,
    limit: Option<u32>,
}

/// A page of somebody else that a browser on this host has open must not read us (DNS rebinding): the Host header has
/// to be a loopback name.
pub async fn only_from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        next.run(request).await
    } else {
        (StatusCode::MISDIRECTED_REQUEST, "ask for localhost\n").into_response()
    }
}

/// 200 while lines are committed, 503 while they cannot be.
pub async fn health(State(shared): State<Shared>) -> Response {
    let health = (shared.health)();
    let code = if health.degraded.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(health)).into_response()
}

/// The account of every source. 503 while the daemon is too busy to say.
pub async fn metrics(State(shared): State<Shared>) -> Response {
    match (shared.metrics)().await {
        Some(metrics) => ([(header::CONTENT_TYPE, super::metrics::CONTENT_TYPE)], metrics.render()).into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the daemon does not answer\n").into_response(),
    }
}

/// Incidents, newest first.
pub async fn incidents(State(shared): State<Shared>, Query(wanted): Query<Wanted>) -> Response {
    let filter = IncidentFilter {
        since: wanted.since,
        severity_at_least: wanted.severity,
        limit: Some(wanted.limit.unwrap_or(50).min(MOST)),
    };
    read(shared, move |reader| Ok(Json(reader.incidents(filter)?).into_response())).await
}

/// One incident with its findings, by id or the beginning of one.
pub async fn incident(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    read(shared, move |reader| {
        Ok(match reader.incident(&id)? {
            IncidentLookup::One { incident, findings, delivered } => {
                Json(json!({ "incident": incident, "findings": findings, "delivered": delivered })).into_response()
            }
            IncidentLookup::Several(ids) => (StatusCode::CONFLICT, Json(json!({ "several": ids }))).into_response(),
            IncidentLookup::None => {
                (StatusCode::NOT_FOUND, Json(json!({ "error": "no such incident" }))).into_response()
            }
        })
    })
    .await
}

/// SQLite blocks: away from the threads that serve.
async fn read(shared: Shared, work: impl FnOnce(Reader) -> Result<Response, StoreError> + Send + 'static) -> Response {
    let done = tokio::task::spawn_blocking(move || work(Reader::open(&shared.state_dir)?)).await;
    match done {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            tracing::warn!(%error, "cannot answer a question over HTTP");
            (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": error.to_string() }))).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
