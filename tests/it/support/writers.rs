//! Programs that log under rotation, as logrotate and its like leave them: numbered lines, on a thread each. A writer
//! deletes a generation only once the state says that its last byte was committed; nothing else is promised by anybody.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, UNIX_EPOCH};

use logwren::model::Place;

/// How a log makes room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rotation {
    /// `mv log log.1`, a new file; the program goes on writing to the old one for a while.
    Rename,
    /// `cp log log.1; truncate log`, with nothing written in between.
    CopyTruncate,
    /// Rename, and the generation before is packed and removed (`compress`, `delaycompress`).
    Compress,
    /// Every generation has a name of its own.
    Dated,
}

/// What a writer does.
#[derive(Clone, Copy, Debug)]
pub struct Habit {
    pub rotation: Rotation,
    /// Its first number.
    pub from: u64,
    /// Between two writes.
    pub pause: Duration,
    /// Numbered lines of a write.
    pub numbered: u64,
    /// Other lines of a write, all of one kind.
    pub noise: u64,
    /// Writes between two rotations.
    pub rotate_every: u64,
    /// Writes it may do for each round it is given: a machine that is slow today gets no backlog without end.
    pub writes_a_round: u64,
}

/// A running writer.
pub struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
    from: u64,
}

impl Writer {
    /// Writes into `folder` until told to stop. `state_dir` is where what is committed can be seen.
    pub fn start(folder: PathBuf, state_dir: PathBuf, habit: Habit, rounds: Arc<AtomicU64>) -> Writer {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut log = Log::new(folder, state_dir, habit);
            while !stopped.load(Ordering::Relaxed) {
                if log.writes < rounds.load(Ordering::Relaxed) * habit.writes_a_round {
                    log.write();
                }
                std::thread::sleep(habit.pause);
            }
            log.next
        });
        Writer { stop, thread, from: habit.from }
    }

    /// Ends it; gives the numbers it wrote.
    pub fn stop(self) -> std::ops::Range<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.from..self.thread.join().expect("the writer wrote")
    }
}

/// One numbered line. Every 25th is worth an alert.
pub fn numbered(number: u64) -> String {
    let what = if number.is_multiple_of(25) { "alarm" } else { "number" };
    format!("{} web-03 count: {what} {number} of the test\n", jiff::Timestamp::now())
}

/// A generation that is not written to any more.
struct Old {
    path: PathBuf,
    /// Who it was before it was packed, and how long.
    was: (u64, i64, u64),
}

struct Log {
    folder: PathBuf,
    state_dir: PathBuf,
    habit: Habit,
    name: String,
    file: File,
    /// The file of before the rotation, still written to for some writes.
    late: Option<(File, u64)>,
    /// Youngest first.
    old: Vec<Old>,
    next: u64,
    writes: u64,
    rotations: u64,
}

impl Log {
    fn new(folder: PathBuf, state_dir: PathBuf, habit: Habit) -> Log {
        let name = format!("{:?}", habit.rotation).to_lowercase();
        let mut log = Log {
            file: open(&folder.join(format!("{name}.placeholder"))),
            folder,
            state_dir,
            habit,
            name,
            late: None,
            old: Vec::new(),
            next: habit.from,
            writes: 0,
            rotations: 0,
        };
        fs::remove_file(log.folder.join(format!("{}.placeholder", log.name))).expect("removed");
        log.file = open(&log.path());
        log
    }

    fn path(&self) -> PathBuf {
        match self.habit.rotation {
            Rotation::Rename | Rotation::CopyTruncate | Rotation::Compress => {
                self.folder.join(format!("{}.log", self.name))
            }
            Rotation::Dated => {
                let day = self.rotations % 28 + 1;
                self.folder.join(format!(
                    "{}-{}{:02}{day:02}.log",
                    self.name,
                    2026 + self.rotations / 336,
                    self.rotations / 28 % 12 + 1
                ))
            }
        }
    }

    fn generation(&self, number: usize, packed: bool) -> PathBuf {
        self.folder.join(format!("{}.log.{number}{}", self.name, if packed { ".gz" } else { "" }))
    }

    fn write(&mut self) {
        let mut text = String::new();
        for _ in 0..self.habit.noise {
            text.push_str(&format!(
                "{} web-03 noise[7]: request {} served in {} ms\n",
                jiff::Timestamp::now(),
                fastrand::u32(..),
                fastrand::u8(..)
            ));
        }
        for _ in 0..self.habit.numbered {
            text.push_str(&numbered(self.next));
            self.next += 1;
        }
        let mut file = match &mut self.late {
            Some((late, left)) if *left > 0 => {
                *left -= 1;
                &*late
            }
            Some(_) | None => &self.file,
        };
        // Now and then the end of a line comes with a later write.
        let cut = if fastrand::u8(..) < 60 { text.len() / 2 } else { text.len() };
        for part in [&text[..cut], &text[cut..]] {
            file.write_all(part.as_bytes()).expect("written");
        }
        self.writes += 1;
        if self.writes.is_multiple_of(self.habit.rotate_every) {
            self.rotate();
        }
    }

    fn rotate(&mut self) {
        let before = self.path();
        self.rotations += 1;
        self.late = None;
        match self.habit.rotation {
            Rotation::Rename | Rotation::Compress => {
                if self.habit.rotation == Rotation::Compress && !self.old.is_empty() {
                    pack(&mut self.old[0]);
                }
                self.forget();
                self.shift();
                let to = self.generation(1, false);
                fs::rename(self.path(), &to).expect("renamed");
                self.old.insert(0, Old { path: to, was: (0, 0, 0) });
                let new = open(&self.path());
                self.late = Some((std::mem::replace(&mut self.file, new), 3));
            }
            Rotation::CopyTruncate => {
                self.shift();
                let to = self.generation(1, false);
                fs::copy(self.path(), &to).expect("copied");
                self.file.set_len(0).expect("truncated");
                self.old.insert(0, Old { path: to, was: (0, 0, 0) });
            }
            Rotation::Dated => {
                self.old.insert(0, Old { path: before, was: (0, 0, 0) });
                self.forget();
                self.file = open(&self.path());
            }
        }
    }

    /// `log.1` makes room.
    fn shift(&mut self) {
        for at in (0..self.old.len()).rev() {
            let packed = self.old[at].path.extension().is_some_and(|ending| ending == "gz");
            let to = self.generation(at + 2, packed);
            fs::rename(&self.old[at].path, &to).expect("renamed");
            self.old[at].path = to;
        }
    }

    /// Deletes generations that are committed to their last byte.
    fn forget(&mut self) {
        while self.old.len() > 3 && self.old.last().is_some_and(|old| committed(&self.state_dir, old)) {
            let old = self.old.pop().expect("just seen");
            fs::remove_file(old.path).expect("removed");
        }
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().append(true).create(true).open(path).expect("opened")
}

fn identity(path: &Path) -> (u64, i64, u64) {
    let metadata = fs::metadata(path).expect("there");
    let birth = metadata.created().expect("a file system with birth times").duration_since(UNIX_EPOCH).expect("later");
    (metadata.ino(), i64::try_from(birth.as_nanos()).expect("this century"), metadata.len())
}

fn pack(old: &mut Old) {
    old.was = identity(&old.path);
    let mut to = old.path.clone().into_os_string();
    to.push(".gz");
    let mut packed = flate2::write::GzEncoder::new(open(Path::new(&to)), flate2::Compression::fast());
    packed.write_all(&fs::read(&old.path).expect("read")).expect("packed");
    packed.finish().expect("packed").sync_all().expect("whole");
    fs::remove_file(&old.path).expect("removed");
    old.path = to.into();
}

/// The state holds a record key at the end of this generation, or of what it was packed from.
fn committed(state_dir: &Path, old: &Old) -> bool {
    let (inode, birth, size) = if old.was.0 == 0 { identity(&old.path) } else { old.was };
    let Ok(reader) = logwren::store::Reader::open(state_dir) else { return false };
    reader.positions().is_ok_and(|positions| {
        positions.iter().any(|position| match &position.at {
            Place::FileV1(place) => place.inode == inode && place.birth_ns == birth && place.offset >= size,
            Place::JournalV1(_) | Place::StdinV1 { .. } => false,
        })
    })
}
