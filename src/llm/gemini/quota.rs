//! How long does a 429 mean? Reads `RetryInfo`, quota ids and the message. Reads the clock only for Pacific midnight.

use std::time::Duration;

use jiff::ToSpan;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Longest wait believed. A day quota ends within 25 hours.
const LONGEST: Duration = Duration::from_secs(48 * 3600);

/// The delay of `google.rpc.RetryInfo`, or of a message that says `Please retry in 12.3s`.
pub fn delay(details: &[Value], message: &str) -> Option<Duration> {
    details
        .iter()
        .filter_map(|detail| detail.get("retryDelay")?.as_str())
        .find_map(parse_delay)
        .or_else(|| parse_delay(message.split_once("lease retry in ")?.1))
}

/// `26s`, `34.074824224s`, `900ms`, `14h23m5.5s`, at the start of `text`.
pub fn parse_delay(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut any = false;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let (number, after) = rest.split_at_checked(digits)?;
        let number = number.strip_suffix('.').unwrap_or(number);
        let Ok(number) = number.parse::<f64>() else { break };
        let (unit, after) = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]
            .iter()
            .find_map(|(name, seconds)| Some((*seconds, after.strip_prefix(name)?)))?;
        total = total.saturating_add(Duration::try_from_secs_f64(number * unit).unwrap_or(LONGEST));
        any = true;
        rest = after;
    }
    any.then_some(total.min(LONGEST))
}

/// True when a violated quota id contains `part`: `PerDay`, `PerMinute`.
pub fn violates(details: &[Value], part: &str) -> bool {
    violations(details).filter_map(|violation| violation.get("quotaId")?.as_str()).any(|id| id.contains(part))
}

/// The project has no quota for this model at all: waiting does not help.
pub fn is_zero(details: &[Value], message: &str) -> bool {
    violations(details).any(|violation| violation.get("quotaValue").and_then(Value::as_str) == Some("0"))
        || message.match_indices("limit: 0").any(|(at, found)| {
            let mut after = message.get(at + found.len()..).unwrap_or_default().chars();
            match after.next() {
                None => true,
                Some('.') => !after.next().is_some_and(|c| c.is_ascii_digit()),
                Some(c) => !c.is_ascii_digit(),
            }
        })
}

/// Time until the day quota is new: midnight in California, plus a minute for clocks that differ.
pub fn until_pacific_midnight(now: jiff::Timestamp) -> Duration {
    // The rule itself instead of a zone name: needs no time zone files. 08:00 UTC is never too early.
    let zone = TimeZone::posix("PST8PDT,M3.2.0,M11.1.0").unwrap_or(TimeZone::fixed(jiff::tz::offset(-8)));
    let midnight = now.to_zoned(zone).tomorrow().and_then(|day| day.start_of_day()).map(|day| day.timestamp());
    let midnight = midnight.or_else(|_| now.checked_add(24.hours())).unwrap_or(now);
    let wait = Duration::try_from(midnight.duration_since(now)).unwrap_or_default();
    wait.saturating_add(Duration::from_secs(60)).min(LONGEST)
}

fn violations(details: &[Value]) -> impl Iterator<Item = &Value> {
    details.iter().filter_map(|detail| detail.get("violations")?.as_array()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<u64>) {
        assert_eq!(parse_delay(text).map(|delay| delay.as_millis() as u64), expected, "{text}");
    }

    #[test]
    fn delays() {
        check("26s", Some(26_000));
        check("34.074824224s", Some(34_074));
        check("900ms", Some(900));
        check("14h23m5.5s.", Some(51_785_500));
        check("51820.6s", Some(51_820_600));
        check("1.5s, or upgrade", Some(1_500));
        check("99999999999999999999999999h", Some(172_800_000));
        check("", None);
        check("s", None);
        check("5", None);
        check("1.2.3s", None);
        check("-5s", None);
    }

    #[track_caller]
    fn check_zero(message: &str, expected: bool) {
        assert_eq!(is_zero(&[], message), expected, "{message}");
    }

    #[test]
    fn no_quota_at_all() {
        check_zero("Quota exceeded for metric: x, limit: 0, model: y", true);
        check_zero("limit: 0", true);
        check_zero("limit: 0.", true);
        check_zero("limit: 05", false);
        check_zero("limit: 0.5", false);
        check_zero("limit: 20", false);
    }

    #[track_caller]
    fn check_midnight(now: &str, minutes: u64) {
        assert_eq!(until_pacific_midnight(now.parse().unwrap()), Duration::from_secs(minutes * 60 + 60), "{now}");
    }

    #[test]
    fn midnight_in_california() {
        check_midnight("2026-11-22T12:00:00Z", 20 * 60);
        check_midnight("2026-11-22T07:59:00Z", 1);
        check_midnight("2026-07-01T06:30:00Z", 30);
        // The clocks go back on 2026-11-01: that day has 25 hours.
        check_midnight("2026-11-01T07:00:00Z", 25 * 60);
    }
}
