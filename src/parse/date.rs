//! A date and time as a line writes it, before anybody asks which year or zone was meant. Arithmetic only.

/// Which parts of a date a stamp carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Date {
    Full {
        year: i32,
        month: u8,
        day: u8,
    },
    /// `Nov 22`, `11-22`.
    NoYear {
        month: u8,
        day: u8,
    },
    /// `17/06/09`: the writer alone knows the order.
    Triple {
        first: u8,
        second: u8,
        third: u8,
    },
    /// `06/09/2017`: month or day comes first.
    MonthDay {
        first: u8,
        second: u8,
        year: i32,
    },
    /// Only a time of day.
    Absent,
}

/// A time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct TimeOfDay {
    pub hour: u8,
    pub minute: u8,
    /// Up to 60: leap seconds happen.
    pub second: u8,
    pub micros: u32,
}

impl TimeOfDay {
    /// Seconds since midnight; `None` when out of range.
    pub fn seconds(self) -> Option<i64> {
        (self.hour < 24 && self.minute < 60 && self.second <= 60)
            .then(|| i64::from(self.hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second))
    }
}

/// The number of a month from its English three-letter name.
pub(super) fn month_number(name: &[u8]) -> Option<u8> {
    Some(match name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Days from 1970-01-01 to this date; `None` when there is no such date. (Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`.)
pub(super) fn days_since_epoch(year: i32, month: u8, day: u8) -> Option<i64> {
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) || !(0..=9_999).contains(&year) {
        return None;
    }
    let shifted_year = i64::from(year) - i64::from(month <= 2);
    let era = shifted_year.div_euclid(400);
    let year_of_era = shifted_year.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The year that many days after 1970-01-01.
pub(super) fn year_of_day(days_since_epoch: i64) -> i32 {
    let shifted = days_since_epoch.saturating_add(719_468);
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years start in March here; January and February belong to the next one.
    i32::try_from(era * 400 + year_of_era + i64::from(day_of_year >= 306)).unwrap_or(1970)
}

fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_years_agree_with_the_calendar() {
        for (year, month, day) in [(1970, 1, 1), (2000, 2, 29), (2026, 11, 22), (1999, 12, 31), (2100, 3, 1), (1, 1, 1)]
        {
            let date = jiff::civil::date(i16::try_from(year).expect("small"), month, day);
            let expected = date.since(jiff::civil::date(1970, 1, 1)).expect("in range").get_days();
            let days = days_since_epoch(year, month.unsigned_abs(), day.unsigned_abs()).expect("a date");
            assert_eq!(days, i64::from(expected), "{year}-{month}-{day}");
            assert_eq!(year_of_day(days), year);
        }
        for (year, month, day) in
            [(2023, 2, 29), (2024, 4, 31), (2024, 0, 1), (2024, 13, 1), (2024, 1, 0), (2024, 1, 32)]
        {
            assert_eq!(days_since_epoch(year, month, day), None);
        }
    }
}
