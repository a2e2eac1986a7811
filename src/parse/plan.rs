//! Which format the lines of one source have: a vote over the first lines, then one parse a line. Lines that do not fit
//! are looked at afresh; where they become many, the vote is held again.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::model::{Header, Medium, Timestamp};

use super::clock::{Clock, OffsetCache};
use super::format::Format;
use super::layout::{Layout, Profile};
use super::line::{self, Setting};

/// Lines that vote.
const VOTERS: usize = 24;
/// Lines looked at by [`Plan::prime`].
const PRIMERS: usize = 64;
/// Every so many lines of a settled plan the misfits are counted up.
const REVIEW_LINES: u32 = 64;
/// So many misfits among them call for a new vote.
const REVIEW_MISFITS: u32 = 32;

/// What lines are read against. The same for all lines of a plan: make a new plan when the zone changes.
#[derive(Clone, Debug)]
pub struct Context {
    /// Zone of stamps that carry none.
    pub zone: TimeZone,
    /// Our own host name. Only tells a host from a message; lines without a host stay without.
    pub host: Arc<str>,
}

/// How the lines of one source are parsed. One for each stream; cheap to clone once it is settled.
#[derive(Clone, Debug)]
pub struct Plan {
    forced: Option<Format>,
    phase: Phase,
    cache: OffsetCache,
    /// Of the lines inside a container format.
    inner: Option<Box<Plan>>,
    /// An inner plan knows no containers: nothing nests twice.
    is_inner: bool,
}

#[derive(Clone, Debug)]
enum Phase {
    Voting {
        votes: [u8; Format::ALL.len()],
        /// Of the lines that voted for `application`.
        profiles: Vec<Profile>,
    },
    Settled {
        format: Format,
        layout: Option<Arc<Layout>>,
        /// Since the last review.
        lines: u32,
        misfits: u32,
    },
}

impl Plan {
    /// `forced` is `format =` of the source's config; journal lines need none.
    pub fn new(medium: Medium, forced: Option<Format>) -> Plan {
        let forced = match medium {
            Medium::Journal => Some(Format::JournalJson),
            Medium::File | Medium::Stdin => forced,
        };
        Plan::with(forced, false)
    }

    fn with(forced: Option<Format>, is_inner: bool) -> Plan {
        // A forced `application` still has columns to learn.
        let phase = match forced {
            Some(format) if format != Format::Application => settled(format, None),
            _ => voting(),
        };
        Plan { forced, phase, cache: OffsetCache::default(), inner: None, is_inner }
    }

    /// Lets the first lines of a block vote before any of them is parsed, so that the first line is read as the last one
    /// is. Does nothing once the plan is settled.
    pub fn prime<'l>(&mut self, lines: impl IntoIterator<Item = &'l [u8]>, reference: Timestamp, context: &Context) {
        if matches!(self.phase, Phase::Settled { .. }) {
            return;
        }
        let mut trial = Plan::with(self.forced, self.is_inner);
        for line in lines.into_iter().take(PRIMERS) {
            trial.parse(line, reference, context);
        }
        // An early end is no decision: the lines vote again, one by one, when they are parsed.
        if matches!(trial.phase, Phase::Settled { .. }) {
            *self = trial;
        }
    }

    /// Parses one line; never fails. `reference` is the newest plausible time of the line (the file's mtime, or now): it
    /// settles missing years and dates.
    pub fn parse<'a>(&mut self, line: &'a [u8], reference: Timestamp, context: &Context) -> Header<'a> {
        let (winner, layout) = match &self.phase {
            Phase::Settled { format, layout, .. } => (Some(*format), layout.clone()),
            Phase::Voting { .. } => (None, None),
        };
        let mut setting = Setting {
            clock: Clock::new(&context.zone, reference, &mut self.cache),
            own_host: &context.host,
            trusted: winner.is_some() || self.forced.is_some(),
            layout: layout.as_deref(),
        };
        let fitting = winner.or(self.forced).and_then(|format| Some((format, line::parse(format, line, &mut setting)?)));
        let fits = fitting.is_some();
        let (format, mut header) = match fitting {
            Some((Format::Plain, header)) if self.forced.is_none() => {
                // A plain log may hold lines that are better than that.
                setting.trusted = false;
                detect(line, self.is_inner, &mut setting).unwrap_or((Format::Plain, header))
            }
            Some(found) => found,
            None => {
                setting.trusted = false;
                let found = if self.forced.is_some() { None } else { detect(line, self.is_inner, &mut setting) };
                found.unwrap_or_else(|| (Format::Plain, line::plain(line)))
            }
        };
        let is_blank = line.trim_ascii().is_empty();
        header.notes.fallback = format == Format::Plain && !is_blank && winner.or(self.forced).is_some_and(|winner| winner != Format::Plain);
        if !is_blank {
            self.count(format, fits, line);
        }
        match format {
            Format::Cri | Format::Docker => self.unwrap(header, reference, context),
            _ => header,
        }
    }

    /// The format settled on; `Plain` while the vote is open.
    pub fn format(&self) -> Format {
        match (&self.phase, self.forced) {
            (Phase::Settled { format, .. }, _) => *format,
            (Phase::Voting { .. }, Some(format)) => format,
            (Phase::Voting { .. }, None) => Format::Plain,
        }
    }

    /// Whether the format is certain: forced, or voted for by enough lines.
    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Settled { .. })
    }

    fn count(&mut self, found: Format, fits: bool, line: &[u8]) {
        match &mut self.phase {
            Phase::Voting { votes, profiles } => {
                if found == Format::Application {
                    profiles.push(Profile::of(line));
                }
                if let Some(votes) = votes.get_mut(found as usize) {
                    *votes += 1;
                }
                if votes.iter().map(|votes| usize::from(*votes)).sum::<usize>() >= VOTERS {
                    self.settle();
                }
            }
            Phase::Settled { format, lines, misfits, .. } => {
                let is_misfit = !fits || found != *format;
                *lines += 1;
                *misfits += u32::from(is_misfit);
                if *lines < REVIEW_LINES {
                    return;
                }
                let is_wrong = *misfits > REVIEW_MISFITS && self.forced.is_none();
                (*lines, *misfits) = (0, 0);
                if is_wrong {
                    self.phase = voting();
                }
            }
        }
    }

    /// Takes the format with the most votes; of equal ones the more demanding.
    fn settle(&mut self) {
        let Phase::Voting { votes, profiles } = &self.phase else { return };
        let most = votes.iter().copied().max().unwrap_or(0);
        let voted = Format::ALL.into_iter().zip(votes).find(|(_, votes)| **votes == most).map(|(format, _)| format);
        let format = self.forced.or(voted).unwrap_or(Format::Plain);
        let layout = if format == Format::Application { Layout::learn(profiles).map(Arc::new) } else { None };
        self.phase = settled(format, layout);
    }

    /// Reads the line inside a container's line; what the outer one says of the time counts.
    fn unwrap<'a>(&mut self, outer: Header<'a>, reference: Timestamp, context: &Context) -> Header<'a> {
        let plan = self.inner.get_or_insert_with(|| Box::new(Plan::with(None, true)));
        let mut inner = match outer.message {
            std::borrow::Cow::Borrowed(text) => plan.parse(text.as_bytes(), reference, context),
            std::borrow::Cow::Owned(text) => line::into_owned(plan.parse(text.as_bytes(), reference, context)),
        };
        inner.notes.lossy |= outer.notes.lossy;
        inner.notes.odd_field |= outer.notes.odd_field;
        if outer.time.is_some() {
            inner.time = outer.time;
            inner.notes.guessed_time = outer.notes.guessed_time;
        }
        inner.format = outer.format;
        inner
    }
}

fn voting() -> Phase {
    Phase::Voting { votes: [0; Format::ALL.len()], profiles: Vec::new() }
}

fn settled(format: Format, layout: Option<Arc<Layout>>) -> Phase {
    Phase::Settled { format, layout, lines: 0, misfits: 0 }
}

/// Tries every format a line of this first byte could have; `None` leaves it plain.
fn detect<'a>(line: &'a [u8], is_inner: bool, setting: &mut Setting) -> Option<(Format, Header<'a>)> {
    let first = *line.trim_ascii_start().first()?;
    Format::ALL
        .into_iter()
        .filter(|format| starts_with(*format, first) && !(is_inner && matches!(format, Format::Cri | Format::Docker)))
        .find_map(|format| line::parse(format, line, setting).map(|header| (format, header)))
}

/// Whether a line of this format may start with this byte.
fn starts_with(format: Format, first: u8) -> bool {
    match format {
        Format::Rfc3164 => first == b'<' || first.is_ascii_uppercase(),
        Format::Rfc5424 => first == b'<',
        Format::Rfc3339 => first == b'<' || first.is_ascii_digit(),
        Format::JournalJson | Format::Docker | Format::Json => first == b'{',
        Format::Cri | Format::NginxError | Format::Postgres => first.is_ascii_digit(),
        Format::Access => first.is_ascii_alphanumeric() || first == b':',
        Format::ApacheError => first == b'[',
        Format::Klog => first.is_ascii_uppercase(),
        Format::Kernel => matches!(first, b'[' | b'<'),
        Format::Audit => first.is_ascii_lowercase(),
        Format::Logfmt => first.is_ascii_alphabetic() || matches!(first, b'_' | b'@'),
        Format::Application => true,
        Format::Plain => false,
    }
}
