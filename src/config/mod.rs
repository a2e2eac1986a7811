//! What did the operator write, and is it right? *Not here:* defaults of a room (each room's Config).

mod read;

pub use read::{Problem, Reading, read};
