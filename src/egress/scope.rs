//! Which ledger a request belongs to: that of the task it is sent from. Knows neither files nor sockets.

use std::future::Future;

use super::{Ledger, LedgerError};

tokio::task_local! {
    static SCOPE: Scope;
}

#[derive(Clone)]
struct Scope {
    ledger: Ledger,
    purpose: String,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// A mistake of ours: a request outside of [`Ledger::during`].
    #[error("not sent: there is no ledger to record it in")]
    NoLedger,
    #[error("not sent, as nothing leaves without a row in the ledger: {0}")]
    Ledger(#[from] LedgerError),
}

/// A row whose request is under way.
#[must_use = "say how it ended"]
pub struct Entry {
    ledger: Ledger,
    id: i64,
}

impl Ledger {
    /// Runs `doing`; what leaves meanwhile, from the same task, is recorded here for `purpose` (`model gemini`, `alert
    /// ops-slack`).
    pub async fn during<F: Future>(&self, purpose: String, doing: F) -> F::Output {
        SCOPE.scope(Scope { ledger: self.clone(), purpose }, doing).await
    }
}

/// Records that `body` is about to leave for `destination`, a host and perhaps a port.
///
/// # Errors
/// It must not be sent then.
pub fn leaving(destination: &str, body: &[u8]) -> Result<Entry, NotRecorded> {
    let scope = SCOPE.try_with(Scope::clone).map_err(|_| NotRecorded::NoLedger)?;
    let id = scope.ledger.add(&scope.purpose, destination, body)?;
    Ok(Entry { ledger: scope.ledger, id })
}

impl Entry {
    /// How it ended, in a word or two: an HTTP status, `no answer`.
    pub fn ended(self, outcome: &str) {
        // The row stands; that its end is missing is not worth a failed request.
        if let Err(error) = self.ledger.end(self.id, outcome) {
            tracing::warn!(%error, "the end of a request is not in the ledger");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_leaves_unrecorded() {
        assert!(matches!(leaving("example.com", b"x"), Err(NotRecorded::NoLedger)));
        let ledger = Ledger::memory();
        let sent = ledger
            .during("model x".to_owned(), async { leaving("example.com", b"body").map(|entry| entry.ended("200")) });
        assert!(sent.await.is_ok());
        let rows = ledger.rows(None).expect("in memory");
        assert_eq!((rows.len(), &*rows[0].purpose, &*rows[0].outcome, rows[0].bytes), (1, "model x", "200", 4));
        assert_eq!(ledger.body(rows[0].id).expect("in memory").as_deref(), Some(&b"body"[..]));
    }
}
