//! Does a session (a block, a request, a job named by an id in its lines) go the way the others of its sort go? Learns
//! from all of them how often each kind of line is in one, and tells of those that stop half-way, repeat a step or have
//! a line that few have. *Not here:* order within a session, and processes: their pids live too long.

mod id;
mod shape;
mod detector;

pub use detector::{Config, NAME, Sessions};
