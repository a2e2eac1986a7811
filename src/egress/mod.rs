//! What left this host, exactly? The bytes of every request to a model and of every alert, with where to and when.
//!
//! A body is written down before it leaves: [`leaving`] is asked by the one place of each room that all its requests pass,
//! and without a row nothing is sent. Headers are not kept: they hold keys, and nothing of a log.
//! *Not here:* what may leave (redact), sending it (llm, deliver), state that work depends on (store).

mod book;
mod scope;

pub use book::{KEPT_BYTES, KEPT_DAYS, Ledger, LedgerError, Row};
pub use scope::{Entry, NotRecorded, leaving};
