//! Reads, unpacks and splits on a thread of its own, a few chunks ahead of who looks at them. Their order is that of the feed.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use anyhow::Context;

use super::feed::{Feed, Inputs, Turn};

/// Chunks that wait at most.
const AHEAD: usize = 2;

/// The chunks of all inputs, each when its turn comes.
pub enum Turns {
    Here(Box<Feed>),
    Ahead { turns: Receiver<Turn>, thread: JoinHandle<Feed> },
}

impl Turns {
    /// With one thread, each chunk is read when it is asked for.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn new(inputs: &Inputs, threads: usize) -> anyhow::Result<Turns> {
        let inputs = inputs.clone();
        if threads < 2 {
            return Ok(Turns::Here(Box::new(Feed::new(inputs))));
        }
        let (sender, turns) = sync_channel(AHEAD);
        let read = move || {
            let mut feed = Feed::new(inputs);
            while let Some(turn) = feed.next() {
                // Nobody waits for more.
                if sender.send(turn).is_err() {
                    break;
                }
            }
            feed
        };
        let thread = std::thread::Builder::new().name("read".to_owned()).spawn(read);
        Ok(Turns::Ahead { turns, thread: thread.context("cannot start a thread that reads; try --threads 1")? })
    }

    /// The oldest chunk there is; `None` when all inputs are at their end.
    pub fn next(&mut self) -> Option<Turn> {
        match self {
            Turns::Here(feed) => feed.next(),
            Turns::Ahead { turns, .. } => turns.recv().ok(),
        }
    }

    /// No more is wanted: the feed, with what it could not read.
    pub fn end(self) -> Feed {
        match self {
            Turns::Here(feed) => *feed,
            Turns::Ahead { turns, thread } => {
                drop(turns);
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }
    }
}
