//! The driver's word about itself and its sources, and what models have cost, in the shapes of the HTTP interface. Asks;
//! counts nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::driver::{Control, Report, Status};
use crate::llm;
use crate::model::Usage;
use crate::store::{DaySpend, Reader};
use crate::web::{Asked, Health, Metrics, ModelSpend};

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
pub fn metrics(driver: mpsc::Sender<Control>, state_dir: PathBuf, prices: llm::Config) -> Asked {
    Box::pin(async move {
        let asked = async {
            let (to, answer) = oneshot::channel();
            driver.send(Control::Report(to)).await.ok()?;
            let report = answer.await.ok()?;
            // SQLite blocks.
            let models = tokio::task::spawn_blocking(move || models(&state_dir, &prices)).await.unwrap_or_default();
            Some(shaped(report, models))
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
    })
}

/// What each model was asked for, by name.
fn models(state_dir: &Path, prices: &llm::Config) -> Vec<ModelSpend> {
    let days = match Reader::open(state_dir).and_then(|reader| reader.spend(None)) {
        Ok(days) => days,
        Err(error) => {
            tracing::warn!(%error, "cannot tell /metrics what models have cost");
            return Vec::new();
        }
    };
    let mut models: BTreeMap<String, Usage> = BTreeMap::new();
    for DaySpend { model, usage, .. } in days {
        *models.entry(model).or_default() += usage;
    }
    let spend = |(model, usage): (String, Usage)| {
        let usd = llm::cost_usd(prices, &model, &usage);
        ModelSpend { model, usage, usd }
    };
    models.into_iter().map(spend).collect()
}

fn shaped(report: Report, models: Vec<ModelSpend>) -> Metrics {
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
    Metrics { sources, gauges, models }
}
