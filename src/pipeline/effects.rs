//! What goes into the pipeline and what it wants done. Plain data; performs nothing.

use std::sync::Arc;

use crate::mine::Detail;
use crate::model::{
    About, Alert, Delivery, Fact, JudgeRequest, Judged, LineBlock, Position, Reply, Said, SourceEvent, Timestamp, Word,
};
use crate::pipeline::{Settings, Trace};

/// Everything that can happen to the pipeline.
pub enum Input<'a> {
    Lines(&'a LineBlock),
    Source(SourceEvent),
    /// Every source has handed over what was there at the start.
    Learned,
    /// A deadline passed.
    Tick,
    /// The rate limit lets one more request to the model go.
    JudgeReady,
    Judged(Judged),
    /// A person said something of an incident or a kind of line.
    Answered(Said),
    Delivered(Delivery),
    Reload(Box<Settings>),
    /// The process is about to end: give up everything that waits in memory.
    Drain,
}

/// What the pipeline wants done, in this order: commit facts and positions, then the rest.
#[derive(Debug, Default)]
pub struct Effects {
    pub facts: Vec<Fact>,
    /// Newest position of each stream that moved.
    pub positions: Vec<Position>,
    /// To be sent after the commit; at most one is under way.
    pub judge: Option<JudgeRequest>,
    /// To be sent after the commit.
    pub deliver: Vec<Alert>,
    /// For our own log and the terminal.
    pub notices: Vec<Notice>,
    /// What to tell the person who spoke, once it is durable.
    pub reply: Option<Reply>,
    /// An alert or a question waits: commit now, not within the second.
    pub urgent: bool,
    /// What became of each line; empty unless [`super::Pipeline::on_event_time`].
    pub trace: Trace,
}

impl Effects {
    /// Remembers how far a stream is; an older position of the same stream is replaced.
    pub fn moved(&mut self, position: Position) {
        match self.positions.iter_mut().find(|known| known.stream == position.stream) {
            Some(known) => *known = position,
            None => self.positions.push(position),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.positions.is_empty()
            && self.judge.is_none()
            && self.deliver.is_empty()
            && self.notices.is_empty()
    }
}

/// What an operator should read in our own log. No raw log text inside.
#[derive(Clone, PartialEq, Debug)]
pub enum Notice {
    /// Learning is over.
    Learned(Learned),
    /// A source cannot be read; `fix` says what to do.
    Unreadable {
        origin: Arc<str>,
        error: String,
        fix: String,
    },
    Readable {
        origin: Arc<str>,
    },
    Gap {
        origin: Arc<str>,
        reason: String,
        lost: Option<u64>,
    },
    Skipped {
        origin: Arc<str>,
        bytes: u64,
    },
    /// A source that spoke regularly is silent, or is back.
    Silence {
        told: String,
        back: bool,
    },
    /// A source makes kinds of lines without end; its new lines are told apart by less from now on.
    Exploded {
        origin: Arc<str>,
        templates: u64,
        detail: Detail,
    },
    /// The judge is in trouble; local detection goes on.
    Judge {
        trouble: String,
    },
    /// What a person said holds no more.
    AnswerOver {
        word: Word,
        about: About,
        why: String,
    },
    /// An alert was given up.
    DeadLetter {
        alert: Arc<str>,
        notifier: Arc<str>,
        error: String,
    },
    /// An attempt failed and will be repeated.
    DeliveryFailed {
        alert: Arc<str>,
        notifier: Arc<str>,
        error: String,
    },
}

/// What the baseline holds, for the one line after learning.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Learned {
    pub lines: u64,
    pub templates: usize,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
    /// Incidents the rules saw in what was already there.
    pub would_have_alerted: u64,
}

/// `learned 412 templates from 9 days of logs (81,211 lines); would have alerted 3 times`
impl std::fmt::Display for Learned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "learned {} from ", counted(self.templates as u64, "template"))?;
        match (self.oldest, self.newest) {
            (Some(oldest), Some(newest)) => {
                let seconds = newest.since(oldest).as_secs();
                match seconds {
                    0..7_200 => write!(f, "{} of logs", counted(seconds.div_ceil(60), "minute"))?,
                    7_200..172_800 => write!(f, "{} of logs", counted(seconds / 3_600, "hour"))?,
                    _ => write!(f, "{} of logs", counted(seconds / 86_400, "day"))?,
                }
            }
            (None, _) | (_, None) => f.write_str("empty logs")?,
        }
        write!(f, " ({}); would have alerted {}", counted(self.lines, "line"), counted(self.would_have_alerted, "time"))
    }
}

fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_line_after_learning() {
        let mut learned = Learned { lines: 81_211, templates: 412, would_have_alerted: 3, ..Learned::default() };
        assert_eq!(
            learned.to_string(),
            "learned 412 templates from empty logs (81211 lines); would have alerted 3 times"
        );
        learned.oldest = Some(Timestamp::from_seconds(0));
        learned.newest = Some(Timestamp::from_seconds(9 * 86_400 + 5));
        assert_eq!(
            learned.to_string(),
            "learned 412 templates from 9 days of logs (81211 lines); would have alerted 3 times"
        );
    }
}
