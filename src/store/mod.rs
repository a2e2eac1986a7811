//! What survives a crash? One SQLite file, one writer, one transaction a commit.
//!
//! What was committed is never lost; what was not is read again, because positions land with their consequences.
//! *Not here:* decisions, clocks (`now` comes in), or what a fact means (`pipeline`).

mod error;
mod schema;
mod lock;
mod open;
mod copy;
mod recover;
mod writer;
mod load;
mod prune;
mod answers;
mod reader;
mod rows;

pub use answers::{Counts, DaySpend, DeadLetter, FindingFilter, IncidentFilter, IncidentLookup};
pub use error::StoreError;
pub use open::Opened;
pub use prune::Pruned;
pub use reader::Reader;
pub use writer::Store;

#[cfg(test)]
mod tests;
