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

/// The last offset looked up, good for a quarter of an hour of local time: lines come in bursts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OffsetCache {
    slot: Option<i64>,
    offset: i64,
}

/// What a stamp is measured against while one line is parsed.
pub(super) struct Clock<'c> {
    zone: &'c TimeZone,
    reference: Timestamp,
    cache: &'c mut OffsetCache,
}

impl<'c> Clock<'c> {
    pub fn new(zone: &'c TimeZone, reference: Timestamp, cache: &'c mut OffsetCache) -> Clock<'c> {
        Clock { zone, reference, cache }
    }

    /// The moment, or `None` with a note when its numbers are out of range. Notes a guess.
    pub fn resolve(&mut self, stamp: &Stamp, notes: &mut Notes) -> Option<Timestamp> {
        let moment = match stamp {
            Stamp::Micros(micros) => return Some(Timestamp::from_micros(*micros)),
            Stamp::Moment(moment) => moment,
        };
        let time = self.settle(moment, notes);
        notes.odd_field |= time.is_none();
        time
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
                let days =
                    days_since_epoch(year, first, second).filter(|days| !self.is_ahead(days * DAY + time_of_day));
                days.or_else(|| days_since_epoch(year, second, first))
                    .or_else(|| days_since_epoch(year, first, second))?
                    * DAY
            }
            Date::Absent => {
                notes.guessed_time = true;
                let today = (self.reference.as_seconds() + self.cache.offset).div_euclid(DAY) * DAY;
                let ahead = today + time_of_day - self.cache.offset - self.reference.as_seconds() > AHEAD_SAME_DAY;
                if ahead { today - DAY } else { today }
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
    fn newest_year(&self, month: u8, day: u8, time_of_day: i64) -> Option<i64> {
        let newest = year_of_day((self.reference.as_seconds() + AHEAD_MAX).div_euclid(DAY)) + 1;
        (newest - 9..=newest)
            .rev()
            .filter_map(|year| days_since_epoch(year, month, day))
            .map(|days| days * DAY)
            .find(|midnight| !self.is_ahead(midnight + time_of_day))
    }

    /// The first reading (two-digit year, month, day) that lies in the three years before the reference; else the first
    /// that is a date at all.
    fn likeliest(&self, readings: [(u8, u8, u8); 3], time_of_day: i64) -> Option<i64> {
        let midnights = readings.map(|(year, month, day)| {
            let century = if year < 70 { 2_000 } else { 1_900 };
            days_since_epoch(century + i32::from(year), month, day).map(|days| days * DAY)
        });
        let recent = self.reference.as_seconds() - 3 * 366 * DAY;
        midnights
            .into_iter()
            .flatten()
            .find(|midnight| *midnight >= recent && !self.is_ahead(midnight + time_of_day))
            .or_else(|| midnights.into_iter().flatten().next())
    }

    /// Good to the hour or so: the offset is the last one seen.
    fn is_ahead(&self, local: i64) -> bool {
        local - self.cache.offset > self.reference.as_seconds() + AHEAD_MAX
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
