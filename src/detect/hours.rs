//! What an hour of the week usually brings: lines, and the fullest minute in it. 336 bytes a series. Knows what a season is,
//! not what is odd about it.

use serde::{Deserialize, Serialize};

const SLOTS: usize = 168;
/// Marks an hour that was never seen.
const UNSEEN: u8 = u8::MAX;
/// Counts are kept as eight steps an octave: within 5 %.
const STEPS_PER_OCTAVE: f32 = 8.0;
/// Weight of the newest week.
const NEWEST: f32 = 0.3;
/// What is left of a peak a week later.
const FADING: f32 = 0.8;
/// More full hours in a day are no season.
const FULL_HOURS: usize = 6;
/// Days at the same hour before they say anything.
const DAYS: usize = 3;

/// One series over the hours of a week, UTC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    lines: [u8; SLOTS],
    peaks: [u8; SLOTS],
    /// Hours recorded so far.
    seen: u32,
}

/// What is usual at some hour.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Usual {
    /// Lines in the emptiest and in the fullest of the hours that compare with it.
    pub least: f32,
    pub most: f32,
    /// Lines in the fullest minute of those hours.
    pub peak: f32,
}

impl Default for Hours {
    fn default() -> Hours {
        Hours { lines: [UNSEEN; SLOTS], peaks: [UNSEEN; SLOTS], seen: 0 }
    }
}

impl Hours {
    /// An hour (counted from the epoch) is over: its lines, and those of its fullest minute.
    pub fn record(&mut self, hour: i64, lines: u32, peak: u32) {
        let slot = slot(hour);
        self.seen = self.seen.saturating_add(1);
        if let Some(known) = self.lines.get_mut(slot) {
            let mean = match *known {
                UNSEEN => lines as f32,
                before => decode(before) * (1.0 - NEWEST) + lines as f32 * NEWEST,
            };
            *known = encode(mean);
        }
        if let Some(known) = self.peaks.get_mut(slot) {
            *known = match *known {
                UNSEEN => encode(peak as f32),
                before => encode((decode(before) * FADING).max(peak as f32)),
            };
        }
    }

    /// What is usual at this hour: of the same hour in the weeks before, once there are two; until then of the same hour
    /// on other days. The hours before and after count too, for clocks that change in spring. `None` with too little
    /// history.
    pub fn usual(&self, hour: i64) -> Option<Usual> {
        let weekly = self.seen as usize >= 2 * SLOTS;
        let days: &[i64] = if weekly { &[0] } else { &[0, 1, 2, 3, 4, 5, 6] };
        let exact = days.iter().filter(|day| self.at(hour + **day * 24).is_some()).count();
        if exact < if weekly { 1 } else { DAYS } {
            return None;
        }
        days.iter()
            .flat_map(|day| [-1, 0, 1].map(|near| hour + day * 24 + near))
            .filter_map(|hour| self.at(hour))
            .map(|(lines, peak)| Usual { least: lines, most: lines, peak })
            .reduce(|all, one| Usual {
                least: all.least.min(one.least),
                most: all.most.max(one.most),
                peak: all.peak.max(one.peak),
            })
    }

    /// The full minutes come at the same few hours of the day, on most days: at other hours they are not usual.
    pub fn is_confined(&self) -> bool {
        let peak = |slot: &usize| self.peaks.get(*slot).copied().filter(|code| *code != UNSEEN).map(decode);
        let fullest = (0..SLOTS).filter_map(|slot| peak(&slot)).fold(0.0, f32::max);
        let mut full_hours = 0;
        for hour in 0..24 {
            let days: Vec<f32> = (hour..SLOTS).step_by(24).filter_map(|slot| peak(&slot)).collect();
            let full = days.iter().filter(|day| **day * 3.0 >= fullest).count();
            if full > 0 && full * 5 < days.len() * 3 {
                return false;
            }
            full_hours += usize::from(full > 0);
        }
        full_hours <= FULL_HOURS
    }

    fn at(&self, hour: i64) -> Option<(f32, f32)> {
        let (lines, peak) = (*self.lines.get(slot(hour))?, *self.peaks.get(slot(hour))?);
        (lines != UNSEEN).then(|| (decode(lines), decode(peak)))
    }
}

fn slot(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(SLOTS as i64)).unwrap_or(0)
}

fn encode(count: f32) -> u8 {
    ((count + 1.0).log2() * STEPS_PER_OCTAVE).round().clamp(0.0, f32::from(UNSEEN - 1)) as u8
}

fn decode(code: u8) -> f32 {
    (f32::from(code) / STEPS_PER_OCTAVE).exp2() - 1.0
}

/// On disk: `seen:` and two hex digits an hour, lines then peaks.
impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        let mut text = format!("{}:", hours.seen);
        for code in hours.lines.iter().chain(&hours.peaks) {
            text.push_str(&format!("{code:02x}"));
        }
        text
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Hours, String> {
        let wrong = || "not the hours of a week".to_owned();
        let (seen, codes) = text.split_once(':').ok_or_else(wrong)?;
        let mut hours = Hours { seen: seen.parse().map_err(|_| wrong())?, ..Hours::default() };
        let codes: Vec<u8> = codes
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<Vec<u8>>>()
            .filter(|codes| codes.len() == 2 * SLOTS)
            .ok_or_else(wrong)?;
        for (known, code) in hours.lines.iter_mut().chain(&mut hours.peaks).zip(codes) {
            *known = code;
        }
        Ok(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each hour of so many days brings what `lines` says of its hour of the day; expected at `hour`: about so many.
    #[track_caller]
    fn check(days: i64, lines: impl Fn(i64) -> u32, hour: i64, expected: Option<(f32, f32)>) {
        let mut hours = Hours::default();
        (0..days * 24).for_each(|hour| hours.record(hour, lines(hour), lines(hour) / 10));
        let usual = hours.usual(hour).map(|usual| (usual.least, usual.most));
        match (usual, expected) {
            (None, None) => {}
            (Some(usual), Some(expected)) => {
                let near = |one: f32, other: f32| (one - other).abs() <= 1.0 + other * 0.1;
                assert!(near(usual.0, expected.0) && near(usual.1, expected.1), "{usual:?}, not {expected:?}");
            }
            _ => panic!("{usual:?}, not {expected:?}"),
        }
    }

    #[test]
    fn days_then_weeks() {
        let at_three = |hour: i64| if hour % 24 == 3 { 1_000 } else { 10 };
        check(2, at_three, 51, None);
        check(4, at_three, 99, Some((10.0, 1_000.0)));
        check(4, at_three, 111, Some((10.0, 10.0)));
        // Sundays only, and after two weeks the other days know it.
        let sundays = |hour: i64| if hour % 168 == 3 { 1_000 } else { 10 };
        check(8, sundays, 27 + 168, Some((10.0, 1_000.0)));
        check(15, sundays, 27 + 336, Some((10.0, 10.0)));
        check(15, sundays, 3 + 336, Some((10.0, 1_000.0)));
    }

    #[test]
    fn bursts_at_any_hour_are_no_season() {
        let of = |lines: fn(i64) -> u32| {
            let mut hours = Hours::default();
            (0..240).for_each(|hour| hours.record(hour, lines(hour), lines(hour)));
            hours.is_confined()
        };
        assert!(of(|hour| if hour % 24 == 3 { 1_000 } else { 10 }));
        assert!(!of(|hour| if hour % 31 == 3 { 1_000 } else { 10 }));
        assert!(!of(|_| 10));
    }

    #[test]
    fn survives_a_restart() {
        let mut hours = Hours::default();
        (0..400).for_each(|hour| hours.record(hour, u32::MAX, 3));
        let text = String::from(hours.clone());
        assert_eq!(Hours::try_from(text), Ok(hours));
        for hostile in ["", "1:", "1:zz", "x:00", "1:äöü"] {
            assert!(Hours::try_from(hostile.to_owned()).is_err(), "{hostile}");
        }
    }
}
