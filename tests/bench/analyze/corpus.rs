//! The log that is measured: a named one, or one of our own making; its first lines, and ten times as much of it. Runs
//! nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::lines::Generator;

/// How many times as much the big input is.
const TIMES: usize = 10;
/// Between two lines of our own.
const STEP_US: i64 = 10_000;
/// One in so many lines of our own tells of a kill.
const KILLED_EVERY: usize = 20_000;

pub struct Corpus {
    /// What is written here goes with it.
    folder: tempfile::TempDir,
    pub log: PathBuf,
    pub lines: usize,
    pub bytes: u64,
    is_own: bool,
}

impl Corpus {
    /// The log that LOGWREN_CORPUS names, or so many lines of our own.
    pub fn new(own_lines: usize) -> Corpus {
        // Some tools pass over what lies in a hidden folder.
        let folder = tempfile::Builder::new().prefix("logwren-bench-").tempdir().expect("a folder for temporary files");
        let named = std::env::var_os("LOGWREN_CORPUS").map(PathBuf::from);
        let is_own = named.is_none();
        let log = named.unwrap_or_else(|| {
            let log = folder.path().join("part0.log");
            write(&log, 0, own_lines);
            log
        });
        let mut lines = 0;
        each_line(&log, |_| {
            lines += 1;
            true
        });
        let bytes = std::fs::metadata(&log).expect("it was read").len();
        Corpus { folder, log: absolute(&log), lines, bytes, is_own }
    }

    /// A place for a file of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of `count` lines after the first `skipped`, and how many there were.
    pub fn part(&self, skipped: usize, count: usize) -> (PathBuf, usize) {
        let path = self.path(&format!("lines-{skipped}-{count}.log"));
        let mut file = BufWriter::new(File::create(&path).expect("created"));
        let (mut seen, mut written) = (0, 0);
        each_line(&self.log, |line| {
            seen += 1;
            if seen > skipped && written < count {
                written += 1;
                file.write_all(line).expect("written");
            }
            written < count
        });
        file.flush().expect("written");
        (path, written)
    }

    /// Ten files: of our own, days that follow each other; of a named log, the same one by ten names.
    pub fn tenfold(&self) -> Vec<PathBuf> {
        (0..TIMES)
            .map(|part| {
                let path = self.path(&format!("part{part}.log"));
                if !self.is_own {
                    std::os::unix::fs::symlink(&self.log, &path).expect("linked");
                } else if part > 0 {
                    write(&path, part, self.lines);
                }
                path
            })
            .collect()
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).expect("it was read")
}

/// Part number `part` of our own log.
fn write(path: &Path, part: usize, lines: usize) {
    let mut file = BufWriter::new(File::create(path).expect("created"));
    let mut generator = Generator::new(part as u64);
    let begin: Timestamp = "2026-03-01T00:00:00Z".parse().expect("a time");
    let mut text = String::new();
    for number in 0..lines {
        let at = begin + SignedDuration::from_micros((part * lines + number) as i64 * STEP_US);
        text.clear();
        if number % KILLED_EVERY == KILLED_EVERY / 2 {
            text = format!("{at:.6} web-03 kernel: Out of memory: Killed process 4321 (java) total-vm:8123456kB\n");
        } else {
            generator.line(at, &mut text);
        }
        file.write_all(text.as_bytes()).expect("written");
    }
    file.flush().expect("written");
}

/// Every line with its end, until `take` has enough.
fn each_line(log: &Path, mut take: impl FnMut(&[u8]) -> bool) {
    let file = File::open(log).unwrap_or_else(|error| {
        eprintln!("error: cannot read {}: {error}", log.display());
        std::process::exit(1)
    });
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).expect("readable") > 0 && take(&line) {
        line.clear();
    }
}
