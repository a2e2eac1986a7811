//! What batch work reads: files, directories, patterns and standard input, in a settled order, packed or not. Opens
//! and unpacks; never looks inside a line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use walkdir::WalkDir;

use crate::exit::UsageError;
use crate::model::{Medium, Timestamp};
use crate::source::{Packing, Pattern};

/// Bytes of a head that tell packed and binary files.
const HEAD_BYTES: usize = 1024;

/// One stream of lines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    Stdin,
    File(PathBuf),
}

/// An input that is open.
pub struct Opened {
    pub medium: Medium,
    /// When the newest byte was written; `None` where nobody knows.
    pub written: Option<Timestamp>,
    pub bytes: Box<dyn Read + Send>,
}

/// The inputs that the words of a command line name: `-` is standard input, a directory is every text file below it, what
/// does not exist may be a pattern. Each file once, in the order of the words, and by name inside one.
///
/// # Errors
/// When a word names nothing that can be read.
pub fn named(words: &[String]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for word in words {
        let path = Path::new(word);
        if word == "-" {
            push(&mut inputs, Input::Stdin);
        } else if path.is_dir() {
            // An empty directory is no mistake.
            below(path, |_| true, &mut inputs)?;
        } else if path.exists() || !word.contains(['*', '?', '[', '{']) {
            // Says which file and why, before anything is read.
            File::open(path).with_context(|| format!("cannot read {word}"))?;
            push(&mut inputs, Input::File(path.to_path_buf()));
        } else {
            matching(word, &mut inputs)?;
        }
    }
    Ok(inputs)
}

impl Input {
    /// What a person calls it.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "-".to_owned(),
            Input::File(path) => path.display().to_string(),
        }
    }

    /// Opens it, unpacking what is packed.
    ///
    /// # Errors
    /// When it cannot be opened or its packing cannot be read.
    pub fn open(&self) -> anyhow::Result<Opened> {
        let Input::File(path) = self else {
            return Ok(Opened { medium: Medium::Stdin, written: None, bytes: Box::new(io::stdin()) });
        };
        let cannot = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(cannot)?;
        let metadata = file.metadata().with_context(cannot)?;
        let written = metadata.modified().ok().and_then(|time| jiff::Timestamp::try_from(time).ok());
        let packing = if metadata.is_file() { Packing::of(&head(&file).with_context(cannot)?) } else { None };
        let bytes: Box<dyn Read + Send> = match packing {
            Some(packing) => packing.unpack(file).with_context(cannot)?,
            None => Box::new(file),
        };
        Ok(Opened { medium: Medium::File, written: written.map(Timestamp::from), bytes })
    }
}

/// Bytes of every file as they are on disk now: what is written to it later is not part of this run.
pub type Sizes = HashMap<PathBuf, u64>;

pub fn sizes_of<'a>(inputs: impl Iterator<Item = &'a Input>) -> Sizes {
    inputs
        .filter_map(|input| match input {
            Input::Stdin => None,
            Input::File(path) => {
                let about = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
                Some((path.clone(), about.len()))
            }
        })
        .collect()
}

/// Bytes of all inputs; 0 when one of them does not say.
pub fn total(inputs: &[Input], sizes: &Sizes) -> u64 {
    let size = |input: &Input| match input {
        Input::Stdin => None,
        Input::File(path) => sizes.get(path),
    };
    inputs.iter().map(size).try_fold(0u64, |sum, size| Some(sum.saturating_add(*size?))).unwrap_or(0)
}

fn push(inputs: &mut Vec<Input>, input: Input) {
    if !inputs.contains(&input) {
        inputs.push(input);
    }
}

/// What matches a pattern, which may be relative to the current directory.
fn matching(word: &str, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    let here = std::env::current_dir().context("cannot tell the current directory")?;
    let absolute = here.join(word);
    let wrong = |message: String| UsageError { message, hint: None };
    let pattern: Pattern = absolute.to_string_lossy().parse().map_err(wrong)?;
    let is_fixed = |part: &std::path::Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    let base: PathBuf = absolute.components().take_while(is_fixed).collect();
    if below(&base, |path| pattern.matches(path), inputs)? == 0 {
        bail!("{word} matches no file");
    }
    Ok(())
}

/// Every text file below a directory that is wanted, by name, and how many there are. What vanishes meanwhile was not
/// there.
fn below(directory: &Path, is_wanted: impl Fn(&Path) -> bool, inputs: &mut Vec<Input>) -> anyhow::Result<usize> {
    let mut found = 0;
    for entry in WalkDir::new(directory).follow_root_links(true).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() == 0 => {
                return Err(error).with_context(|| format!("cannot read {}", directory.display()));
            }
            Err(error) => {
                eprintln!("warning: left out: {error}");
                continue;
            }
        };
        let is_file = entry.file_type().is_file() || entry.path_is_symlink() && entry.path().is_file();
        if !is_file || !is_wanted(entry.path()) {
            continue;
        }
        match File::open(entry.path()).and_then(|file| head(&file)) {
            Ok(head) if Packing::of(&head).is_some() || !is_binary(&head) => {
                found += 1;
                push(inputs, Input::File(entry.into_path()));
            }
            Ok(_) => {}
            Err(error) => eprintln!("warning: left out: cannot read {}: {error}", entry.path().display()),
        }
    }
    Ok(found)
}

fn head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEAD_BYTES];
    let length = file.read_at(&mut head, 0)?;
    head.truncate(length);
    Ok(head)
}

/// Found in a directory, such a file is no log: every twentieth byte is a NUL.
pub(super) fn is_binary(head: &[u8]) -> bool {
    head.iter().filter(|byte| **byte == 0).count() * 20 > head.len()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What `word`, below a directory that holds `files`, names.
    #[track_caller]
    fn check(files: &[(&str, &[u8])], word: &str, expected: &[&str]) {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, bytes) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().expect("has one")).expect("to make it");
            fs::write(path, bytes).expect("to write it");
        }
        let word = format!("{}/{word}", directory.path().display());
        let found = named(&[word.clone(), word]).expect("names something");
        let root = format!("{}/", directory.path().display());
        let found: Vec<String> = found.iter().map(|input| input.name().replace(&root, "")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn words_name_inputs() {
        let files: &[(&str, &[u8])] = &[
            ("b.log", b"x\n"),
            ("a.log", b"x\n"),
            ("sub/c.log", b"x\n"),
            ("journal", b"LPKSHHRH\0\0\0\0"),
            ("e", b""),
        ];
        check(files, "a.log", &["a.log"]);
        check(files, "", &["a.log", "b.log", "e", "sub/c.log"]);
        check(files, "*.log", &["a.log", "b.log"]);
        check(files, "**/*.log", &["a.log", "b.log", "sub/c.log"]);
        check(files, "journal", &["journal"]);
        assert_eq!(named(&["-".to_owned()]).expect("standard input"), [Input::Stdin]);
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let error = |word: &str| format!("{:#}", named(&[word.to_owned()]).expect_err("a mistake"));
        assert!(error("/no/such/file.log").contains("cannot read /no/such/file.log"));
        assert!(error("/tmp/no-such-*.log").contains("matches no file"));
    }

    #[test]
    fn packed_files_are_unpacked() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("packed");
        fs::write(&path, zstd::encode_all(&b"one\ntwo\n"[..], 1).expect("into memory")).expect("to write it");
        let mut opened = Input::File(path).open().expect("opens");
        let mut text = String::new();
        opened.bytes.read_to_string(&mut text).expect("unpacks");
        assert_eq!(text, "one\ntwo\n");
        assert!(opened.written.is_some());
    }
}
