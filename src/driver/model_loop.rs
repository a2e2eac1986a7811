//! Carries requests to the model, one at a time, as the rate limit allows. Decides nothing about them.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::llm::Client;
use crate::model::JudgeRequest;

use super::FromPeer;

/// Runs until the driver is gone. A reload swaps the client between two requests.
pub async fn run(
    mut client: watch::Receiver<Option<Arc<Client>>>,
    to_driver: mpsc::Sender<FromPeer>,
    mut requests: mpsc::Receiver<JudgeRequest>,
) {
    loop {
        let current = client.borrow_and_update().clone();
        let Some(current) = current else {
            // No key: nothing to do until a reload brings one.
            if client.changed().await.is_err() {
                return;
            }
            continue;
        };
        current.ready().await;
        if to_driver.send(FromPeer::JudgeReady).await.is_err() {
            return;
        }
        let Some(request) = requests.recv().await else { return };
        // A reload may have brought another client meanwhile.
        let current = client.borrow().clone().unwrap_or(current);
        let judged = current.ask(request).await;
        if to_driver.send(FromPeer::Judged(judged)).await.is_err() {
            return;
        }
    }
}
