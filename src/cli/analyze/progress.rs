//! What a run says on the way: each incident as it comes, and on a terminal how far the reading is: a bar, lines a second,
//! and how long it will still take.

use std::cell::Cell;
use std::io::Write;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use crate::analysis::output;
use crate::model::{Incident, clip, inert::one_line};

/// Drawn at most so often.
const EVERY: Duration = Duration::from_millis(200);
const WIDTH: usize = 24;
/// Longest line about an incident.
const TOLD_BYTES: usize = 160;

/// One line on standard error, drawn again and again.
pub struct Progress {
    on: bool,
    /// Whether incidents are told, and in which zone their times are.
    zone: Option<TimeZone>,
    began: Instant,
    drawn: Cell<Option<Instant>>,
}

impl Progress {
    /// `zone` where incidents are told.
    pub fn new(on: bool, zone: Option<TimeZone>) -> Progress {
        Progress { on, zone, began: Instant::now(), drawn: Cell::new(None) }
    }

    /// This incident was just found.
    pub fn found(&self, incident: &Incident) -> anyhow::Result<()> {
        let Some(zone) = &self.zone else { return Ok(()) };
        self.done();
        output::show(&told(incident, zone))
    }

    /// So many bytes and lines are read, of so many bytes in all; 0 when nobody knows.
    pub fn at(&self, bytes: u64, total: u64, lines: u64) {
        if !self.on || self.drawn.get().is_some_and(|drawn| drawn.elapsed() < EVERY) {
            return;
        }
        let text = bar(total, bytes, lines, self.began.elapsed().as_secs_f64());
        self.draw(&text);
    }

    /// What happens instead of reading.
    pub fn say(&self, what: &str) {
        if self.on {
            self.draw(what);
        }
    }

    /// Takes the line away.
    pub fn done(&self) {
        if self.on && self.drawn.get().is_some() {
            self.draw("");
        }
    }

    fn draw(&self, text: &str) {
        self.drawn.set(Some(Instant::now()));
        let mut out = std::io::stderr().lock();
        // A terminal that is gone needs no bar.
        let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
    }
}

/// One incident in a line.
fn told(incident: &Incident, zone: &TimeZone) -> String {
    let time = jiff::Timestamp::from(incident.first_seen).to_zoned(zone.clone());
    let program = if incident.program.is_empty() { String::new() } else { format!("{}: ", incident.program) };
    let line = one_line(&format!("{program}{}: {}", incident.title, incident.reason));
    let severity = incident.severity.as_str();
    format!("{}  {severity:<8}  {}\n", time.strftime("%Y-%m-%d %H:%M:%S"), clip(&line, TOLD_BYTES))
}

fn bar(total: u64, bytes: u64, lines: u64, seconds: f64) -> String {
    let rate = lines as f64 / seconds.max(0.001);
    let rate =
        if rate >= 1e6 { format!("{:.1} M lines/s", rate / 1e6) } else { format!("{:.0} k lines/s", rate / 1e3) };
    if total == 0 {
        return format!("{lines} lines, {rate}");
    }
    let share = (bytes as f64 / total as f64).clamp(0.0, 1.0);
    let full = (share * WIDTH as f64) as usize;
    let left = if share > 0.01 { seconds / share * (1.0 - share) } else { 0.0 };
    let left = if share > 0.01 { format!(", {} left", clock(left)) } else { String::new() };
    format!("[{}{}] {:>3.0} %  {lines} lines, {rate}{left}", "#".repeat(full), "-".repeat(WIDTH - full), share * 100.0)
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    if seconds < 60 { format!("{seconds} s") } else { format!("{}:{:02} min", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_rate_and_rest() {
        assert_eq!(
            bar(1_000, 250, 2_000_000, 1.0),
            "[######------------------]  25 %  2000000 lines, 2.0 M lines/s, 3 s left"
        );
        assert_eq!(bar(0, 250, 5_000, 1.0), "5000 lines, 5 k lines/s");
        assert!(bar(10, 1, 1, 600.0).ends_with("90:00 min left"));
    }
}
