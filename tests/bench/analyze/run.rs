//! Runs a command to its end and says what that cost. Knows nothing of what it runs.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::gauge::cpu_seconds;

/// How often its memory is looked at: what it takes in its very last moments is not seen.
const LOOK: Duration = Duration::from_millis(5);

/// Of a whole process, with the children it waited for.
#[derive(Clone, Copy)]
pub struct Cost {
    /// User and system, in seconds.
    pub cpu: f64,
    /// In seconds.
    pub wall: f64,
    /// Resident, in MiB; of the process alone.
    pub peak: f64,
}

/// What it had cost when it wrote its first bytes to standard output.
#[derive(Clone, Copy)]
pub struct First {
    pub cpu: f64,
    pub wall: f64,
}

/// With what it had cost when it first said something; `None` when it never did. Its output goes through a pipe: grep, for
/// one, stops at the first line where it sees /dev/null. Ends the bench when the command cannot be run or fails.
pub fn run(command: &mut Command) -> (Cost, Option<First>) {
    let begin = Instant::now();
    let mut child = spawn(command);
    let (mut out, pid) = (child.stdout.take().expect("piped"), child.id());
    let listener = std::thread::spawn(move || {
        let mut bytes = [0; 1 << 16];
        let said = out.read(&mut bytes).expect("the pipe can be read") > 0;
        // It is reaped only once this thread has ended.
        let first = First { cpu: cpu_seconds(pid), wall: begin.elapsed().as_secs_f64() };
        while out.read(&mut bytes).expect("the pipe can be read") > 0 {}
        said.then_some(first)
    });
    let cost = watched(&child, begin);
    let first = listener.join().expect("it listened");
    reap(child, command);
    (cost, first)
}

fn spawn(command: &mut Command) -> Child {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    piped.spawn().unwrap_or_else(|error| fail(command, &error.to_string()))
}

/// Waits for the end, and leaves in /proc what can be read there.
fn watched(child: &Child, begin: Instant) -> Cost {
    let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let mut peak = 0.0_f64;
    while waitid(WaitId::Pid(Pid::from_child(child)), how).expect("a child of ours").is_none() {
        peak = peak.max(peak_megabytes(child.id()).unwrap_or(0.0));
        std::thread::sleep(LOOK);
    }
    Cost { cpu: cpu_seconds(child.id()), wall: begin.elapsed().as_secs_f64(), peak }
}

fn reap(mut child: Child, command: &Command) {
    let status = child.wait().expect("a child of ours");
    if !status.success() {
        fail(command, &status.to_string());
    }
}

fn fail(command: &Command, why: &str) -> ! {
    eprintln!("error: {command:?}: {why}");
    std::process::exit(1)
}

/// The most memory that a process had so far, in MB; `None` once it has ended.
fn peak_megabytes(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"))?;
    Some(kilobytes.trim().parse::<f64>().ok()? / 1024.0)
}
