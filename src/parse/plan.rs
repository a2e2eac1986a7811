//! Which format the lines of one source have: a vote over the first lines, then one parse a line. Lines that do not fit
//! are looked at afresh; where they become many, the vote is held again.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::model::{Header, Medium, Notes, Timestamp};

use super::alike;
use super::clock::{self, Clock, OffsetCache};
use super::format::Format;
use super::head::{Front, Heads};
use super::layout::Layout;
use super::line::{self, Setting};
use super::profile::Profile;
use super::tail::{self, Reading};

/// Lines that vote.
const VOTERS: u32 = 24;
/// Where an application's log wins, this many of its lines are looked at to learn its columns, but not more than
/// [`VOTERS_MAX`] in all.
const LEARNERS: usize = 16;
const VOTERS_MAX: u32 = 96;
/// Lines without a header are often the continuation of one with: they win only above this share of the votes (in 1/8).
const PLAIN_SHARE: u32 = 6;
/// Every so many lines of a settled plan the lines that fit and those of another format are counted up.
const REVIEW_LINES: u32 = 64;

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
    heads: Heads,
    /// Of the lines inside a container format.
    inner: Option<Box<Plan>>,
    /// An inner plan knows no containers: nothing nests twice.
    is_inner: bool,
    /// Changes with the phase.
    generation: u32,
}

/// Guesses where the tails of lines begin, apart from the plan it came from: for work that is done before it is the
/// line's turn. What it says must agree with [`Plan::front`], or counts for nothing.
#[derive(Clone, Debug, Default)]
pub struct Locator {
    heads: Heads,
}

impl Locator {
    #[inline]
    pub fn tail_at(&mut self, line: &[u8]) -> Option<usize> {
        self.heads.tail_at(line)
    }

    /// As [`Plan::hosts_version`].
    pub fn hosts_version(&self) -> u32 {
        self.heads.version()
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Voting {
        votes: [u32; Format::ALL.len()],
        /// Of the lines that voted for `application` or `plain`.
        profiles: Vec<Profile>,
        /// Lines that vote: [`VOTERS`], or more where they are at hand.
        voters: u32,
    },
    Settled {
        format: Format,
        layout: Option<Arc<Layout>>,
        /// Since the last review: all lines, those that fit, those of another format.
        lines: u32,
        fits: u32,
        foreign: u32,
    },
}

impl Plan {
    /// `forced` is `format =` of the source's config; journal lines need none.
    pub fn new(medium: Medium, forced: Option<Format>) -> Plan {
        let forced = match medium {
            Medium::Journal => Some(Format::JournalJson),
            Medium::File | Medium::Syslog | Medium::Stdin => forced,
        };
        Plan::with(forced, false)
    }

    fn with(forced: Option<Format>, is_inner: bool) -> Plan {
        // A forced `application` still has columns to learn.
        let phase = match forced {
            Some(Format::Application) | None => voting(),
            Some(format) => settled(format, None),
        };
        Plan {
            forced,
            phase,
            cache: OffsetCache::default(),
            heads: Heads::default(),
            inner: None,
            is_inner,
            generation: 0,
        }
    }

    /// Lets the first lines of a block vote before any of them is parsed, so that the first line is read as the last one
    /// is. Does nothing once the plan is settled.
    pub fn prime<'l>(&mut self, lines: impl IntoIterator<Item = &'l [u8]>, reference: Timestamp, context: &Context) {
        if matches!(self.phase, Phase::Settled { .. }) {
            return;
        }
        let mut trial = Plan::with(self.forced, self.is_inner);
        trial.generation = self.generation;
        if let Phase::Voting { voters, .. } = &mut trial.phase {
            *voters = VOTERS_MAX;
        }
        for line in lines.into_iter().take(VOTERS_MAX as usize) {
            trial.parse(line, reference, context);
        }
        trial.decide(VOTERS);
        // An early end is no decision: the lines vote again, one by one, when they are parsed.
        if matches!(trial.phase, Phase::Settled { .. }) {
            *self = trial;
        }
    }

    /// Parses one line; never fails. `reference` is the newest plausible time of the line (the file's mtime, or now): it
    /// settles missing years and dates.
    pub fn parse<'a>(&mut self, line: &'a [u8], reference: Timestamp, context: &Context) -> Header<'a> {
        let (expected, layout) = match &self.phase {
            Phase::Settled { format, layout, .. } => (Some(*format), layout.clone()),
            Phase::Voting { .. } => (self.forced, None),
        };
        // A log voted plain may hold lines that are better than that.
        let is_open = expected.is_none() || expected == Some(Format::Plain) && self.forced.is_none();
        let mut setting = Setting {
            clock: Clock::new(&context.zone, reference, &mut self.cache),
            heads: &mut self.heads,
            own_host: &context.host,
            trusted: !is_open,
            layout: layout.as_deref(),
        };
        if let Some(format) = expected
            && !is_open
            && let Some(header) = line::parse(format, line, &mut setting)
        {
            self.count(format, line);
            if !is_container(format) {
                return header;
            }
            return self.opened(format, header, reference, context);
        }
        setting.trusted = false;
        let found = if self.forced.is_some() { None } else { detect(line, self.is_inner, &mut setting) };
        let (format, mut header) = found.unwrap_or_else(|| (Format::Plain, line::plain(line)));
        if !line.trim_ascii().is_empty() {
            header.notes.fallback = format == Format::Plain && !is_open;
            self.count(format, line);
        }
        self.opened(format, header, reference, context)
    }

    /// What stands in front of the tag, where the line begins as those before it: nothing of that is parsed again, and
    /// the tail may be known. `None` costs nothing but a [`Plan::parse`], which says the same.
    #[inline]
    pub fn front(&mut self, line: &[u8], reference: Timestamp) -> Option<Front> {
        match self.phase {
            Phase::Settled { format: Format::Rfc3164 | Format::Rfc3339, .. } => {
                self.heads.front(line, clock::rounded(reference))
            }
            Phase::Settled { .. } | Phase::Voting { .. } => None,
        }
    }

    /// The same where a [`Locator`] of this [`Plan::hosts_version`] told that the tail begins at `end`.
    #[inline(always)]
    pub fn front_before(&mut self, line: &[u8], reference: Timestamp, end: usize) -> Option<Front> {
        if self.has_fronts() { self.heads.front_before(line, clock::rounded(reference), end) } else { None }
    }

    /// Which hosts a locator that is made now knows.
    pub fn hosts_version(&self) -> u32 {
        self.heads.version()
    }

    /// What a line was parsed to, for all lines of its shape, from the tag on, behind the same front; `None` where its
    /// shape does not tell.
    pub fn reading(&self, line: &[u8], front: &Front, header: &Header<'_>) -> Option<Reading> {
        Reading::of(line.get(front.end..)?, header)
    }

    /// What [`Plan::parse`] would say of such a line, and counts it; `None` costs nothing but a parse.
    #[inline]
    pub fn read_again<'a>(&mut self, line: &'a [u8], front: &Front, reading: &Reading) -> Option<Header<'a>> {
        let line = std::str::from_utf8(line).ok()?;
        let (program, pid, message) = reading.again(line.get(front.end..)?)?;
        let header = Header {
            time: Some(front.time),
            level: reading.level(),
            host: Some(Cow::Borrowed(line.get(front.host.0..front.host.1)?)),
            program: Cow::Borrowed(program),
            pid,
            unit: None,
            message: Cow::Borrowed(message),
            format: self.format().name(),
            notes: Notes { guessed_time: front.guessed_time, ..Notes::default() },
        };
        self.count_known();
        Some(header)
    }

    /// Where the tail of a line begins if only the time of it is new. A guess; what [`Plan::front`] says counts.
    #[inline]
    pub fn tail_at(&mut self, line: &[u8]) -> Option<usize> {
        self.heads.tail_at(line)
    }

    /// Whether [`Plan::front`] can ever say something, as things are.
    pub fn has_fronts(&self) -> bool {
        matches!(self.phase, Phase::Settled { format: Format::Rfc3164 | Format::Rfc3339, .. })
    }

    /// Whether all lines of this shape, from the tag on, have the same message but for words with digits, behind the same
    /// front.
    pub fn tells_message_by_shape(&self, line: &[u8], front: &Front, header: &Header<'_>) -> bool {
        line.get(front.end..).is_some_and(|tail| tail::is_message_read_by_shape(tail, header))
    }

    /// How many bytes of this line decide, digit by digit, where its message is, as long as [`Plan::generation`] stays;
    /// `None` where nothing like that holds. `header` is what the parse of the line gave.
    pub fn exact_part(&self, line: &[u8], header: &Header<'_>) -> Option<usize> {
        let format = header.format.parse().ok().filter(|_| self.is_settled())?;
        alike::exact_part(format, line, header)
    }

    /// Which of the ways to read lines this is. Lines are read in another way when it changes.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Counts a line that was not parsed, because one like it was.
    pub fn count_again(&mut self, format: Format) {
        if format == self.format() { self.count_known() } else { self.count(format, b"") }
    }

    /// Counts a line that was not parsed, because one of its shape was.
    #[inline]
    pub fn count_known(&mut self) {
        if let Phase::Settled { lines, fits, .. } = &mut self.phase
            && *lines + 1 < REVIEW_LINES
        {
            *lines += 1;
            *fits += 1;
            return;
        }
        self.count(self.format(), b"");
    }

    /// Guesses where tails begin, with what is known now.
    pub fn locator(&self) -> Locator {
        match self.phase {
            Phase::Settled { format: Format::Rfc3164 | Format::Rfc3339, .. } => Locator { heads: self.heads.clone() },
            Phase::Settled { .. } | Phase::Voting { .. } => Locator::default(),
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

    fn count(&mut self, found: Format, line: &[u8]) {
        match &mut self.phase {
            Phase::Voting { votes, profiles, voters } => {
                if matches!(found, Format::Application | Format::Plain) {
                    profiles.push(Profile::of(line));
                }
                if let Some(votes) = votes.get_mut(found as usize) {
                    *votes += 1;
                }
                let voters = *voters;
                self.decide(voters);
            }
            Phase::Settled { format, lines, fits, foreign, .. } => {
                *lines += 1;
                *fits += u32::from(found == *format);
                *foreign += u32::from(found != *format && found != Format::Plain);
                if *lines < REVIEW_LINES {
                    return;
                }
                // Plain lines alone do not unseat a format: a long stack trace is not a new format.
                let is_wrong = self.forced.is_none() && (*fits == 0 || *foreign > REVIEW_LINES / 2);
                (*lines, *fits, *foreign) = (0, 0, 0);
                if is_wrong {
                    self.phase = voting();
                    self.generation += 1;
                }
            }
        }
    }

    /// Ends the vote where enough lines voted.
    fn decide(&mut self, voters: u32) {
        let Phase::Voting { votes, profiles, .. } = &self.phase else { return };
        let total: u32 = votes.iter().sum();
        let winner = self.forced.unwrap_or_else(|| winner(votes));
        let is_learnt = winner != Format::Application || profiles.len() >= LEARNERS || total >= VOTERS_MAX;
        if total < voters || !is_learnt {
            return;
        }
        // Lines with the same columns are an application's, even where no single line tells.
        let is_candidate = winner == Format::Application
            || winner == Format::Plain && self.forced.is_none() && profiles.len() as u32 * 4 >= total * 3;
        let layout = if is_candidate { Layout::learn(profiles).map(Arc::new) } else { None };
        let winner = if layout.is_some() { Format::Application } else { winner };
        self.phase = settled(winner, layout);
        self.generation += 1;
    }

    /// Reads the line inside a container's line; what the outer one says of the time counts.
    fn opened<'a>(&mut self, format: Format, outer: Header<'a>, reference: Timestamp, context: &Context) -> Header<'a> {
        if !is_container(format) {
            return outer;
        }
        let plan = self.inner.get_or_insert_with(|| Box::new(Plan::with(None, true)));
        let mut inner = match outer.message {
            Cow::Borrowed(text) => plan.parse(text.as_bytes(), reference, context),
            Cow::Owned(text) => line::into_owned(plan.parse(text.as_bytes(), reference, context)),
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

/// Whether a line of this format holds another line.
fn is_container(format: Format) -> bool {
    matches!(format, Format::Cri | Format::Docker)
}

fn voting() -> Phase {
    Phase::Voting { votes: [0; Format::ALL.len()], profiles: Vec::new(), voters: VOTERS }
}

fn settled(format: Format, layout: Option<Arc<Layout>>) -> Phase {
    Phase::Settled { format, layout, lines: 0, fits: 0, foreign: 0 }
}

/// The format with the most votes; of equal ones the more demanding.
fn winner(votes: &[u32; Format::ALL.len()]) -> Format {
    let total: u32 = votes.iter().sum();
    let counted = || Format::ALL.into_iter().zip(votes.iter().copied());
    let plain: u32 = counted().filter(|(format, _)| *format == Format::Plain).map(|(_, votes)| votes).sum();
    if plain * 8 > total * PLAIN_SHARE {
        return Format::Plain;
    }
    let most = counted().filter(|(format, _)| *format != Format::Plain).map(|(_, votes)| votes).max().unwrap_or(0);
    counted()
        .find(|(format, votes)| *format != Format::Plain && *votes == most && most > 0)
        .map_or(Format::Plain, |(format, _)| format)
}

/// Tries every format a line of this first byte could have; `None` leaves it plain.
fn detect<'a>(line: &'a [u8], is_inner: bool, setting: &mut Setting) -> Option<(Format, Header<'a>)> {
    let first = *line.trim_ascii_start().first()?;
    Format::ALL
        .into_iter()
        .filter(|format| starts_with(*format, first) && !(is_inner && is_container(*format)))
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
