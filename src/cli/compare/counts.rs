//! How many lines of each kind two logs have. One miner for both, so that a template is the same on both sides. Judges
//! nothing.

use std::collections::HashMap;
use std::sync::Arc;

use crate::analysis::chunk::Chunk;
use crate::mine::{self, Miner};
use crate::model::{Level, TemplateId, Timestamp, clip};
use crate::parse::{Context, Format, Plan, headline};

/// Most kinds kept apart: programs are log text, so somebody else decides how many there are.
const MAX_KINDS: usize = 50_000;
/// Stands for the programs that came after that.
const OTHERS: &str = "(others)";
/// Longest example, in bytes.
const EXAMPLE_BYTES: usize = 300;

/// The two logs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    A,
    B,
}

/// Counts under way.
pub struct Counts {
    miner: Miner,
    context: Context,
    kinds: HashMap<(Arc<str>, Level, TemplateId), Sides>,
    programs: HashMap<Box<str>, Arc<str>>,
    /// By side and name of stream: its plan, and the number it has in the miner.
    streams: HashMap<(bool, Arc<str>), (Plan, u32, u64)>,
    pub lines: [u64; 2],
    /// Lines of kinds that there was no room for.
    pub crowded: u64,
}

/// One kind on both sides, A first.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    pub counts: [u64; 2],
    pub seen: [Option<Seen>; 2],
}

/// Where a kind was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of the first line and the last; `None` where lines have no times.
    pub first: Option<Timestamp>,
    pub last: Option<Timestamp>,
    pub input: Arc<str>,
    pub line_number: u64,
    /// The first line, cut. Hostile.
    pub example: String,
}

/// One kind, when all lines passed.
#[derive(Clone, Debug)]
pub struct Kind {
    pub program: Arc<str>,
    pub level: Level,
    pub template: TemplateId,
    pub text: String,
    pub sides: Sides,
}

impl Side {
    pub fn index(self) -> usize {
        match self {
            Side::A => 0,
            Side::B => 1,
        }
    }
}

impl Counts {
    pub fn new(context: Context, seed: u64) -> Counts {
        Counts {
            miner: Miner::new(&mine::Config::default(), seed),
            context,
            kinds: HashMap::new(),
            programs: HashMap::new(),
            streams: HashMap::new(),
            lines: [0; 2],
            crowded: 0,
        }
    }

    /// The next lines of one side.
    pub fn add(&mut self, side: Side, chunk: &Chunk) {
        let origin = &chunk.block.origin;
        let at = side.index();
        let next = u32::try_from(self.streams.len()).unwrap_or(u32::MAX);
        let stream = (side == Side::B, Arc::clone(&origin.name));
        let (mut plan, number, mut passed) = self.streams.remove(&stream).unwrap_or_else(|| {
            let format = origin.format.as_deref().and_then(|name| Format::from_config(name).ok().flatten());
            (Plan::new(origin.medium, format), next, 0)
        });
        let reference = origin.written.unwrap_or_default();
        plan.prime(chunk.block.lines().map(|(line, _)| line), reference, &self.context);
        for (index, (line, _)) in chunk.block.lines().enumerate() {
            let header = plan.parse(line, reference, &self.context);
            passed += 1;
            self.lines[at] += 1;
            self.miner.enter(number, passed);
            let template = self.miner.mine(&headline(&header.message)).template;
            let program = match self.programs.get(&*header.program) {
                Some(program) => Arc::clone(program),
                None if self.kinds.len() < MAX_KINDS => {
                    let program: Arc<str> = Arc::from(&*header.program);
                    self.programs.insert(Box::from(&*program), Arc::clone(&program));
                    program
                }
                None => {
                    self.crowded += 1;
                    OTHERS.into()
                }
            };
            let key = (program, header.level.unwrap_or_default(), template);
            let sides = self.kinds.entry(key).or_default();
            sides.counts[at] += 1;
            let seen = sides.seen[at].get_or_insert_with(|| Seen {
                first: header.time,
                last: header.time,
                input: Arc::clone(&origin.name),
                line_number: chunk.number(index),
                example: clip(&header.message, EXAMPLE_BYTES).to_owned(),
            });
            seen.first = seen.first.into_iter().chain(header.time).min();
            seen.last = seen.last.max(header.time);
        }
        self.streams.insert(stream, (plan, number, passed));
    }

    /// Every kind, with the templates as they are by now.
    pub fn kinds(self) -> Vec<Kind> {
        let mut kinds: HashMap<(Arc<str>, Level, TemplateId), Sides> = HashMap::new();
        for ((program, level, template), sides) in self.kinds {
            let template = self.miner.current(template).unwrap_or(template);
            kinds.entry((program, level, template)).or_default().join(sides);
        }
        let text = |id| self.miner.text(id).unwrap_or_default().to_owned();
        let kind = |((program, level, template), sides)| Kind { program, level, template, text: text(template), sides };
        kinds.into_iter().map(kind).collect()
    }
}

impl Sides {
    fn join(&mut self, other: Sides) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        for (seen, more) in self.seen.iter_mut().zip(other.seen) {
            let Some(more) = more else { continue };
            match seen {
                None => *seen = Some(more),
                Some(seen) => {
                    seen.first = seen.first.into_iter().chain(more.first).min();
                    seen.last = seen.last.max(more.last);
                }
            }
        }
    }
}
