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
use super::layout::{Layout, Step, UNTIL_MAX};
use super::lead;
use super::line::{self, Setting};
use super::stamp::Stamp;
use super::syslog::{self, decimal};
use super::{level, text};

/// Fewest learned columns of which one may be odd in a line.
const ODD_STEPS_MIN: usize = 3;

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
    let is_complete = learned.is_some() && setting.layout.is_some_and(|layout| layout.is_complete);
    let (mut cursor, mut state, syslog_stamp) = match learned {
        Some(found) => found,
        None => lead::lead(start)?,
    };
    let mut header = line::new(Format::Application);
    let is_body = syslog_stamp && !state.keeps_line && !is_letter_tag(cursor) && state.program.is_none();
    if !(is_body && syslog::tagged_body(cursor, &mut header, setting)) {
        if state.keeps_line {
            cursor = start;
        } else if !is_complete {
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
    let mut odd = 0;
    for (index, step) in layout.steps.iter().enumerate() {
        let names = layout.component == Some(index);
        let class = match step {
            Step::Any if !names && layout.pid != Some(index) => {
                column::skip(&mut cursor)?;
                continue;
            }
            Step::Any => None,
            Step::Must(class) => Some(*class),
            Step::Until => {
                let name = until_separator(&mut cursor)?;
                if names {
                    component::named(name, &mut state);
                }
                continue;
            }
        };
        let column = column::next(&mut cursor)?;
        match class {
            Some(class) if !class.admits(column.class) => {
                // One odd value among sure columns is no other layout.
                odd += 1;
                if odd > 1 || layout.steps.len() < ODD_STEPS_MIN || !may_be_odd(class, column.class) {
                    return None;
                }
            }
            Some(_) | None => {}
        }
        if let Some(stamp) = column.stamp {
            syslog_stamp = lead::is_syslog_stamp(&stamp);
            state.stamp = Some(lead::better(state.stamp, stamp));
        }
        match class {
            Some(Class::Level) => state.level = state.level.or(column.level),
            Some(Class::Letter) => {
                let letter = column.text.first().copied();
                state.level = state.level.or_else(|| letter.and_then(level::letter));
            }
            Some(Class::Group) => {
                state.level = state.level.or_else(|| component::level_inside(column.text));
                component::group_says(column.text, &mut state);
            }
            Some(Class::Call) => component::named(column.text, &mut state),
            Some(
                Class::Stamp
                | Class::Number
                | Class::Id
                | Class::Component
                | Class::Pair
                | Class::Separator
                | Class::Dotted
                | Class::Word
                | Class::Address
                | Class::Told
                | Class::Mixed
                | Class::Other,
            )
            | None => {}
        }
        if names {
            component::named(column.text, &mut state);
        }
        if layout.pid == Some(index) {
            state.pid = decimal(column.text);
        }
    }
    Some((cursor, state, syslog_stamp))
}

/// Whether a column may for once be of another class without moving those behind it.
fn may_be_odd(class: Class, found: Class) -> bool {
    matches!(class, Class::Level | Class::Number | Class::Id | Class::Letter)
        && matches!(found, Class::Word | Class::Number | Class::Id | Class::Mixed | Class::Letter | Class::Level)
        || class == Class::Group && found == Class::Told
}

/// Steps over the next separator; what stood before it, its first column at least.
fn until_separator<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let mut name = None;
    for _ in 0..UNTIL_MAX {
        let column = column::next(cursor)?;
        if column.class == Class::Separator {
            return name;
        }
        name = name.or(Some(column.text));
    }
    None
}

/// Reads the columns behind the stamp. `cursor` only moves when a column was clear; columns in between go with it.
fn columns<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>) {
    match cursor.peek(0) {
        bar @ (b'|' | b';') => return parted(cursor, state, bar),
        b',' if !matches!(cursor.peek(1), b' ' | b'\t' | 0) => return parted(cursor, state, b','),
        _ => {}
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
        if state.program.is_some() || state.thread.is_some_and(component::is_logger) {
            // Behind the component only a level may follow, or the ids of a request.
            match ahead.group(GROUP_MAX) {
                Some(b"-") if token == b"[-]" => *cursor = ahead,
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

/// `W/Tag`: a level glued to a name, so no host.
fn is_letter_tag(cursor: Cursor) -> bool {
    let mut cursor = cursor;
    cursor.spaces();
    cursor.peek(1) == b'/' && level::letter(cursor.peek(0)).is_some()
}

/// Whether nothing but blanks lies between the two.
fn ahead_is_at(cursor: Cursor, ahead: Cursor) -> bool {
    let mut cursor = cursor;
    cursor.spaces();
    cursor.rest().len() == ahead.rest().len()
}

/// Columns with bars, semicolons or commas between them: `stamp|component|pid|message`.
fn parted<'a>(cursor: &mut Cursor<'a>, state: &mut State<'a>, bar: u8) {
    let mut names = 0;
    while cursor.eat(bar) {
        let mut ahead = *cursor;
        let Some(field) = ahead.until(bar, GROUP_MAX) else { return };
        let trimmed = field.trim_ascii();
        if let Some(found) = level::word(trimmed) {
            state.level = state.level.or(Some(found));
        } else if let Some(pid) = decimal(trimmed) {
            state.pid = state.pid.or(Some(pid));
        } else if column::is_name(trimmed) && (names < 2 || bar == b'|') {
            names += 1;
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
