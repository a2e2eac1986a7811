//! What a file's name says: which log it belongs to and how old a generation it is. Looks at names only, never at files.

/// The name of the log that `name` is a generation of: without packing suffix, number, date, `.old`.
///
/// `app.log`, `app.log.1`, `app.log.2.gz`, `app.log-20260101`, `app-2026-01-01.log` and `app.log.old` share `app.log`.
pub fn stem(name: &str) -> String {
    let mut stem = String::with_capacity(name.len());
    for (index, segment) in unpacked(name).split('.').enumerate() {
        let kept = if index == 0 && !segment.is_empty() { strip_dates(segment) } else { strip_rotation(segment) };
        if index == 0 {
            stem.push_str(kept);
        } else if !kept.is_empty() {
            stem.push('.');
            stem.push_str(kept);
        }
    }
    stem
}

/// True when the name carries a mark of rotation or packing.
pub fn is_rotated(name: &str) -> bool {
    stem(name) != name
}

/// Sorts generations of one log, oldest first: higher numbers are older, later dates are younger, the bare name is
/// the youngest.
pub fn rank(name: &str) -> i64 {
    let bare = unpacked(name);
    if !is_rotated(bare) {
        return i64::MAX;
    }
    let last = bare.rsplit('.').next().unwrap_or_default();
    if is_number(last) {
        return -last.parse::<i64>().unwrap_or(0);
    }
    // Dates compare as the number their digits make; 14 digits are a date with its time.
    let digits: String = bare.chars().filter(char::is_ascii_digit).collect();
    let date = digits.get(digits.len().saturating_sub(14)..).unwrap_or_default();
    date.parse::<i64>().unwrap_or(0)
}

/// Without the suffix of a packer.
fn unpacked(name: &str) -> &str {
    [".gz", ".xz", ".zst", ".bz2"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

fn strip_rotation(segment: &str) -> &str {
    let marks = ["old", "bak", "prev", "save"];
    if is_number(segment) || is_date(segment) || marks.contains(&segment) { "" } else { strip_dates(segment) }
}

/// Without `-20260101`, `_2026-01-01`, `-20260101-1767225600` at its end.
fn strip_dates(segment: &str) -> &str {
    let mut rest = segment;
    loop {
        let trailing = rest.len()
            - rest
                .trim_end_matches(|character: char| character.is_ascii_digit() || character == '-' || character == '_')
                .len();
        let (head, tail) = rest.split_at(rest.len() - trailing);
        // The longest tail behind a separator that reads as a date, hour or epoch; then look again.
        let cut = tail
            .char_indices()
            .filter(|(_, character)| !character.is_ascii_digit())
            .map(|(at, _)| at)
            .find(|at| is_date(tail.get(at + 1..).unwrap_or_default()));
        match cut {
            Some(at) if head.len() + at > 0 => rest = rest.get(..head.len() + at).unwrap_or(rest),
            _ => return rest,
        }
    }
}

/// The number of a rotation: up to three digits.
fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Digits of a date (8), a month (6), a time stamp (10 to 14), with or without separators.
fn is_date(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let separators = text.bytes().filter(|byte| matches!(byte, b'-' | b'_' | b'T')).count();
    let bounded = text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(|last: char| last.is_ascii_digit())
        && digits + separators == text.len();
    bounded && (matches!(digits, 8 | 10 | 12 | 14) || (digits == 6 && text.starts_with("20"))) && separators <= 5
        || bounded && separators > 0 && (8..=24).contains(&digits) && text.starts_with("20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: &str) {
        assert_eq!(stem(name), expected, "{name}");
    }

    #[test]
    fn stems() {
        for name in ["app.log", "app.log.1", "app.log.12.gz", "app.log-20260101", "app.log-20260101.xz", "app.log.old"]
        {
            check(name, "app.log");
        }
        check("app-2026-01-01.log", "app.log");
        check("app_20260101.log", "app.log");
        check("app.log-20260101-1767225600", "app.log");
        check("app.log.2026-01-01", "app.log");
        check("app.2026-01-01.log.gz", "app.log");
        check("app.1.log", "app.log");
        check("syslog", "syslog");
        check("syslog.7.gz", "syslog");
        check("node-1.log", "node-1.log");
        check("node-2.log", "node-2.log");
        check("app.8080.log", "app.8080.log");
        check("postgresql-14-main.log.1", "postgresql-14-main.log");
        check("20260101.log", "20260101.log");
        check(".hidden", ".hidden");
        check("1", "1");
        check("", "");
        check("é.log.1", "é.log");
    }

    #[test]
    fn ranks_from_old_to_young() {
        for names in [
            &["syslog.10.gz", "syslog.2.gz", "syslog.1", "syslog"][..],
            &["app.log-20251231", "app.log-20260101.gz", "app.log-20260102", "app.log"],
            &["app-2026-01-01.log", "app-2026-01-02.log"],
        ] {
            assert!(names.is_sorted_by_key(|name| rank(name)), "{names:?}");
        }
    }
}
