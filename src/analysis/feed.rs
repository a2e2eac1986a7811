//! All inputs as one row of chunks in the order of their time, as far as whole chunks can be ordered: rotated files come
//! oldest first, and files of the same days take turns. Reads times; decides nothing about lines.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::model::Timestamp;
use crate::parse::{Context, Format, Plan};

use super::chunk::{Chunk, Numbers};
use super::inputs::{Input, Sizes};
use super::spool::Stdin;
use super::stream::{Remarks, Stream};

/// Inputs open at a time; further ones of the same time wait.
const OPEN_AT_ONCE: usize = 32;
/// Lines looked at to tell the time of a chunk.
const LOOK_AT: usize = 8;

/// What to read, and how.
#[derive(Clone)]
pub struct Inputs {
    pub inputs: Vec<Input>,
    pub stdin: Option<Stdin>,
    pub context: Context,
    /// The wall clock, for inputs that do not tell when they were written.
    pub now: Timestamp,
    /// Format of plain lines; guessed when `None`.
    pub format: Option<Arc<str>>,
    /// Bytes of the files when the run began.
    pub sizes: Arc<Sizes>,
    /// Bytes taken from disk.
    pub read: Arc<AtomicU64>,
}

/// The inputs under way.
pub struct Feed {
    inputs: Inputs,
    /// Not yet opened, by the time of their first line.
    waiting: VecDeque<(Timestamp, usize)>,
    open: Vec<Open>,
    remarks: Vec<(usize, Remarks)>,
    failed: Vec<(usize, io::Error)>,
}

struct Open {
    input: usize,
    stream: Stream,
    watch: Watch,
    head: Chunk,
    /// Time of the first line of `head`.
    first: Timestamp,
}

/// A chunk whose turn it is.
pub struct Turn {
    /// Which input.
    pub input: usize,
    pub chunk: Chunk,
}

/// Tells the time of lines of one stream.
pub struct Watch {
    name: Option<Arc<str>>,
    plan: Plan,
    last: Option<Timestamp>,
}

impl Feed {
    /// Looks at the beginning of every input. What cannot be opened is among [`Feed::take_failed`].
    pub fn new(inputs: Inputs) -> Feed {
        let mut feed =
            Feed { inputs, waiting: VecDeque::new(), open: Vec::new(), remarks: Vec::new(), failed: Vec::new() };
        // One input has nobody to wait for.
        if feed.inputs.inputs.len() == 1 {
            feed.waiting.push_back((Timestamp::EPOCH, 0));
            return feed;
        }
        let mut starts: Vec<(Timestamp, usize)> = Vec::new();
        for input in 0..feed.inputs.inputs.len() {
            // Looked at only: it counts when it is read.
            let uncounted = Arc::new(AtomicU64::new(0));
            if let Some(open) = feed.opened(input, &uncounted) {
                starts.push((open.first, input));
            }
        }
        // Remarks come again when the input is read.
        feed.remarks.clear();
        starts.sort_by_key(|(start, input)| (*start, *input));
        feed.waiting = starts.into();
        feed
    }

    /// The oldest chunk there is; `None` when all inputs are at their end.
    pub fn next(&mut self) -> Option<Turn> {
        while self.open.len() < OPEN_AT_ONCE {
            let oldest = self.open.iter().map(|open| open.first).min();
            let Some((start, input)) = self.waiting.front().copied() else { break };
            if oldest.is_some_and(|oldest| oldest < start) {
                break;
            }
            self.waiting.pop_front();
            let read = Arc::clone(&self.inputs.read);
            let opened = self.opened(input, &read);
            self.open.extend(opened);
        }
        let (place, _) = self.open.iter().enumerate().min_by_key(|(_, open)| (open.first, open.input))?;
        let open = self.open.get_mut(place)?;
        let input = open.input;
        match open.stream.next() {
            Ok(Some(next)) => {
                let first = open.watch.first(&next, &self.inputs.context, open.first);
                open.first = first;
                let chunk = std::mem::replace(&mut open.head, next);
                Some(Turn { input, chunk })
            }
            ended => {
                let mut open = self.open.swap_remove(place);
                self.remarks.push((input, open.stream.take_remarks()));
                if let Err(error) = ended {
                    self.failed.push((input, error));
                }
                Some(Turn { input, chunk: open.head })
            }
        }
    }

    /// Inputs that could not be read to their end, and why.
    pub fn take_failed(&mut self) -> Vec<(usize, io::Error)> {
        std::mem::take(&mut self.failed)
    }

    /// What reading said besides lines.
    pub fn take_remarks(&mut self) -> Vec<(usize, Remarks)> {
        std::mem::take(&mut self.remarks)
    }

    fn opened(&mut self, input: usize, read: &Arc<AtomicU64>) -> Option<Open> {
        let wanted = self.inputs.inputs.get(input)?;
        let stream = Stream::open(wanted, &self.inputs, read);
        let mut stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                self.failed.push((input, error));
                return None;
            }
        };
        match stream.next() {
            Ok(Some(head)) => {
                let mut watch = Watch::default();
                let first = watch.first(&head, &self.inputs.context, Timestamp::EPOCH);
                Some(Open { input, stream, watch, head, first })
            }
            ended => {
                self.remarks.push((input, stream.take_remarks()));
                if let Err(error) = ended {
                    self.failed.push((input, error));
                }
                None
            }
        }
    }
}

impl Default for Watch {
    fn default() -> Watch {
        Watch { name: None, plan: Plan::new(crate::model::Medium::File, None), last: None }
    }
}

impl Watch {
    /// Time of every line of a chunk: its own, or that of the line before it.
    pub fn each(&mut self, chunk: &Chunk, context: &Context) -> Vec<Option<Timestamp>> {
        self.follow(chunk, context);
        let reference = chunk.block.origin.written.unwrap_or_default();
        let mut times = Vec::with_capacity(chunk.block.spans.len());
        for (line, _) in chunk.block.lines() {
            self.last = self.plan.parse(line, reference, context).time.or(self.last);
            times.push(self.last);
        }
        times
    }

    /// Time of the first line that has one near the beginning of a chunk; `before` where none has.
    fn first(&mut self, chunk: &Chunk, context: &Context, before: Timestamp) -> Timestamp {
        self.follow(chunk, context);
        let reference = chunk.block.origin.written.unwrap_or_default();
        let mut lines = chunk.block.lines().take(LOOK_AT);
        lines.find_map(|(line, _)| self.plan.parse(line, reference, context).time).unwrap_or(before)
    }

    /// Begins anew with each file of an archive.
    fn follow(&mut self, chunk: &Chunk, context: &Context) {
        let origin = &chunk.block.origin;
        if self.name.as_ref() != Some(&origin.name) {
            let format = origin.format.as_deref().and_then(|name| Format::from_config(name).ok().flatten());
            self.plan = Plan::new(origin.medium, format);
            self.name = Some(Arc::clone(&origin.name));
            self.last = None;
        }
        let reference = origin.written.unwrap_or_default();
        self.plan.prime(chunk.block.lines().map(|(line, _)| line), reference, context);
    }
}

impl Chunk {
    /// Keeps the lines that are wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(usize) -> bool) {
        let keep: Vec<bool> = (0..self.block.spans.len()).map(&mut wanted).collect();
        if keep.iter().all(|keep| *keep) {
            return;
        }
        self.numbers = Numbers::Each((0..keep.len()).map(|index| self.number(index)).collect());
        let mut at = keep.iter();
        self.block.spans.retain(|_| at.next().copied().unwrap_or(true));
        if let Numbers::Each(numbers) = &mut self.numbers {
            let mut at = keep.iter();
            numbers.retain(|_| at.next().copied().unwrap_or(true));
        }
        if let Some(table) = &mut self.table {
            let mut at = keep.iter();
            table.records.retain(|_| at.next().copied().unwrap_or(true));
        }
    }
}
