//! Blocks of one input on several threads: each thread reads a block, prepares it while others do the same with theirs,
//! and applies it when all before are applied. Must not know what applying is. As many blocks are under way as there
//! are threads, however long the input.

use std::io;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ScopedJoinHandle;

use crate::mine::{Part, Prepared};
use crate::parse::Locator;

use super::reads::{Block, Blocks};

/// What one thread works with. Kept to be used again.
pub struct Desk {
    pub block: Block,
    pub prepared: Prepared,
    /// Which hosts were known when it was prepared ([`Locator::hosts_version`]).
    pub hosts_version: u32,
}

impl Desk {
    /// Prepares the whole lines of the block.
    pub fn prepare(&mut self, guess: &mut Guess) {
        self.hosts_version = guess.locator.hosts_version();
        self.prepared.read(self.block.whole(), |line| guess.locator.tail_at(line).map(Part::tail).or(guess.whole));
    }
}

/// Which part of a line will be asked for, for all that is known. Old knowledge costs time and nothing else.
#[derive(Clone, Default)]
pub struct Guess {
    pub locator: Locator,
    /// Of lines whose tail is not found.
    pub whole: Option<Part>,
}

/// Who reads, and whose turn it is.
pub struct Turns {
    reading: Mutex<Reading>,
    turn: Mutex<Turn>,
    /// Told whenever a block was applied.
    next: Condvar,
}

struct Reading {
    blocks: Blocks,
    /// Of the next block.
    number: u64,
    ended: bool,
}

struct Turn {
    /// The block to be applied next.
    number: u64,
    guess: Guess,
    /// The first failure: nothing is read or applied behind it.
    outcome: io::Result<()>,
}

impl Turns {
    pub fn new(mut blocks: Blocks, guess: Guess) -> Turns {
        blocks.share();
        Turns {
            reading: Mutex::new(Reading { blocks, number: 0, ended: false }),
            turn: Mutex::new(Turn { number: 0, guess, outcome: Ok(()) }),
            next: Condvar::new(),
        }
    }

    /// Reads to the end with a thread for each desk. `apply` gets the blocks in their order, one at a time. Hands the
    /// desks back.
    ///
    /// # Errors
    /// The first that reading or `apply` had.
    pub fn run(
        self,
        desks: Vec<Desk>,
        apply: impl Fn(&mut Desk) -> io::Result<Guess> + Sync,
    ) -> (Vec<Desk>, io::Result<()>) {
        let (turns, apply) = (&self, &apply);
        let desks = std::thread::scope(|scope| {
            let threads: Vec<_> = desks
                .into_iter()
                .map(|mut desk| {
                    scope.spawn(move || {
                        turns.work(&mut desk, apply);
                        desk
                    })
                })
                .collect();
            let join = |thread: ScopedJoinHandle<'_, Desk>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            threads.into_iter().map(join).collect()
        });
        (desks, self.turn.into_inner().unwrap_or_else(PoisonError::into_inner).outcome)
    }

    fn work(&self, desk: &mut Desk, apply: &impl Fn(&mut Desk) -> io::Result<Guess>) {
        loop {
            let (number, read) = {
                let mut reading = lock(&self.reading);
                if reading.ended {
                    return;
                }
                let number = reading.number;
                reading.number += 1;
                let read = reading.blocks.next(&mut desk.block);
                reading.ended = !matches!(read, Ok(true));
                (number, read)
            };
            let mut guess = lock(&self.turn).guess.clone();
            desk.prepare(&mut guess);
            let mut turn = lock(&self.turn);
            while turn.number != number {
                turn = self.next.wait(turn).unwrap_or_else(PoisonError::into_inner);
            }
            let is_fine = turn.outcome.is_ok();
            drop(turn);
            // The others wait for the next number, whatever becomes of this one.
            let mut ended = Ended { turns: self, outcome: Ok(None) };
            ended.outcome = match read {
                _ if !is_fine => Ok(None),
                Ok(_) => apply(desk).map(Some),
                Err(error) => Err(error),
            };
            if ended.outcome.is_err() {
                lock(&self.reading).ended = true;
            }
        }
    }
}

/// Passes the turn on when dropped, in a panic too.
struct Ended<'t> {
    turns: &'t Turns,
    outcome: io::Result<Option<Guess>>,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut turn = lock(&self.turns.turn);
        turn.number += 1;
        match std::mem::replace(&mut self.outcome, Ok(None)) {
            Ok(Some(guess)) => turn.guess = guess,
            Ok(None) => {}
            Err(error) => turn.outcome = Err(error),
        }
        drop(turn);
        self.turns.next.notify_all();
    }
}

/// What a panic left is whole: every change under these locks is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
