//! Which syslog lines are read the same whenever they have the same shape? For those, the answer for one line is the
//! answer for the next. *Shape* is what a miner's hash keeps: all bytes but those of words with digits, of which only
//! letters in front of the digits stay; whether the first such word is a number of up to nine digits is kept too, if it
//! begins in the first 48 bytes. Says yes only where that is certain. Reads no line that was not read before: `syslog`
//! does.

use crate::model::{Header, Level};

use super::cursor::Cursor;
use super::kernel;
use super::text::PROGRAM_MAX;

/// Most blanks inside a program name.
const NAME_BLANKS_MAX: usize = 3;
/// Longest name in front of a pid: the pid begins behind it and a bracket.
const NAME_MAX: usize = 46;
/// Most digits of a pid in front of which nothing is in doubt.
const PID_DIGITS_MAX: usize = 9;
/// As far as a level in brackets is looked for, brackets included.
const BRACKETS: usize = 18;
/// As far as `level=` is looked for.
const PAIRS: usize = 256;

/// What all tails of one shape were read as, beside what stands in each of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reading {
    /// Bytes of the program's name.
    program: u8,
    /// As the tail or the priority in front of it says.
    level: Option<Level>,
}

impl Reading {
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// What a tail of this shape was read as; `None` for one whose shape does not tell.
    pub(super) fn of(tail: &[u8], header: &Header<'_>) -> Option<Reading> {
        if !is_read_by_shape(tail, header) {
            return None;
        }
        Some(Reading { program: u8::try_from(header.program.len()).ok()?, level: header.level })
    }

    /// Program, pid and message of another tail of the shape.
    #[inline]
    pub(super) fn again<'a>(&self, tail: &'a str) -> Option<(&'a str, Option<u32>, &'a str)> {
        let name = usize::from(self.program);
        let bytes = tail.as_bytes();
        let (pid, behind) = match bytes.get(name)? {
            b'[' => {
                let inside = bytes.get(name + 1..)?;
                let digits = inside.iter().take(PID_DIGITS_MAX).take_while(|byte| byte.is_ascii_digit());
                let (length, pid) =
                    digits.fold((0, 0_u32), |(length, pid), byte| (length + 1, pid * 10 + u32::from(byte - b'0')));
                if length == 0 || inside.get(length) != Some(&b']') {
                    return None;
                }
                (Some(pid), name + length + 2)
            }
            _ => (None, name),
        };
        let mut cursor = Cursor::new(bytes.get(behind..)?.strip_prefix(b": ")?);
        cursor.spaces();
        let program = tail.get(..name)?;
        if program == "kernel" {
            kernel::skip_uptime(&mut cursor);
        }
        Some((program, pid, tail.get(tail.len() - cursor.rest().len()..)?.trim_ascii()))
    }
}

/// Whether a tail is the kernel's with an uptime in front. Its numbers must have the right form, which no shape tells.
#[inline]
pub(super) fn has_uptime(tail: &[u8]) -> bool {
    match tail.first_chunk::<9>() {
        Some(b"kernel: [") => skips_uptime(tail),
        _ => false,
    }
}

#[inline(never)]
fn skips_uptime(tail: &[u8]) -> bool {
    kernel::skip_uptime(&mut Cursor::new(tail.get(8..).unwrap_or_default()))
}

/// Whether program, level, unit and the part of the line that is message are the same for every ASCII tail of this shape
/// and with the same answer of [`has_uptime`]. `header` is what the parse of the line gave.
pub(super) fn is_read_by_shape(tail: &[u8], header: &Header<'_>) -> bool {
    shaped_message(tail, header).is_some_and(level_shows_in_shape)
}

/// The same for the message alone.
pub(super) fn is_message_read_by_shape(tail: &[u8], header: &Header<'_>) -> bool {
    shaped_message(tail, header).is_some()
}

/// The message, if program and message are read by shape.
fn shaped_message<'a>(tail: &'a [u8], header: &Header<'_>) -> Option<&'a [u8]> {
    let end = tail.iter().position(|byte| matches!(byte, b':' | b'['))?;
    let (name, behind) = tail.split_at_checked(end)?;
    let blanks = name.iter().filter(|byte| **byte == b' ').count();
    let is_plain = (1..=PROGRAM_MAX).contains(&name.len())
        && name.iter().all(|byte| is_in_name(*byte))
        && blanks <= NAME_BLANKS_MAX
        && !name.starts_with(b" ")
        && !name.ends_with(b" ")
        && !name.starts_with(b"%");
    let behind = match behind.strip_prefix(b"[") {
        // A number in brackets is a pid after blanks too.
        Some(inside) => {
            if name.len() > NAME_MAX {
                return None;
            }
            let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
            inside.get(digits..)?.strip_prefix(b"]").filter(|_| (1..=PID_DIGITS_MAX).contains(&digits))?
        }
        None if blanks == 0 => behind,
        None => return None,
    };
    let mut cursor = Cursor::new(behind.strip_prefix(b": ")?);
    cursor.spaces();
    if name == b"kernel" && cursor.peek(0) == b'[' {
        let mut ahead = cursor;
        let skipped = kernel::skip_uptime(&mut ahead);
        if skipped != has_uptime(tail) || !skipped && is_number_in_front(cursor.rest()) || names_thread(&ahead, cursor)
        {
            return None;
        }
        cursor = ahead;
    }
    let message = cursor.rest();
    // What was really read.
    let is_same = header.program.as_bytes() == name
        && header.unit.is_none()
        && header.message.as_bytes() == message.trim_ascii()
        && !(header.notes.lossy || header.notes.odd_field || header.notes.fallback);
    (is_plain && is_same).then_some(message)
}

/// Printable ASCII without digits, and without what ends a name, says that there is none, or may name a level.
fn is_in_name(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !byte.is_ascii_digit() && !matches!(byte, b':' | b'[' | b'"' | b'{' | b'=')
}

/// `[ 12 ...`: might as well be an uptime.
fn is_number_in_front(rest: &[u8]) -> bool {
    let inside = rest.get(1..).unwrap_or_default().trim_ascii_start();
    constant_start(inside) == 0 && !inside.is_empty()
}

/// `[   12.345678][  T123]`: whether the second is stepped over depends on what it is.
fn names_thread(behind: &Cursor<'_>, before: Cursor<'_>) -> bool {
    let skipped = before.rest().len() - behind.rest().len();
    before.rest().iter().take(skipped).filter(|byte| **byte == b'[').count() > 1 || behind.peek(0) == b'['
}

/// Whether `level::embedded` says the same of every message of this shape.
fn level_shows_in_shape(message: &[u8]) -> bool {
    let message = message.trim_ascii_start();
    let constant = constant_start(message);
    let all = constant == message.len();
    match message.first() {
        None => true,
        Some(b'0'..=b'9' | b'%') => false,
        Some(b'[' | b'<' | b'(') => {
            let mut behind = Cursor::new(message);
            let closed = behind.group(BRACKETS).is_some() && message.len() - behind.rest().len() <= constant;
            all || closed || constant >= BRACKETS
        }
        Some(b'a'..=b'z' | b'A'..=b'Z') => {
            let end = message.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(message.len());
            let token = message.get(..end).unwrap_or_default();
            if token.contains(&b'=') {
                return all || constant >= PAIRS;
            }
            // `E1122` is a level and `DEBUG1` is; letters that stay in the shape make it neither.
            let letters = token.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            let stays = letters >= 2 && token.iter().take(letters).any(|byte| !byte.is_ascii_hexdigit());
            constant >= end.min(2) && constant > 0
                || stays && word_is_letters_and_digits(token, letters) && !is_debug(token)
        }
        Some(_) => true,
    }
}

/// The first word is letters and then digits, as `eth0`: its letters stay in the shape.
fn word_is_letters_and_digits(token: &[u8], letters: usize) -> bool {
    let digits = token.iter().skip(letters).take_while(|byte| byte.is_ascii_digit()).count();
    token.get(letters + digits).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

fn is_debug(token: &[u8]) -> bool {
    token.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"debug"))
}

/// How many bytes come before the first word with a digit: they are the same in every text of this shape.
fn constant_start(text: &[u8]) -> usize {
    let digit = text.iter().position(u8::is_ascii_digit).unwrap_or(text.len());
    let before = text.get(..digit).unwrap_or_default();
    if digit == text.len() {
        return digit;
    }
    digit - before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count()
}
