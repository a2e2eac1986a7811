//! What the keys of structured lines mean: the usual names for time, level, message, logger, host and pid. Every other
//! field goes behind the message as ` key=value`, so that nothing of the line is lost. Knows neither JSON nor logfmt.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::model::{Header, Level, Notes, Timestamp, clip};

use super::cursor::Cursor;
use super::format::Format;
use super::line::{self, Setting};
use super::value::Value;
use super::{level, stamp, text};

/// Most bytes of one extra field kept in the message.
const VALUE_MAX: usize = 512;
/// Most bytes of all extra fields together.
const EXTRA_MAX: usize = 4_096;

/// Fields in the order of the line.
pub(super) type Pairs<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// What a key stands for. The number ranks synonyms: the lowest that occurs is taken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Time(u8),
    Level(u8),
    Message(u8),
    Program(u8),
    Host(u8),
    Pid(u8),
}

/// Whether a key is one of a log line's own, so that `x=1 y=2` alone is no log line.
pub(super) fn is_known(key: &str) -> bool {
    matches!(role(key), Some(Role::Time(_) | Role::Level(_) | Role::Message(_)))
}

/// A header out of the fields of a line.
pub(super) fn compose<'a>(format: Format, pairs: Pairs<'a>, setting: &mut Setting) -> Header<'a> {
    let mut header = line::new(format);
    let mut best: [Option<(u8, Cow<'a, str>)>; 6] = Default::default();
    let [best_time, best_level, best_message, best_program, best_host, best_pid] = &mut best;
    let mut extra = String::new();
    for (key, value) in pairs {
        let (slot, rank) = match role(&key) {
            Some(Role::Time(rank)) => (&mut *best_time, rank),
            Some(Role::Level(rank)) => (&mut *best_level, rank),
            Some(Role::Program(rank)) => (&mut *best_program, rank),
            Some(Role::Host(rank)) => (&mut *best_host, rank),
            Some(Role::Pid(rank)) => (&mut *best_pid, rank),
            Some(Role::Message(rank)) => {
                let Some(text) = value.into_text() else { continue };
                match best_message {
                    Some((taken, _)) if *taken <= rank => push_extra(&mut extra, &key, &text, &mut header.notes),
                    _ => {
                        if let Some((_, beaten)) = best_message.replace((rank, text)) {
                            push_extra(&mut extra, "message", &beaten, &mut header.notes);
                        }
                    }
                }
                continue;
            }
            None => {
                if let Some(text) = value.into_text() {
                    push_extra(&mut extra, &key, &text, &mut header.notes);
                }
                continue;
            }
        };
        // Programs that write their level both as a number and as a word mean the same.
        if slot.as_ref().is_none_or(|(taken, _)| rank < *taken)
            && let Some(text) = value.into_text()
        {
            *slot = Some((rank, text));
        }
    }
    let [time, level, message, program, host, pid] = best.map(|slot| slot.map(|(_, text)| text));
    header.time = time.and_then(|text| time_of(&text, setting, &mut header.notes));
    header.level = level.and_then(|text| level_of(&text, &mut header.notes));
    header.program = program.map(text::program_text).unwrap_or_default();
    header.host = host.map(text::host_text);
    header.pid = pid.and_then(|text| text.parse().ok());
    let message = message.unwrap_or_default();
    header.message = match (message, extra.is_empty()) {
        (Cow::Borrowed(text), true) => Cow::Borrowed(text.trim_ascii()),
        (text, _) => {
            let text = text.trim_ascii();
            Cow::Owned(if text.is_empty() { extra.trim_start().to_owned() } else { format!("{text}{extra}") })
        }
    };
    if header.level.is_none() {
        header.level = level::embedded(header.message.as_bytes());
    }
    header
}

/// A stamp in any shape, or a number since the epoch whose size tells its unit.
fn time_of(text: &str, setting: &mut Setting, notes: &mut Notes) -> Option<Timestamp> {
    let mut cursor = Cursor::new(text.trim_ascii().as_bytes());
    if let Some(found) = stamp::stamp(&mut cursor) {
        return setting.clock.resolve(&found, notes);
    }
    let time = text.trim_ascii().parse::<f64>().ok().and_then(epoch_micros).map(Timestamp::from_micros);
    notes.odd_field |= time.is_none();
    time
}

/// Seconds up to 10^11 (the year 5138), milliseconds up to 10^14, microseconds up to 10^17, then nanoseconds.
fn epoch_micros(number: f64) -> Option<i64> {
    let micros = match number {
        number if !(0.0..1e20).contains(&number) => return None,
        number if number < 1e11 => number * 1e6,
        number if number < 1e14 => number * 1e3,
        number if number < 1e17 => number,
        number => number / 1e3,
    };
    // In range by the match above; `as` saturates.
    Some(micros as i64)
}

fn level_of(text: &str, notes: &mut Notes) -> Option<Level> {
    let text = text.trim_ascii();
    let found = match text.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => level::letter(letter.to_ascii_uppercase()),
        word => level::word(word).or_else(|| text.parse().ok().and_then(level::number)),
    };
    notes.odd_field |= found.is_none() && !text.is_empty();
    found
}

fn push_extra(extra: &mut String, key: &str, value: &str, notes: &mut Notes) {
    let kept = clip(value, VALUE_MAX);
    if extra.len() + key.len() + kept.len() > EXTRA_MAX {
        notes.truncated = true;
        return;
    }
    notes.truncated |= kept.len() < value.len();
    let needs_quotes = kept.is_empty() || kept.bytes().any(|byte| matches!(byte, b' ' | b'"' | b'='));
    // Writing to a string cannot fail.
    let _ = match (needs_quotes, kept.contains('"')) {
        (false, _) => write!(extra, " {key}={kept}"),
        (true, false) => write!(extra, " {key}=\"{kept}\""),
        (true, true) => write!(extra, " {key}=\"{}\"", kept.replace('"', "\\\"")),
    };
}

/// The names in use by journald, logrus, zap, zerolog, slog, log4j, logback, Serilog, structlog, Bunyan, Pino, GELF, ECS,
/// MongoDB, nginx and Kubernetes' audit log; in any case.
fn role(key: &str) -> Option<Role> {
    let mut lower = [0u8; 24];
    let lower = lower.get_mut(..key.len())?;
    lower.copy_from_slice(key.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"@timestamp" => Role::Time(0),
        b"timestamp" | b"time" | b"ts" => Role::Time(1),
        b"t" | b"@t" | b"t.$date" | b"datetime" | b"asctime" | b"eventtime" | b"timemillis" => Role::Time(2),
        b"date" | b"logtime" | b"time_local" | b"time_iso8601" | b"timestamp.seconds" => Role::Time(3),
        b"requestreceivedtimestamp" => Role::Time(3),
        b"level" | b"severity" | b"log.level" | b"@l" => Role::Level(0),
        b"lvl" | b"loglevel" | b"log_level" | b"levelname" | b"severity_text" | b"severitytext" => Role::Level(1),
        b"priority" | b"s" => Role::Level(2),
        b"message" | b"msg" | b"@m" => Role::Message(0),
        b"short_message" | b"@mt" | b"log" | b"event" => Role::Message(1),
        b"text" | b"body" => Role::Message(2),
        b"logger" | b"logger_name" | b"loggername" | b"log.logger" | b"sourcecontext" => Role::Program(0),
        b"component" | b"module" | b"c" | b"category" => Role::Program(1),
        b"program" | b"ident" | b"appname" | b"process.name" => Role::Program(2),
        b"name" | b"app" | b"application" | b"service" | b"service.name" => Role::Program(3),
        b"host" | b"hostname" | b"host.name" | b"host.hostname" => Role::Host(0),
        b"pid" | b"process.pid" | b"process_id" => Role::Pid(0),
        _ => return None,
    })
}
