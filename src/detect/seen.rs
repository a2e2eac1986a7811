//! One line as detectors see it. A view only: owns nothing, decides nothing.

use std::sync::Arc;

use super::Words;
use crate::model::{Evidence, Kind, KindId, Level, Phase, Timestamp};

/// Built for a kind's first line, a new shape of it, its first line after the template generalized, and every line of
/// the kinds some detector wants.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub kind: &'a Kind,
    pub kind_id: KindId,
    pub template_text: &'a str,
    /// The line after its header. Hostile.
    pub message: &'a str,
    /// Of the message.
    pub words: &'a Words,
    pub unit: Option<&'a str>,
    pub pid: Option<u32>,
    pub host: &'a Arc<str>,
    /// Event time, monotone per source and never far in the future (the pipeline clamps it).
    pub time: Timestamp,
    /// Which stream: a path, `journal`, `stdin`.
    pub origin: &'a Arc<str>,
    /// Byte offset of the line in that stream.
    pub offset: u64,
    pub phase: Phase,
    /// First time this program says this template.
    pub new_template: bool,
    /// First line of this kind ever (state of earlier runs included).
    pub new_kind: bool,
    /// For a new kind of a known template: the worst level at which this program said the template before.
    pub known_level: Option<Level>,
    /// Lines of this kind so far, this one included.
    pub count: u64,
    /// Text of the nearest other known template, for novelty.
    pub nearest: Option<&'a str>,
}

impl Seen<'_> {
    /// This line as evidence of a finding.
    pub fn evidence(&self) -> Evidence {
        Evidence {
            time: self.time,
            host: Arc::clone(self.host),
            program: Arc::clone(&self.kind.program),
            level: self.kind.level,
            origin: Arc::clone(self.origin),
            offset: self.offset,
            line: Evidence::clip(self.message),
        }
    }
}
