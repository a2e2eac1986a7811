//! The whole source with its threads, its hints and a bounded way out, on real time.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{self, Receiver, error::TryRecvError};
use tokio_util::sync::CancellationToken;

use crate::model::{Phase, SourceEvent};

use super::super::{FromSource, Outlet, Source};
use super::Files;
use super::config::{FilesConfig, Limits, Pattern};

/// The whole source on a directory of its own, in which `app.log` holds one line.
pub struct Live {
    directory: tempfile::TempDir,
    receiver: Receiver<FromSource>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    learned: usize,
}

impl Live {
    pub fn start(include: &[&str], hints: bool, queue: usize) -> Live {
        let directory = tempfile::tempdir().expect("a directory");
        append(&directory.path().join("app.log"), "old\n");
        let pattern =
            |text: &&str| -> Pattern { format!("{}/{text}", directory.path().display()).parse().expect("good") };
        let config = FilesConfig { include: include.iter().map(pattern).collect(), ..FilesConfig::default() };
        let limits = Limits { hints, scan: Duration::from_millis(500), ..Limits::default() };
        let mut files = Box::new(Files::new(vec![config], Vec::new(), limits));
        assert_eq!(files.open(&[], false).len(), 1);
        let (sender, receiver) = mpsc::channel(queue);
        let stop = CancellationToken::new();
        let outlet = Outlet::new(sender, stop.clone());
        let thread = Some(thread::spawn(move || files.run(outlet)));
        Live { directory, receiver, stop, thread, learned: 0 }
    }

    /// Lines as they come, until there are `count` live ones; learned ones are marked.
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        let patience = Instant::now() + Duration::from_secs(30);
        let (mut lines, mut live) = (Vec::new(), 0);
        while live < count || self.learned == 0 {
            match self.receiver.try_recv() {
                Ok(FromSource::Lines(block)) => {
                    let mark = if block.phase == Phase::Learn { "learn " } else { "" };
                    lines.extend(block.lines().map(|(line, _)| mark.to_owned() + &String::from_utf8_lossy(line)));
                    live += if block.phase == Phase::Live { block.spans.len() } else { 0 };
                }
                Ok(FromSource::Event(SourceEvent::Learned { .. })) => self.learned += 1,
                Ok(FromSource::Event(event)) => panic!("{event:?}"),
                Err(TryRecvError::Empty) => {
                    assert!(Instant::now() < patience, "nothing comes after {lines:?}");
                    thread::sleep(Duration::from_millis(5));
                }
                Err(TryRecvError::Disconnected) => panic!("ended after {lines:?}"),
            }
        }
        lines.sort();
        lines
    }
}

impl Live {
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop.cancel();
        self.receiver.close();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || ended.is_some_and(|ended| ended.is_ok()));
    }
}

pub fn append(path: &Path, bytes: &str) {
    fs::create_dir_all(path.parent().expect("has one")).expect("to make it");
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("to open it");
    file.write_all(bytes.as_bytes()).expect("to write it");
}

#[track_caller]
fn check(include: &[&str], hints: bool) {
    let mut live = Live::start(include, hints, 64);
    let path = |name: &str| live.directory.path().join(name);
    let (log, rotated, late) = (path("app.log"), path("app.log.1"), path("sub/late.log"));
    append(&log, "one\n");
    assert_eq!(live.lines(1), ["learn old", "one"]);
    append(&log, "two\n");
    fs::rename(&log, &rotated).expect("to rename it");
    append(&log, "three\n");
    append(&late, "four\n");
    append(&rotated, "five\n");
    assert_eq!(live.lines(4), ["five", "four", "three", "two"]);
    fs::remove_dir_all(late.parent().expect("has one")).expect("to remove it");
    append(&late, "six\n");
    assert_eq!(live.lines(1), ["six"]);
    assert_eq!(live.learned, 1);
}

#[test]
fn follows_globs_with_hints() {
    check(&["**/*.log"], true);
}

#[test]
fn follows_named_files_with_hints() {
    check(&["app.log", "sub/late.log"], true);
}

#[test]
fn follows_without_any_hint() {
    check(&["app.log", "**/*.log"], false);
}

#[test]
fn a_full_queue_makes_it_wait_and_loses_nothing() {
    let mut live = Live::start(&["*.log"], true, 1);
    let log = live.directory.path().join("app.log");
    for part in 0..20 {
        append(&log, &format!("{part} {}\n", "x".repeat(1_000)).repeat(300));
    }
    assert_eq!(live.lines(6_000).len(), 6_001);
}
