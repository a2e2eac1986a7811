//! What a process costs, from /proc; what a list of durations comes to; one row for each figure. Starts and stops nothing.

use std::time::Duration;

/// Clock ticks a second in /proc/PID/stat: 100 on every Linux that Debian runs on.
const TICKS: f64 = 100.0;

/// CPU seconds of a process so far, with threads that have ended and children it has waited for. Exact to 10 ms.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = read(pid, "stat");
    // The command in parentheses may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a stat line").1.split_ascii_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().expect("a number");
    (11..=14).map(ticks).sum::<f64>() / TICKS
}

/// A line of /proc/PID/status that is in kB, as MB.
pub fn megabytes(pid: u32, name: &str) -> f64 {
    number(&read(pid, "status"), name).expect("a known name") / 1024.0
}

/// How often its threads went to sleep so far, threads that have ended left out.
pub fn wake_ups(pid: u32) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
    threads
        // A thread may end meanwhile.
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("status")).ok())
        .filter_map(|status| number(&status, "voluntary_ctxt_switches"))
        .sum()
}

fn number(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().trim_end_matches(" kB").parse().expect("a number"))
}

fn read(pid: u32, name: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/{name}")).expect("the process lives")
}

/// Where a figure should lie.
pub enum Target {
    Below(f64),
    AtLeast(f64),
    None,
}

/// One figure, one row.
pub fn row(name: &str, value: f64, unit: &str, target: Target) {
    let (text, met) = match target {
        Target::Below(limit) => (format!("<= {limit}"), value <= limit),
        Target::AtLeast(limit) => (format!(">= {limit}"), value >= limit),
        Target::None => (String::new(), true),
    };
    let digits = if value.abs() >= 1_000.0 { 0 } else { 3 };
    println!("{name:<52} {value:>12.digits$} {unit:<18} {text:<10} {}", if met { "" } else { "MISSED" });
}

/// p50, p99 and the largest, as three rows in milliseconds.
pub fn rows(name: &str, mut samples: Vec<Duration>, limit: Duration) {
    samples.sort_unstable();
    let at = |share: f64| samples[((samples.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    let limit = limit.as_secs_f64() * 1e3;
    row(&format!("{name} p50"), at(0.50), "ms", Target::Below(limit));
    row(&format!("{name} p99"), at(0.99), "ms", Target::Below(limit));
    row(&format!("{name} max of {}", samples.len()), at(1.0), "ms", Target::Below(limit));
}
