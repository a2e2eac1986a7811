//! How do lines become templates? By typed masks and a tree of templates behind a table of shapes.
//!
//! A message is hashed to its shape, in which words with digits all look alike; a known shape is a known template, and
//! that is all that happens to nearly every line. An unknown shape is scanned into tokens with typed placeholders and
//! compared with the templates of its length. A source that makes templates without end gets fewer and coarser ones.
//! *Not here:* headers (parse), counting and times (detect).

mod miner;
mod config;
mod shape;
mod classify;
mod widest;
mod tail;
mod prepare;
mod table;
mod scan;
mod quote;
mod flag;
mod list;
mod key;
mod mask;
mod value;
mod tree;
mod shelf;
mod template;
mod evidence;
mod growth;
mod nearest;
mod hash;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use growth::{Detail, Growth};
pub use miner::{Change, Health, Merge, Mined, Miner};
pub use prepare::{Part, Prepared, PreparedLine};
pub use tail::Tails;
