//! Lines that syslog daemons write: RFC 3164 with its variants, and the same body behind rsyslog's RFC 3339 stamp.

use crate::model::Header;

use super::cursor::Cursor;
use super::format::Format;
use super::line::{self, Setting};
use super::stamp::{self, Stamp};
use super::{gear, kernel, level, text};

/// Longest tag looked for, in bytes.
const TAG_MAX: usize = 128;
/// Most blanks inside a program name: `Google Chrome He[42]:`.
const TAG_BLANKS_MAX: usize = 3;

/// `Nov 22 05:55:40 host sshd[42]: ...`, with or without `<PRI>`, year, fraction and host.
pub(super) fn rfc3164<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    if let Some(header) = again(Format::Rfc3164, bytes, setting) {
        return Some(header);
    }
    let mut header = line::new(Format::Rfc3164);
    let mut cursor = Cursor::new(bytes);
    let priority = level::priority(&mut cursor, &mut header.notes);
    header.level = priority.flatten();
    if priority.is_some() && !cursor.peek(0).is_ascii_uppercase() {
        return bare_priority(cursor, header, setting);
    }
    // Java's own logger: `Nov 22, 2026 5:55:40 AM`.
    if cursor.peek(5) == b',' || cursor.peek(6) == b',' {
        return None;
    }
    let moment = stamp::month_name_first(&mut cursor)?;
    // Some routers write a colon behind the stamp.
    cursor.eat(b':');
    if !cursor.is_empty() && cursor.spaces() == 0 {
        return None;
    }
    header.time = setting.clock.resolve(&Stamp::Moment(moment), &mut header.notes);
    remembered_body(bytes, cursor, &mut header, setting);
    Some(header)
}

/// `2026-11-22T05:55:40.746959+00:00 host sshd[42]: ...`. An unproven line must have a tag; otherwise it could be any
/// application's.
pub(super) fn rfc3339<'a>(bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    if let Some(header) = again(Format::Rfc3339, bytes, setting) {
        return Some(header);
    }
    let mut header = line::new(Format::Rfc3339);
    let mut cursor = Cursor::new(bytes);
    header.level = level::priority(&mut cursor, &mut header.notes).flatten();
    // Behind a priority the date may stand apart from the time.
    if cursor.peek(4) != b'-' || cursor.peek(10) != b'T' && (bytes.first() != Some(&b'<') || cursor.peek(10) != b' ') {
        return None;
    }
    let found = stamp::year_first(&mut cursor)?;
    if !found.is_certain() || !cursor.eat(b' ') {
        return None;
    }
    let mut ahead = cursor;
    let host = ahead.token();
    if !is_host(host) || level::word(host).is_some() {
        return None;
    }
    ahead.spaces();
    if !setting.trusted && tag(&mut ahead).is_none() {
        return None;
    }
    header.time = setting.clock.resolve(&found, &mut header.notes);
    remembered_body(bytes, cursor, &mut header, setting);
    Some(header)
}

/// A line that begins as one of the last: only tag and message are read. Its text is checked once and then cut.
#[inline]
fn again<'a>(format: Format, bytes: &'a [u8], setting: &mut Setting) -> Option<Header<'a>> {
    if !setting.trusted {
        return None;
    }
    let line = std::str::from_utf8(bytes).ok()?;
    let mut header = line::new(format);
    let start = setting.heads.again(line, setting.clock.reference(), &mut header)?;
    let mut cursor = Cursor::new(bytes.get(start..)?);
    if let Some((end, pid)) = plain_tag(&mut cursor) {
        header.program = line.get(start..start + end)?.into();
        header.pid = pid;
    } else if let Some(found) = tag(&mut cursor) {
        header.program = text::program(found.program);
        header.pid = found.pid;
        header.unit = found.unit.map(text::host);
        header.level = header.level.or_else(|| level::vendor(found.program));
    }
    if header.program == "kernel" {
        kernel::skip_uptime(&mut cursor);
    }
    header.level = header.level.or_else(|| level::embedded(cursor.rest()));
    header.message = line.get(bytes.len() - cursor.rest().len()..)?.trim_ascii().into();
    Some(header)
}

/// Reads what stands behind the stamp, and remembers what stood in front of the tag for the next line.
fn remembered_body<'a>(bytes: &'a [u8], cursor: Cursor<'a>, header: &mut Header<'a>, setting: &mut Setting) {
    let level = header.level;
    if let Some(behind_host) = body(cursor, header, setting)
        && setting.trusted
    {
        let reference = setting.clock.reference();
        setting.heads.remember(bytes, reference, header, level, behind_host.rest());
    }
}

/// Reads what stands behind the stamp: host, tag and message. Never fails: what is no tag is message. Returns what stands
/// behind the host, where there is one.
pub(super) fn body<'a>(mut cursor: Cursor<'a>, header: &mut Header<'a>, setting: &Setting) -> Option<Cursor<'a>> {
    let mut behind_host = cursor;
    let first = behind_host.token();
    behind_host.spaces();
    let is_repeat =
        cursor.rest().starts_with(b"last message repeated ") || cursor.rest().starts_with(b"message repeated ");
    let host_missing = is_repeat || matches!(first, [.., b':']) || !is_host(first);
    if let Some(found) = detached_tag(first, &mut behind_host) {
        named(Some(found), behind_host, header);
        return None;
    }
    if host_missing {
        tagged(cursor, header);
        return None;
    }
    header.host = Some(text::host(first));
    cursor = behind_host;
    // A single word behind the stamp is a message, unless it is our own name.
    if cursor.is_empty() && first != setting.own_host.as_bytes() {
        header.host = None;
        cursor = Cursor::new(first);
    }
    tagged(cursor, header);
    header.host.is_some().then_some(cursor)
}

/// Tag and message.
#[inline]
fn tagged<'a>(mut cursor: Cursor<'a>, header: &mut Header<'a>) {
    let found = tag(&mut cursor);
    named(found, cursor, header);
}

/// What the tag says, and the message behind it.
#[inline]
fn named<'a>(found: Option<Tag<'a>>, mut cursor: Cursor<'a>, header: &mut Header<'a>) {
    if let Some(found) = found {
        header.program = text::program(found.program);
        header.pid = found.pid;
        header.unit = found.unit.map(text::host);
        header.level = header.level.or_else(|| level::vendor(found.program));
    }
    if header.program == "kernel" {
        kernel::skip_uptime(&mut cursor);
    }
    header.level = header.level.or_else(|| level::embedded(cursor.rest()));
    header.message = text::message(cursor.rest(), &mut header.notes);
}

/// The same for a stamp in the middle of an application's header: only where host and tag are both there.
pub(super) fn tagged_body<'a>(cursor: Cursor<'a>, header: &mut Header<'a>, setting: &Setting) -> bool {
    let mut ahead = cursor;
    ahead.spaces();
    let start = ahead;
    let host = ahead.token();
    ahead.spaces();
    let fits = is_host(host) && tag(&mut ahead).is_some();
    if fits {
        body(start, header, setting);
    }
    fits
}

/// `<13>sshd[42]: ...`: what a local program sends to the socket, or a router without a clock.
fn bare_priority<'a>(mut cursor: Cursor<'a>, mut header: Header<'a>, setting: &mut Setting) -> Option<Header<'a>> {
    if let Some(found) = gear::stamped(cursor) {
        header.time = setting.clock.resolve(&Stamp::Moment(found.moment), &mut header.notes);
        header.host = found.host.map(text::host);
        tagged(found.rest, &mut header);
        return Some(header);
    }
    // `<34>1 ` is RFC 5424, `<34>2026-...` is RFC 3339.
    if cursor.peek(0).is_ascii_digit() && !setting.trusted {
        return None;
    }
    cursor.spaces();
    let found = tag(&mut cursor);
    // A level in front of a word is reason enough: `<30>firewall,info forward: ...`
    if found.is_none() && !setting.trusted && !(header.level.is_some() && cursor.peek(0).is_ascii_alphabetic()) {
        return None;
    }
    if let Some(found) = found {
        header.program = text::program(found.program);
        header.pid = found.pid;
    }
    header.message = text::message(cursor.rest(), &mut header.notes);
    Some(header)
}

/// Who wrote a line, as syslog says it.
struct Tag<'a> {
    program: &'a [u8],
    pid: Option<u32>,
    /// macOS names the service behind the pid: `launchd[1] (com.apple.x): ...`.
    unit: Option<&'a [u8]>,
}

/// Reads `prog:`, `prog[42]:`, `prog[42] (service):`, `prog 1.4.1:` or `prog[42] ` and steps over it and the blanks behind.
fn tag<'a>(cursor: &mut Cursor<'a>) -> Option<Tag<'a>> {
    let window = cursor.rest().get(..TAG_MAX).unwrap_or(cursor.rest());
    let mut first_blank = None;
    let mut blanks = 0;
    for (index, &byte) in window.iter().enumerate() {
        // Most bytes of a name mean nothing to the search.
        if IN_HOST[usize::from(byte)] && byte != b':' {
            continue;
        }
        match byte {
            b' ' => {
                blanks += 1;
                first_blank = first_blank.or(Some(index));
                if blanks > TAG_BLANKS_MAX || index == 0 {
                    return None;
                }
            }
            b':' if index > 0 => {
                let mut ahead = *cursor;
                ahead.advance(index + 1);
                if !ends_tag(ahead, window.get(..index)?) {
                    continue;
                }
                let end = match first_blank {
                    None => index,
                    // `syslogd 1.4.1:` names its version; anything else with blanks is prose.
                    Some(blank) if blanks == 1 && window.get(blank + 1).is_some_and(u8::is_ascii_digit) => blank,
                    Some(_) => return None,
                };
                ahead.spaces();
                *cursor = ahead;
                return Some(Tag { program: window.get(..end)?, pid: None, unit: None });
            }
            b'[' if index > 0 && window.get(index - 1) != Some(&b' ') => {
                let mut ahead = *cursor;
                ahead.advance(index);
                let (pid, behind) = pid_group(ahead)?;
                ahead = behind;
                let mut unit = None;
                if ahead.rest().starts_with(b" (") {
                    let mut further = ahead;
                    further.advance(1);
                    if let Some(label) = further.group(TAG_MAX).filter(|_| further.peek(0) == b':') {
                        unit = Some(label);
                        ahead = further;
                    }
                }
                let colon = ahead.eat(b':');
                let ends = colon || pid.is_some() && blanks == 0 && matches!(ahead.peek(0), b' ' | 0);
                if !ends || blanks > 0 && pid.is_none() {
                    return None;
                }
                ahead.spaces();
                *cursor = ahead;
                return Some(Tag { program: window.get(..index)?, pid, unit });
            }
            b'"' | b'{' | b'=' | b'[' | b'\0'..=b'\x1f' => return None,
            _ => {}
        }
    }
    None
}

/// `sshd[42]: ` and `cron: ` alone, as [`tag`] reads them, with a name that needs no cleaning: where the name ends, and
/// the pid. No move where it is anything else.
#[inline]
fn plain_tag(cursor: &mut Cursor<'_>) -> Option<(usize, Option<u32>)> {
    let rest = cursor.rest();
    let window = rest.get(..text::PROGRAM_MAX).unwrap_or(rest);
    let end = window.iter().position(|byte| !IN_NAME[usize::from(*byte)]).filter(|end| *end > 0)?;
    let mut behind = rest.get(end..)?;
    let mut pid = None;
    if let [b'[', inside @ ..] = behind {
        let mut number = 0;
        let mut length = 0;
        for byte in inside.iter().take(9) {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            number = number * 10 + u32::from(digit);
            length += 1;
        }
        behind = inside.get(length..)?.strip_prefix(b"]").filter(|_| length > 0)?;
        pid = Some(number);
    }
    let [b':', b' ', ..] = behind else { return None };
    cursor.advance(rest.len() - behind.len() + 2);
    cursor.spaces();
    Some((end, pid))
}

/// `sogod [42]: ...`: no host, and a blank in front of the pid.
fn detached_tag<'a>(program: &'a [u8], behind: &mut Cursor<'a>) -> Option<Tag<'a>> {
    if behind.peek(0) != b'[' {
        return None;
    }
    let (pid, mut ahead) = pid_group(*behind)?;
    if pid.is_none() || !ahead.eat(b':') {
        return None;
    }
    ahead.spaces();
    *behind = ahead;
    Some(Tag { program, pid, unit: None })
}

/// The pid in the brackets that start here, and the place behind them; brackets may hold something else.
fn pid_group(cursor: Cursor<'_>) -> Option<(Option<u32>, Cursor<'_>)> {
    let mut ahead = cursor;
    ahead.advance(1);
    let number = ahead.number(1, 10);
    if number.is_some() && ahead.eat(b']') {
        return Some((number.and_then(|pid| u32::try_from(pid).ok()), ahead));
    }
    ahead = cursor;
    ahead.group(TAG_MAX).map(|_| (None, ahead))
}

/// Whether a colon here closes a tag: followed by a blank, or by text that makes no address, path or time of it.
fn ends_tag(behind: Cursor, name: &[u8]) -> bool {
    match behind.peek(0) {
        b' ' | b'\t' | 0 => true,
        b':' | b'/' | b'\\' | b'0'..=b'9' => false,
        _ => {
            name.first().is_some_and(u8::is_ascii_alphabetic)
                && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        }
    }
}

/// Whether a token could name a host: letters, digits and what names and addresses are joined with; not a number.
pub(super) fn is_host(token: &[u8]) -> bool {
    token.iter().all(|byte| IN_HOST[usize::from(*byte)])
        && token.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80 || *byte == b':')
        && !(token.first().is_some_and(u8::is_ascii_digit) && token.iter().all(u8::is_ascii_digit))
}

/// The bytes a host name or address may hold. A table, as every line is looked up in it twice.
static IN_HOST: [bool; 256] = {
    let mut table = [false; 256];
    let mut index = 0;
    while index < table.len() {
        let byte = index as u8;
        table[index] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'/' | b'@') || byte >= 0x80;
        index += 1;
    }
    table
};

/// The bytes of a plain name: printable ASCII, without what ends a name or says that there is none, or a vendor's `%`.
static IN_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut index = b'!' as usize;
    while index <= b'~' as usize {
        table[index] = !matches!(index as u8, b':' | b'[' | b'"' | b'{' | b'=' | b'%');
        index += 1;
    }
    table
};

/// A process id; `None` when the text is none.
pub(super) fn decimal(bytes: &[u8]) -> Option<u32> {
    let mut cursor = Cursor::new(bytes);
    let number = cursor.number(1, 10)?;
    if cursor.is_empty() { u32::try_from(number).ok() } else { None }
}
