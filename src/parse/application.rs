//! Logs of applications: a time or level column, then whatever columns the writer chose, then the message. Reads them by
//! structure, left to right, and takes a token for a column only where it could not well be prose.
//!
//! Where the plan has learned a layout, its columns come first and this goes on behind them. Not here: what stands in front
//! of the stamp (`lead`), what a single column may look like (`component`).

use crate::model::{Header, Level};

use super::column::{self, Class, GROUP_MAX};
use super::component::{self, Group};
use super::cursor::Cursor;
use super::date::Date;
use super::format::Format;
use super::layout::{Layout, Step};
use super::lead;
use super::line::{self, Setting};
use super::stamp::Stamp;
use super::syslog::{self, decimal};
use super::{level, text};

/// Columns looked at behind the stamp.
const COLUMNS_MAX: usize = 10;

/// What is known of a header while it is read.
#[derive(Clone, Default)]
pub(super) struct State<'a> {
    pub stamp: Option<Stamp>,
    pub level: Option<Level>,
    /// A name that stood where loggers and programs stand.
    pub program: Option<&'a [u8]>,
    /// A name in brackets: the thread, or the logger when nothing better follows.
    pub thread: Option<&'a [u8]>,
    pub pid: Option<u32>,
    /// A pid and a role stood in front: `12345:M`.
    pub has_role: bool,
    /// An address stands in front of the stamp: the whole line stays the message, or it would be lost.
    pub keeps_line: bool,
    /// Something besides the stamp was clearly a column.
    pub is_proven: bool,
}

pub(super) fn parse<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    let start = Cursor::new(bytes);
    let learned = setting.layout.and_then(|layout| by_layout(start, layout));
    let (mut cursor, mut state, syslog_stamp) = match learned {
        Some(found) => found,
        None => lead::lead(start)?,
    };
    let mut header = line::new(Format::Application);
    if !(syslog_stamp && !state.keeps_line && syslog::tagged_body(cursor, &mut header, setting)) {
        if state.keeps_line {
            cursor = start;
        } else {
            columns(&mut cursor, &mut state);
        }
        if !state.is_proven && !setting.trusted && !stands_alone(&state) {
            return None;
        }
        header.level = state.level;
        header.program = state.program.or(state.thread).map(text::program).unwrap_or_default();
        header.pid = state.pid;
        let rest = text::trim(cursor.rest());
        let rest = match trailing_logger(rest).filter(|_| state.program.is_none() && state.level.is_some()) {
            Some((message, logger)) => {
                header.program = text::program(logger);
                message
            }
            None => rest,
        };
        header.message = text::message(rest, &mut header.notes);
        header.level = header.level.or_else(|| level::embedded(rest));
    }
    header.time = state.stamp.and_then(|found| setting.clock.resolve(&found, &mut header.notes));
    Some(header)
}

/// Reads the learned columns. The flag says that the last stamp is one of syslog's.
fn by_layout<'a>(mut cursor: Cursor<'a>, layout: &Layout) -> Option<(Cursor<'a>, State<'a>, bool)> {
    let mut state = State { is_proven: true, ..State::default() };
    let mut syslog_stamp = false;
    for (index, step) in layout.steps.iter().enumerate() {
        if *step == Step::Any && layout.component != Some(index) {
            column::skip(&mut cursor)?;
            continue;
        }
        let column = column::next(&mut cursor)?;
        match step {
            Step::Must(class) if *class != column.class => return None,
            Step::Must(_) | Step::Any => {}
        }
        if let Some(stamp) = column.stamp {
            syslog_stamp = lead::is_syslog_stamp(&stamp);
            state.stamp = Some(lead::better(state.stamp, stamp));
        }
        if *step == Step::Must(Class::Level) {
            state.level = state.level.or(column.level);
        }
        if *step == Step::Must(Class::Group) {
            component::group_says(column.text, &mut state);
        }
        if layout.component == Some(index) {
            state.program = Some(column.text);
        }
        if layout.pid == Some(index) {
            state.pid = decimal(column.text);
        }
    }
    Some((cursor, state, syslog_stamp))
}

/// Reads the columns behind the stamp. `cursor` only moves when a column was clear; columns in between go with it.
fn columns<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) {
    if cursor.peek(0) == b'|' {
        return piped(cursor, state);
    }
    let mut ahead = *cursor;
    let mut numbers = 0;
    let mut pid = None;
    for _ in 0..COLUMNS_MAX {
        ahead.spaces();
        let is_settled = ahead_is_at(*cursor, ahead);
        let mut peeked = ahead;
        let token = peeked.token();
        if token.is_empty() {
            return;
        }
        if column::is_separator(token) {
            ahead = peeked;
            if is_settled && token != b"#" && token != b"," {
                *cursor = ahead;
            }
            continue;
        }
        if state.level.is_none()
            && let Some((found, behind)) = component::level_column(ahead, numbers > 0, state.has_role)
        {
            state.level = Some(found);
            state.pid = state.pid.or(pid);
            state.is_proven = true;
            ahead = behind;
            *cursor = ahead;
            continue;
        }
        if state.program.is_some() {
            // Behind the component only a level may follow, or the ids of a request.
            match ahead.group(GROUP_MAX) {
                Some(inside) if token.first() == Some(&b'[') && inside.len() >= 16 && component::are_ids(inside) => {
                    *cursor = ahead
                }
                _ => return,
            }
            continue;
        }
        match token.first() {
            Some(b'[' | b'<' | b'(') => match component::group_column(&mut ahead, state) {
                Group::Header => *cursor = ahead,
                Group::Perhaps => {}
                Group::Message => return,
            },
            _ if (token.len() <= 10 && token.iter().all(u8::is_ascii_digit)) || column::is_id(token) => {
                numbers += 1;
                pid = pid.or_else(|| decimal(token).filter(|pid| *pid > 0));
                ahead = peeked;
                if numbers > 3 {
                    return;
                }
            }
            _ => {
                if let Some((name, behind)) = component::component_column(ahead, state, numbers > 0) {
                    component::named(name, state);
                    state.pid = state.pid.or(pid);
                    state.is_proven = true;
                    ahead = behind;
                    *cursor = ahead;
                } else if is_settled && state.level.is_none() && state.stamp.is_some() {
                    let Some((found, name, behind)) = component::capitals_column(ahead) else { return };
                    *state = State { level: Some(found), program: name, is_proven: true, ..state.clone() };
                    ahead = behind;
                    *cursor = ahead;
                } else {
                    return;
                }
            }
        }
    }
}

/// Whether nothing but blanks lies between the two.
fn ahead_is_at(cursor: Cursor, ahead: Cursor) -> bool {
    let mut cursor = cursor;
    cursor.spaces();
    cursor.rest().len() == ahead.rest().len()
}

/// Columns with bars between them: `stamp|component|pid|message`.
fn piped<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) {
    while cursor.eat(b'|') {
        let mut ahead = *cursor;
        let Some(field) = ahead.until(b'|', GROUP_MAX) else { return };
        let trimmed = field.trim_ascii();
        if let Some(found) = level::word(trimmed) {
            state.level = state.level.or(Some(found));
        } else if let Some(pid) = decimal(trimmed) {
            state.pid = state.pid.or(Some(pid));
        } else if column::is_name(trimmed) {
            state.program = state.program.or(Some(trimmed));
        } else if !trimmed.is_empty() && !column::is_id(trimmed) {
            return;
        }
        state.is_proven = true;
        cursor.advance(field.len());
    }
}

/// Whether the stamp alone makes a header: two bare numbers or a time without a date could be anything.
fn stands_alone(state: &State) -> bool {
    state.stamp.is_some_and(|stamp| match stamp {
        Stamp::Epoch { bare, .. } => !bare,
        Stamp::Moment(moment) => stamp.is_certain() || moment.date == Date::Absent && moment.time.micros != 0,
    })
}

/// log4j's `%m (%c)`: the logger behind the message.
fn trailing_logger(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = message.strip_suffix(b")")?;
    let open = memchr::memrchr(b'(', head)?;
    let logger = head.get(open + 1..)?;
    let is_logger = column::is_name(logger) && memchr::memchr(b'.', logger).is_some();
    let message = head.get(..open)?.strip_suffix(b" ")?;
    is_logger.then_some((message, logger))
}
