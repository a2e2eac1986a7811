//! Lines by weekday and hour of a time zone, for spans too long to show day by day. Bounded: a week.

use super::analysis::Heat;
use crate::model::Timestamp;

const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// 168 hours.
#[derive(Clone, Debug)]
pub struct Week {
    zone: jiff::tz::TimeZone,
    lines: Vec<u64>,
    rows: Vec<u64>,
    /// Lines of one hour mostly come together: the last hour since the epoch, and its place in the week.
    last: (i64, usize),
}

impl Week {
    pub fn new(zone: jiff::tz::TimeZone) -> Week {
        Week { zone, lines: vec![0; 168], rows: vec![0; 168], last: (i64::MIN, 0) }
    }

    pub fn add(&mut self, time: Timestamp, lines: u64, rows: u64) {
        // Quarters: zones differ by them.
        let quarter = time.as_seconds().div_euclid(900);
        if quarter != self.last.0 {
            let civil = jiff::Timestamp::from(time).to_zoned(self.zone.clone());
            let hour = i64::from(civil.weekday().to_monday_zero_offset()) * 24 + i64::from(civil.hour());
            self.last = (quarter, usize::try_from(hour).unwrap_or(0));
        }
        if let (Some(line_cell), Some(row_cell)) = (self.lines.get_mut(self.last.1), self.rows.get_mut(self.last.1)) {
            *line_cell += lines;
            *row_cell += rows;
        }
    }

    pub fn heat(&self) -> Heat {
        let by_day = |cells: &[u64]| cells.chunks(24).map(<[u64]>::to_vec).collect();
        let rows = NAMES.iter().map(|name| (*name).to_owned()).collect();
        Heat { rows, lines: by_day(&self.lines), anomalies: by_day(&self.rows) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_the_zone() {
        let mut week = Week::new(jiff::tz::TimeZone::fixed(jiff::tz::offset(5)));
        // A Thursday.
        week.add(Timestamp::EPOCH, 3, 1);
        week.add(Timestamp::from_seconds(3_600 * 20), 1, 0);
        let heat = week.heat();
        assert_eq!((heat.lines[3][5], heat.anomalies[3][5], heat.lines[4][1]), (3, 1, 1));
        assert_eq!(heat.lines.iter().flatten().sum::<u64>(), 4);
    }
}
