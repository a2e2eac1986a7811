//! How does a raw line become a record? By its source's format plan: a vote over the first lines picks the format, and
//! from then on a line costs one cheap parse by hand on bytes: no regex, and no allocation where the line can be borrowed.
//!
//! Never fails: what fits nothing is plain text with a note. A [`Plan`] is the only way in.
//!
//! *Not here:* reading bytes and joining lines (source), templates (mine), what a line without a level, host or time
//! gets instead (pipeline), escaping for output (deliver, report, cli).

mod config;
mod format;
mod plan;
mod cursor;
mod text;
mod stamp;
mod offset;
mod date;
mod clock;
mod level;
mod line;
mod head;
mod host;
mod tail;
mod syslog;
mod gear;
mod rfc5424;
mod journal;
mod json;
mod value;
mod fields;
mod logfmt;
mod container;
mod access;
mod error_log;
mod postgres;
mod kernel;
mod klog;
mod audit;
mod application;
mod lead;
mod component;
mod column;
mod profile;
mod layout;
mod headline;
mod alike;

#[cfg(test)]
mod tests;

pub use config::{Config, Zone};
pub use format::Format;
pub use head::Front;
pub use headline::headline;
pub use plan::{Context, Locator, Plan};
pub use tail::Reading;
