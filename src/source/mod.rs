//! Where do lines come from? Readers that own bytes and offsets. *Not here:* meaning (parse).

mod outlet;
mod read_from;
mod text;
mod split;
mod multiline;
mod decompress;
mod files;
mod journal;
mod syslog;
mod stdin;

pub use decompress::Packing;
pub use files::{Files, FilesConfig, Limits, Pattern};
pub use journal::{Journal, JournalConfig, UnitPattern};
pub use multiline::Joiner;
pub use outlet::{Closed, FromSource, Outlet, Pulse};
pub use read_from::ReadFrom;
pub use split::{MAX_BLOCK_BYTES, MAX_LINE_BYTES, Splitter};
pub use stdin::Stdin;
pub use syslog::{Listen, Syslog, SyslogConfig};

use crate::model::Position;
use crate::registry::Component;

/// The sources there are.
pub const COMPONENTS: &[Component] = &[Files::COMPONENT, Journal::COMPONENT, Syslog::COMPONENT, Stdin::COMPONENT];

/// Something that lines come from. One file and one registry line each.
pub trait Source: Send {
    /// `files`, `journal`, `syslog` or `stdin`.
    fn name(&self) -> &'static str;

    /// Fixes where every stream stands, before READY: known positions are resumed; with `read_from = "end"` what is
    /// already there only teaches. Returns the positions to commit now. Hands over no lines and never fails: what
    /// cannot be opened is reported by `run` and retried there. `relearn`: the baseline was never completed, so what was
    /// there at the first start of a resumed stream teaches once more.
    fn open(&mut self, known: &[Position], relearn: bool) -> Vec<Position>;

    /// Hands over the learning pass (in the background of live lines), then live lines until `outlet.stopped()`.
    /// Blocks; runs on a thread of its own. Never drops a line: a full outlet makes it wait. Calls `outlet.beat()` at
    /// least every second. Sends exactly one `SourceEvent::Learned`, also when there was nothing to learn.
    fn run(self: Box<Self>, outlet: Outlet);
}
