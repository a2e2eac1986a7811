//! The file that recorded requests live in: JSON, a head and then a line for each request with its end. Sends nothing.
//!
//! Holds what left the host, redacted as it left, and what came back. Requests carry random ids, so the head keeps the seed
//! they come from: the same lines then lead to the same requests, and each finds the very answer it got.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Again, Failure};
use crate::model::{Completion, JudgeFailure, Prompt, Usage};

const VERSION: u32 = 1;

/// No more is recorded to one file. Reading it takes a small multiple in memory.
const MAX_BYTES: u64 = 64 << 20;

/// Longest line read: a request of the largest size and the longest body taken.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// What a run must have in common with the recorded one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Head {
    cassette: u32,
    pub backend: String,
    pub models: Vec<String>,
    pub seed: u64,
    pub max_input_tokens: u32,
    pub max_output_tokens: u32,
}

/// One request and its end.
#[derive(Serialize, Deserialize)]
struct Take {
    request: String,
    model: String,
    /// For a person who reads the file; what is looked up is `request`.
    user: String,
    end: End,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Answer {
        text: String,
        model: String,
        usage: Usage,
    },
    Failure {
        again: Word,
        elsewhere_s: Option<u64>,
        outcome: Word,
        after_s: u64,
        reason: String,
        usage: Usage,
        model: Option<String>,
    },
}

/// `Again` and `JudgeFailure` without what they carry.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    No,
    Adapted,
    Once,
    Backoff,
    After,
    Stop,
    Later,
    Split,
    Blocked,
}

/// A file that is written to.
pub struct Recording {
    pub head: Head,
    file: File,
    /// Length of the file.
    bytes: u64,
    most: u64,
    /// Ends that found no room.
    left_out: u64,
}

/// What became of an end that was to be recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Recorded {
    Written,
    /// The file is full: so many were left out since it was opened.
    LeftOut(u64),
}

/// A file that was read.
pub struct Cassette {
    pub head: Head,
    takes: HashMap<(String, String), VecDeque<End>>,
}

impl Head {
    pub fn new(backend: &str, models: &[String], room: (u32, u32), seed: u64) -> Head {
        let (max_input_tokens, max_output_tokens) = room;
        let (backend, models) = (backend.to_owned(), models.to_vec());
        Head { cassette: VERSION, backend, models, seed, max_input_tokens, max_output_tokens }
    }
}

impl Recording {
    /// Goes on with the file, or begins it with `head`. Readable by its owner only.
    ///
    /// # Errors
    /// When the file cannot be written, or holds something else.
    pub fn open(path: &Path, head: Head) -> Result<Recording, String> {
        let failed = |error: std::io::Error| format!("cannot record to {}: {error}", path.display());
        let options = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let mut file = options.map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let most = MAX_BYTES;
        if bytes > 0 {
            let known = Cassette::read(path)?.head;
            if known != (Head { seed: known.seed, ..head }) {
                return Err(format!(
                    "{} was recorded with another backend, model or size; record to another file",
                    path.display()
                ));
            }
            return Ok(Recording { head: known, file, bytes, most, left_out: 0 });
        }
        let line = line(&head).map_err(failed)?;
        file.write_all(&line).map_err(failed)?;
        Ok(Recording { head, file, bytes: line.len() as u64, most, left_out: 0 })
    }

    /// Adds a request and its end, unless the file would become too long.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(
        &mut self,
        prompt: &Prompt,
        model: &str,
        end: &Result<Completion, Failure>,
    ) -> std::io::Result<Recorded> {
        let end = match end {
            Ok(answer) => End::Answer { text: answer.text.clone(), model: answer.model.clone(), usage: answer.usage },
            Err(failure) => of_failure(failure),
        };
        let user = prompt.user.as_str().to_owned();
        self.append(&line(&Take { request: key(prompt), model: model.to_owned(), user, end })?)
    }

    fn append(&mut self, line: &[u8]) -> std::io::Result<Recorded> {
        let bytes = self.bytes.saturating_add(line.len() as u64);
        // Nothing is added behind a gap: a replay would answer the same request otherwise.
        if bytes > self.most || self.left_out > 0 {
            self.left_out += 1;
            return Ok(Recorded::LeftOut(self.left_out));
        }
        self.file.write_all(line)?;
        self.bytes = bytes;
        Ok(Recorded::Written)
    }
}

impl Cassette {
    /// Reads a whole file.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn read(path: &Path) -> Result<Cassette, String> {
        let shown = path.display();
        let file = File::open(path).map_err(|error| format!("cannot read the recorded answers in {shown}: {error}"))?;
        let mut lines = BufReader::new(file);
        let mut next = |number: usize| -> Result<Option<String>, String> {
            let mut line = String::new();
            let read = std::io::Read::take(&mut lines, MAX_LINE_BYTES).read_line(&mut line);
            let read = read.map_err(|error| format!("cannot read line {number} of {shown}: {error}"))?;
            Ok((read > 0).then_some(line))
        };
        let wrong = |number: usize, error: serde_json::Error| {
            format!("line {number} of {shown} is no recorded answer: {error}; record the run again")
        };
        let first = next(1)?.unwrap_or_default();
        let head: Head = serde_json::from_str(&first).map_err(|error| wrong(1, error))?;
        if head.cassette != VERSION {
            return Err(format!("{shown} has version {}, known is {VERSION}; record the run again", head.cassette));
        }
        let mut takes: HashMap<(String, String), VecDeque<End>> = HashMap::new();
        let mut number = 2;
        while let Some(line) = next(number)? {
            let take: Take = serde_json::from_str(&line).map_err(|error| wrong(number, error))?;
            takes.entry((take.request, take.model)).or_default().push_back(take.end);
            number += 1;
        }
        Ok(Cassette { head, takes })
    }

    /// How the same request to the same model ended, each end once and in order. None for one that was not recorded.
    pub fn take(&mut self, prompt: &Prompt, model: &str) -> Option<Result<Completion, Failure>> {
        let end = self.takes.get_mut(&(key(prompt), model.to_owned()))?.pop_front()?;
        Some(match end {
            End::Answer { text, model, usage } => Ok(Completion { text, usage, model }),
            End::Failure { again, elsewhere_s, outcome, after_s, reason, usage, model } => {
                let after = Duration::from_secs(after_s);
                Err(Failure {
                    again: match again {
                        Word::Adapted => Again::Adapted,
                        Word::Once => Again::Once,
                        // Nobody is there to be waited for.
                        Word::Backoff | Word::After => Again::After(Duration::ZERO),
                        Word::No | Word::Stop | Word::Later | Word::Split | Word::Blocked => Again::No,
                    },
                    elsewhere: elsewhere_s.map(Duration::from_secs),
                    outcome: match outcome {
                        Word::Later => JudgeFailure::Later { reason, after },
                        Word::Split => JudgeFailure::Split { reason },
                        Word::Blocked => JudgeFailure::Blocked { reason },
                        Word::Stop | Word::No | Word::Adapted | Word::Once | Word::Backoff | Word::After => {
                            JudgeFailure::Stop { reason }
                        }
                    },
                    usage,
                    model: model.map(String::into_boxed_str),
                })
            }
        })
    }
}

fn of_failure(failure: &Failure) -> End {
    let (outcome, after) = match &failure.outcome {
        JudgeFailure::Stop { .. } => (Word::Stop, Duration::ZERO),
        JudgeFailure::Later { after, .. } => (Word::Later, *after),
        JudgeFailure::Split { .. } => (Word::Split, Duration::ZERO),
        JudgeFailure::Blocked { .. } => (Word::Blocked, Duration::ZERO),
    };
    End::Failure {
        again: match failure.again {
            Again::No => Word::No,
            Again::Adapted => Word::Adapted,
            Again::Once => Word::Once,
            Again::Backoff => Word::Backoff,
            Again::After(_) => Word::After,
        },
        elsewhere_s: failure.elsewhere.map(|time| time.as_secs()),
        outcome,
        after_s: after.as_secs(),
        reason: failure.outcome.to_string(),
        usage: failure.usage,
        model: failure.model.as_deref().map(str::to_owned),
    }
}

/// The same on every host and in every run: what was asked, and with which words.
fn key(prompt: &Prompt) -> String {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for part in [prompt.system, prompt.user.as_str(), &prompt.schema.to_string(), &prompt.max_output_tokens.to_string()]
    {
        hash.update(&part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    format!("{:032x}", hash.digest128())
}

fn line(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_ends_at_its_limit_and_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.jsonl");
        let mut recording = Recording::open(&path, Head::new("gemini", &[], (1, 2), 3)).unwrap();
        recording.most = recording.bytes + 10;
        assert_eq!(recording.append(b"12345678\n").unwrap(), Recorded::Written);
        assert_eq!(recording.append(b"12345678\n").unwrap(), Recorded::LeftOut(1));
        assert_eq!(recording.append(b"\n").unwrap(), Recorded::LeftOut(2), "nothing is added behind a gap");
        assert_eq!(recording.bytes, std::fs::metadata(&path).unwrap().len());
    }
}
