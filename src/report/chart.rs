//! Counts over time as a report shows them: a timeline, and hours of the day. Counts nothing itself.

use std::collections::BTreeMap;

use super::analysis::{Bucket, Heat, Timeline};
use super::series::Series;
use super::week::Week;
use crate::model::Timestamp;

/// Days of the heat map shown one by one; beyond, the days of the week.
const DAYS: usize = 31;

/// Every step of the span, those without lines too: a gap is seen as one.
pub fn timeline(series: &Series) -> Timeline {
    let step = series.step();
    let Some((from, _)) = series.covered() else { return Timeline::default() };
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut next = from;
    for (start, lines, anomalies) in series.steps() {
        while next < start.as_seconds() {
            buckets.push(Bucket { start: Timestamp::from_seconds(next), lines: 0, anomalies: 0 });
            next = next.saturating_add_unsigned(step);
        }
        buckets.push(Bucket { start, lines, anomalies });
        next = start.as_seconds().saturating_add_unsigned(step);
    }
    Timeline { bucket_seconds: step, buckets }
}

/// Day by day, or by weekday where there are many days.
pub fn heat(hours: &Series, week: &Week, zone: &jiff::tz::TimeZone) -> Heat {
    let mut days: BTreeMap<jiff::civil::Date, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
    // Steps that have grown beyond an hour know no hours of the day.
    if hours.step() > 3_600 {
        return week.heat();
    }
    for (time, lines, anomalies) in hours.steps() {
        let at = jiff::Timestamp::from(time).to_zoned(zone.clone());
        let (line_row, anomaly_row) = days.entry(at.date()).or_insert_with(|| (vec![0; 24], vec![0; 24]));
        let hour = usize::try_from(at.hour()).unwrap_or(0);
        if let (Some(line_cell), Some(anomaly_cell)) = (line_row.get_mut(hour), anomaly_row.get_mut(hour)) {
            *line_cell += lines;
            *anomaly_cell += anomalies;
        }
    }
    if days.len() > DAYS {
        return week.heat();
    }
    let mut heat = Heat::default();
    for (day, (lines, anomalies)) in days {
        heat.rows.push(day.to_string());
        heat.lines.push(lines);
        heat.anomalies.push(anomalies);
    }
    heat
}
