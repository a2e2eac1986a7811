//! The zone behind a time of day, as seconds east of UTC. Knows no dates.

use super::cursor::Cursor;

/// The zone behind a time: `Z`, `+00:00`, `-0530`, `+02`, and apart from it ` +0000`, ` UTC` and well-known names.
pub(super) fn zone(cursor: &mut Cursor) -> Option<i32> {
    let mut ahead = *cursor;
    let apart = ahead.eat(b' ');
    let offset = match ahead.peek(0) {
        b'Z' | b'z' if !ahead.peek(1).is_ascii_alphanumeric() => {
            ahead.advance(1);
            Some(0)
        }
        b'+' | b'-' => numeric_offset(&mut ahead, apart),
        b'A'..=b'Z' if apart => named_offset(&mut ahead),
        _ => None,
    }?;
    *cursor = ahead;
    Some(offset)
}

fn numeric_offset(cursor: &mut Cursor, apart: bool) -> Option<i32> {
    let sign = if cursor.peek(0) == b'-' { -1 } else { 1 };
    cursor.advance(1);
    let digits = cursor.digits_ahead();
    let hours = cursor.two_digits()?;
    let minutes = match digits {
        4 => cursor.two_digits()?,
        2 if cursor.eat(b':') => cursor.two_digits()?,
        // ` -12` apart from the time is a number, not a zone.
        2 if !apart => 0,
        _ => return None,
    };
    let ends = !cursor.peek(0).is_ascii_alphanumeric();
    (ends && hours < 24 && minutes < 60).then(|| sign * (i32::from(hours) * 3_600 + i32::from(minutes) * 60))
}

/// Abbreviations that mean one thing wherever they occur. `CST`, `IST` and the like do not.
fn named_offset(cursor: &mut Cursor) -> Option<i32> {
    let letters = cursor.rest().iter().take(8).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name = cursor.take(letters);
    let hours = match name {
        b"UTC" | b"GMT" | b"WET" => 0,
        b"CET" | b"BST" | b"WEST" => 1,
        b"CEST" | b"EET" => 2,
        b"EEST" | b"MSK" => 3,
        b"JST" => 9,
        b"EDT" => -4,
        b"EST" => -5,
        b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => return None,
    };
    Some(hours * 3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<i32>, left: &str) {
        let mut cursor = Cursor::new(text.as_bytes());
        assert_eq!((zone(&mut cursor), cursor.rest()), (expected, left.as_bytes()), "{text}");
    }

    #[test]
    fn zones() {
        check("Z host", Some(0), " host");
        check("+05:30 x", Some(19_800), " x");
        check("-0700] x", Some(-25_200), "] x");
        check("+02 x", Some(7_200), " x");
        check(" +0100 x", Some(3_600), " x");
        check(" UTC [1]", Some(0), " [1]");
        check(" CEST", Some(7_200), "");
        check(" CST x", None, " CST x");
        check(" ERROR x", None, " ERROR x");
        check(" -12 x", None, " -12 x");
        check(" - x", None, " - x");
        check("Zulu", None, "Zulu");
        check("+99:00", None, "+99:00");
        check("", None, "");
    }
}
