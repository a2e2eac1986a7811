//! The driver's word about itself and its sources, in the shapes of the HTTP interface. Asks; counts nothing.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::driver::{Control, Report, Status};
use crate::web::{Asked, Health, Metrics};

/// A driver that commits to a slow disk answers later; a scraper does not wait for ever.
const PATIENCE: Duration = Duration::from_secs(3);

/// For `/healthz`.
pub fn health(status: &Status) -> Health {
    Health {
        status: status.to_string(),
        degraded: status.degraded.clone(),
        lines: status.losses.each().into_iter().map(|(name, _, value)| (name, value)).collect(),
        silent_sources: status.silent_sources,
    }
}

/// For `/metrics`.
pub fn metrics(driver: mpsc::Sender<Control>) -> Asked {
    Box::pin(async move {
        let asked = async {
            let (to, answer) = oneshot::channel();
            driver.send(Control::Report(to)).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten().map(shaped)
    })
}

fn shaped(report: Report) -> Metrics {
    let Report { status, sources } = report;
    let gauges = vec![
        (
            "degraded",
            "1 while nothing can be committed, or a source is not read.",
            u64::from(status.degraded.is_some()),
        ),
        ("learning", "1 until the baseline is complete.", u64::from(status.learning)),
        ("silent_sources", "Sources that spoke regularly and are silent now.", status.silent_sources as u64),
        ("templates", "Templates known.", status.templates as u64),
        ("waiting_questions", "Kinds of lines that wait for the model.", status.waiting_questions as u64),
        ("undelivered_alerts", "Alerts that wait for delivery.", status.undelivered as u64),
    ];
    Metrics { sources, gauges }
}
