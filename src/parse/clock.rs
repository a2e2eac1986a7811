//! Which moment a stamp means: settles missing years, days and zones against a reference. Reads no clock of its own.

use jiff::civil;
use jiff::tz::TimeZone;

use crate::model::{Notes, Timestamp};

use super::date::{Date, days_since_epoch, year_of_day};
use super::stamp::{Moment, Stamp};

/// Stamps may be this much ahead of the reference before they are taken for last year's, in seconds.
const AHEAD_MAX: i64 = 86_400;
/// A time of day without a date may be this much ahead of the reference, in seconds.
const AHEAD_SAME_DAY: i64 = 3_600;
/// No zone has changed its offset off this grid since 1972, in seconds.
const OFFSET_GRID: i64 = 900;
const DAY: i64 = 86_400;

/// What was settled last, good for a quarter of an hour: lines come in bursts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OffsetCache {
    /// The quarter of local time `offset` was looked up for.
    slot: Option<i64>,
    offset: i64,
    /// The reference `reference_offset` was looked up for.
    reference: Option<i64>,
    reference_offset: i64,
    /// The last date, hour and quarter, with the reference; and when that quarter began, in seconds.
    quarter: Option<(Quarter, i64)>,
}

/// All that decides what moment a stamp means, to the quarter of an hour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Quarter {
    date: Date,
    offset: Option<i32>,
    hour: u8,
    quarter: u8,
    reference: i64,
    guessed: bool,
}

/// What a stamp is measured against while one line is parsed.
pub(super) struct Clock<'c> {
    zone: &'c TimeZone,
    /// In seconds, rounded down to the grid: what is guessed is the same for a whole quarter of an hour, so that an
    /// answer never depends on what was asked before.
    reference: i64,
    cache: &'c mut OffsetCache,
}

impl<'c> Clock<'c> {
    pub fn new(zone: &'c TimeZone, reference: Timestamp, cache: &'c mut OffsetCache) -> Clock<'c> {
        Clock { zone, reference: rounded(reference), cache }
    }

    /// What guesses are measured against: the same for a whole quarter of an hour.
    pub fn reference(&self) -> i64 {
        self.reference
    }

    /// The moment, or `None` with a note when its numbers are out of range. Notes a guess.
    pub fn resolve(&mut self, stamp: &Stamp, notes: &mut Notes) -> Option<Timestamp> {
        let moment = match stamp {
            Stamp::Epoch { micros, .. } => return Some(Timestamp::from_micros(*micros)),
            Stamp::Moment(moment) => moment,
        };
        let time = moment.time;
        let mut quarter = Quarter {
            date: moment.date,
            offset: moment.offset,
            hour: time.hour,
            quarter: time.minute / 15,
            reference: self.reference,
            guessed: true,
        };
        let within = i64::from(time.minute % 15) * 60 + i64::from(time.second);
        // Only times in range are ever kept, but seconds are not part of the key.
        if let Some((kept, began)) = self.cache.quarter
            && time.second <= 60
        {
            quarter.guessed = kept.guessed;
            if kept == quarter {
                notes.guessed_time |= kept.guessed;
                return Some(Timestamp::from_micros((began + within) * 1_000_000 + i64::from(time.micros)));
            }
        }
        let mut guesses = Notes::default();
        let settled = self.settle(moment, &mut guesses);
        notes.guessed_time |= guesses.guessed_time;
        notes.odd_field |= settled.is_none();
        quarter.guessed = guesses.guessed_time;
        self.cache.quarter = settled.map(|settled| (quarter, settled.as_seconds() - within));
        settled
    }

    fn settle(&mut self, moment: &Moment, notes: &mut Notes) -> Option<Timestamp> {
        let time_of_day = moment.time.seconds()?;
        let local = match moment.date {
            Date::Full { year, month, day } => days_since_epoch(year, month, day)? * DAY,
            Date::NoYear { month, day } => {
                notes.guessed_time = true;
                self.newest_year(month, day, time_of_day)?
            }
            Date::Triple { first, second, third } => {
                notes.guessed_time = true;
                self.likeliest([(first, second, third), (third, first, second), (third, second, first)], time_of_day)?
            }
            Date::MonthDay { first, second, year } => {
                notes.guessed_time |= first <= 12 && second <= 12;
                let limit = self.reference_local() + AHEAD_MAX;
                let days =
                    days_since_epoch(year, first, second).filter(|days| !is_later(days * DAY + time_of_day, limit));
                days.or_else(|| days_since_epoch(year, second, first))
                    .or_else(|| days_since_epoch(year, first, second))?
                    * DAY
            }
            Date::Absent => {
                notes.guessed_time = true;
                let now = self.reference_local();
                let today = now.div_euclid(DAY) * DAY;
                if is_later(today + time_of_day, now + AHEAD_SAME_DAY) { today - DAY } else { today }
            }
        };
        let local = local + time_of_day;
        let offset = match moment.offset {
            Some(seconds) => i64::from(seconds),
            None => {
                notes.guessed_time = true;
                self.offset_at(local)?
            }
        };
        Some(Timestamp::from_micros((local - offset) * 1_000_000 + i64::from(moment.time.micros)))
    }

    /// Midnight of this day in the newest year that is not ahead of the reference. Looks back far enough for Feb 29.
    fn newest_year(&mut self, month: u8, day: u8, time_of_day: i64) -> Option<i64> {
        let limit = self.reference_local() + AHEAD_MAX;
        let newest = year_of_day(limit.div_euclid(DAY)) + 1;
        (newest - 9..=newest)
            .rev()
            .filter_map(|year| days_since_epoch(year, month, day))
            .map(|days| days * DAY)
            .find(|midnight| !is_later(midnight + time_of_day, limit))
    }

    /// The first reading (two-digit year, month, day) that lies in the three years before the reference; else the first
    /// that is a date at all.
    fn likeliest(&mut self, readings: [(u8, u8, u8); 3], time_of_day: i64) -> Option<i64> {
        let midnights = readings.map(|(year, month, day)| {
            let century = if year < 70 { 2_000 } else { 1_900 };
            days_since_epoch(century + i32::from(year), month, day).map(|days| days * DAY)
        });
        let (recent, limit) = (self.reference_local() - 3 * 366 * DAY, self.reference_local() + AHEAD_MAX);
        midnights
            .into_iter()
            .flatten()
            .find(|midnight| *midnight >= recent && !is_later(midnight + time_of_day, limit))
            .or_else(|| midnights.into_iter().flatten().next())
    }

    /// The reference in local time.
    fn reference_local(&mut self) -> i64 {
        if self.cache.reference != Some(self.reference) {
            let instant = jiff::Timestamp::from(Timestamp::from_seconds(self.reference));
            self.cache.reference_offset = i64::from(self.zone.to_offset(instant).seconds());
            self.cache.reference = Some(self.reference);
        }
        self.reference + self.cache.reference_offset
    }

    /// Seconds east of UTC at this local time. In the gap of a clock change the time is read as before the change.
    fn offset_at(&mut self, local: i64) -> Option<i64> {
        let slot = local.div_euclid(OFFSET_GRID);
        if self.cache.slot == Some(slot) {
            return Some(self.cache.offset);
        }
        let since_epoch = jiff::SignedDuration::from_secs(local);
        let wall = civil::date(1970, 1, 1).at(0, 0, 0, 0).checked_add(since_epoch).ok()?;
        let instant = self.zone.to_ambiguous_timestamp(wall).compatible().ok()?;
        self.cache.offset = local - instant.as_second();
        self.cache.slot = Some(slot);
        Some(self.cache.offset)
    }
}

/// What guesses are measured against: the same for a whole quarter of an hour.
#[inline]
pub(super) fn rounded(reference: Timestamp) -> i64 {
    reference.as_seconds().div_euclid(OFFSET_GRID) * OFFSET_GRID
}

/// Whether the quarter of an hour `local` lies in begins after `limit`.
fn is_later(local: i64, limit: i64) -> bool {
    local.div_euclid(OFFSET_GRID) > limit.div_euclid(OFFSET_GRID)
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::*;

    #[track_caller]
    fn check(zone: &str, reference: &str, stamp: &str, expected: &str) {
        let zone = TimeZone::get(zone).expect("a zone");
        let reference = reference.parse::<jiff::Timestamp>().expect("a time").into();
        let mut cursor = Cursor::new(stamp.as_bytes());
        let parsed = super::super::stamp::stamp(&mut cursor).expect("a stamp");
        assert!(cursor.is_empty(), "left: {cursor:?}");
        let mut notes = Notes::default();
        let time = Clock::new(&zone, reference, &mut OffsetCache::default()).resolve(&parsed, &mut notes);
        let shown = time.map_or_else(|| "none".to_owned(), |time| time.to_string());
        let guessed = if notes.guessed_time { " guessed" } else { "" };
        let odd = if notes.odd_field { " odd" } else { "" };
        assert_eq!(format!("{shown}{guessed}{odd}"), expected, "{stamp}");
    }

    #[test]
    fn years_are_the_newest_that_fit() {
        let reference = "2026-11-22T10:00:00Z";
        check("UTC", reference, "Nov 22 09:59:59", "2026-11-22T09:59:59Z guessed");
        check("UTC", reference, "Nov 23 09:00:00", "2026-11-23T09:00:00Z guessed");
        check("UTC", reference, "Nov 24 09:00:00", "2025-11-24T09:00:00Z guessed");
        check("UTC", reference, "Dec 31 23:59:59", "2025-12-31T23:59:59Z guessed");
        check("UTC", reference, "Feb 29 12:00:00", "2024-02-29T12:00:00Z guessed");
        check("UTC", "2026-12-31T23:59:50Z", "Jan  1 00:00:01", "2027-01-01T00:00:01Z guessed");
        check("UTC", "2027-01-01T00:00:10Z", "Dec 31 23:59:59", "2026-12-31T23:59:59Z guessed");
        check("UTC", "2104-01-01T00:00:10Z", "Feb 29 12:00:00", "2096-02-29T12:00:00Z guessed");
        check("UTC", reference, "11-22 09:59:59.250", "2026-11-22T09:59:59.25Z guessed");
        check("UTC", reference, "09:59:59", "2026-11-22T09:59:59Z guessed");
        check("UTC", reference, "23:59:59", "2026-11-21T23:59:59Z guessed");
    }

    #[test]
    fn zones_and_clock_changes() {
        let reference = "2026-11-22T10:00:00Z";
        check("Europe/Berlin", reference, "Nov 22 10:59:59", "2026-11-22T09:59:59Z guessed");
        check("Europe/Berlin", reference, "Jul  1 12:00:00", "2026-07-01T10:00:00Z guessed");
        check("Europe/Berlin", reference, "2026-03-29 02:30:00", "2026-03-29T01:30:00Z guessed");
        check("Europe/Berlin", reference, "2026-10-25 02:30:00", "2026-10-25T00:30:00Z guessed");
        check("Australia/Lord_Howe", reference, "2026-10-04 02:15:00", "2026-10-03T15:45:00Z guessed");
        check("Asia/Kathmandu", reference, "2026-11-22 00:00:00", "2026-11-21T18:15:00Z guessed");
        check("Europe/Berlin", reference, "2026-11-22T10:00:00+05:30", "2026-11-22T04:30:00Z");
        check("Europe/Berlin", reference, "2026-11-22 10:00:00 UTC", "2026-11-22T10:00:00Z");
        check("Europe/Berlin", reference, "1700000000.123456", "2023-11-14T22:13:20.123456Z");
    }

    #[test]
    fn what_is_remembered_changes_no_answer() {
        let zone = TimeZone::get("Australia/Lord_Howe").expect("a zone");
        let mut cache = OffsetCache::default();
        for minute in 0..2_000 {
            let reference = Timestamp::from_seconds(1_775_318_400 + minute * 7);
            for text in [
                format!("Apr  5 {:02}:{:02}:60", minute / 7 % 26, minute % 61),
                format!("2026-04-05 {:02}:{:02}:{:02}.5 UTC", minute / 60 % 24, minute % 60, minute % 62),
                format!("2026-04-05T01:{:02}:00", minute % 60),
            ] {
                let parsed = super::super::stamp::stamp(&mut Cursor::new(text.as_bytes())).expect("a stamp");
                let (mut with, mut without) = (Notes::default(), Notes::default());
                let remembered = Clock::new(&zone, reference, &mut cache).resolve(&parsed, &mut with);
                let fresh = Clock::new(&zone, reference, &mut OffsetCache::default()).resolve(&parsed, &mut without);
                assert_eq!((remembered, with), (fresh, without), "{text}");
            }
        }
    }

    #[test]
    fn two_digit_dates_lie_near_the_reference() {
        check("UTC", "2017-06-10T00:00:00Z", "17/06/09 20:10:40", "2017-06-09T20:10:40Z guessed");
        check("UTC", "2009-06-18T00:00:00Z", "09/06/17 20:10:40", "2009-06-17T20:10:40Z guessed");
        check("UTC", "2017-09-07T00:00:00Z", "09/06/17 20:10:40", "2017-09-06T20:10:40Z guessed");
        check("UTC", "2017-06-10T00:00:00Z", "09/06/17 20:10:40", "2017-06-09T20:10:40Z guessed");
        check("UTC", "2026-11-22T00:00:00Z", "11/05/2026 08:00:00 PM", "2026-11-05T20:00:00Z guessed");
        check("UTC", "2026-11-22T00:00:00Z", "05/12/2026 20:00:00", "2026-05-12T20:00:00Z guessed");
        check("UTC", "2026-11-22T00:00:00Z", "12/11/2026 20:00:00", "2026-11-12T20:00:00Z guessed");
        check("UTC", "2026-11-22T00:00:00Z", "22/10/2026 20:00:00", "2026-10-22T20:00:00Z guessed");
    }

    #[test]
    fn numbers_out_of_range_are_no_time() {
        let reference = "2026-11-22T10:00:00Z";
        check("UTC", reference, "Nov 32 10:00:00", "none guessed odd");
        check("UTC", reference, "Nov 22 25:00:00", "none odd");
        check("UTC", reference, "2026-13-01T10:00:00Z", "none odd");
        check("UTC", reference, "2026-11-22T10:00:60Z", "2026-11-22T10:01:00Z");
        check("UTC", reference, "2026-11-22T10:00:61Z", "none odd");
    }
}
