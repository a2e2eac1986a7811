//! What became of the lines of one source: the honest account of what was read and what was not as it should be.

/// Counts since the process started. Names and help texts are those of the `/metrics` page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SourceCounts {
    pub lines: u64,
    /// Of `lines`, those whose consequences are durable; the others are read again after a kill.
    pub committed: u64,
    /// Cut at the line cap.
    pub truncated: u64,
    /// Invalid UTF-8 replaced.
    pub lossy: u64,
    /// Places where lines were or may have been lost.
    pub gaps: u64,
    /// Stamped well before a line that came earlier.
    pub late: u64,
    /// Said by another source already, and counted once.
    pub repeated: u64,
    /// Did not match the format of their source.
    pub fallback: u64,
    /// Times it could not be read.
    pub unreadable: u64,
    /// Bytes of overlong lines beyond the cap.
    pub skipped_bytes: u64,
    /// Times it fell silent although it used to speak regularly.
    pub silences: u64,
}

impl SourceCounts {
    /// Name (without `logwren_` and `_total`), help and value of each count.
    pub fn each(&self) -> [(&'static str, &'static str, u64); 11] {
        let SourceCounts {
            lines,
            committed,
            truncated,
            lossy,
            gaps,
            late,
            repeated,
            fallback,
            unreadable,
            skipped_bytes,
            silences,
        } = *self;
        [
            ("lines", "Lines read.", lines),
            ("committed_lines", "Lines read whose consequences are durable.", committed),
            ("truncated_lines", "Lines cut at the line cap.", truncated),
            ("lossy_lines", "Lines with invalid UTF-8, replaced.", lossy),
            ("gaps", "Places where lines were or may have been lost.", gaps),
            ("late_lines", "Lines stamped well before a line that came earlier.", late),
            ("repeated_lines", "Lines that another source had said already, counted once.", repeated),
            ("fallback_lines", "Lines that did not match the format of their source.", fallback),
            ("unreadable", "Times the source could not be read.", unreadable),
            ("skipped_bytes", "Bytes of overlong lines beyond the cap.", skipped_bytes),
            ("silences", "Times the source fell silent although it used to speak regularly.", silences),
        ]
    }

    /// Adds what another source, or another part of this one, counted.
    pub fn add(&mut self, other: &SourceCounts) {
        self.lines += other.lines;
        self.committed += other.committed;
        self.truncated += other.truncated;
        self.lossy += other.lossy;
        self.gaps += other.gaps;
        self.late += other.late;
        self.repeated += other.repeated;
        self.fallback += other.fallback;
        self.unreadable += other.unreadable;
        self.skipped_bytes += other.skipped_bytes;
        self.silences += other.silences;
    }
}
