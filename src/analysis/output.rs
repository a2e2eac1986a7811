//! The files of a run and the state it keeps. Writes beside the target and renames, so that a report is whole or absent.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::config::Config;
use crate::judge::Judge;
use crate::model::Snapshot;
use crate::pipeline::SecondQuestions;
use crate::report::{self, CsvRows, Report, Row};
use crate::store::{Reader, Store};

use super::engine::Engine;

/// A file under way, or standard output.
struct Target {
    out: BufWriter<Box<dyn Write>>,
    /// Where it is, and where it goes.
    rename: Option<(PathBuf, PathBuf)>,
}

impl Target {
    fn open(path: &Path) -> anyhow::Result<Target> {
        if path.as_os_str() == "-" {
            return Ok(Target { out: BufWriter::new(Box::new(io::stdout())), rename: None });
        }
        let is_special = path.metadata().is_ok_and(|about| !about.is_file());
        if is_special {
            let file = File::options().write(true).open(path).with_context(|| cannot(path))?;
            return Ok(Target { out: BufWriter::new(Box::new(file)), rename: None });
        }
        let mut name = path.file_name().with_context(|| format!("{} is no file name", path.display()))?.to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = File::create(&part).with_context(|| cannot(path))?;
        Ok(Target { out: BufWriter::new(Box::new(file)), rename: Some((part, path.to_owned())) })
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.out.flush().context("cannot write a report to its end")?;
        drop(self.out);
        if let Some((part, path)) = self.rename {
            std::fs::rename(&part, &path).with_context(|| cannot(&path))?;
        }
        Ok(())
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn cannot(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Where reports go; `-` is standard output.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    pub csv: Option<PathBuf>,
    pub json: Option<PathBuf>,
    pub html: Option<PathBuf>,
    pub sarif: Option<PathBuf>,
    pub jsonl: Option<PathBuf>,
}

impl Paths {
    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.html, &self.csv, &self.json, &self.sarif, &self.jsonl].into_iter().flatten()
    }

    /// Where the reports are, for a person.
    pub fn written(&self) -> String {
        let names: Vec<String> = self.all().map(|path| path.display().to_string()).collect();
        if names.is_empty() { String::new() } else { format!("written: {}\n", names.join(", ")) }
    }

    /// Some file is standard output.
    pub fn stdout_is_taken(&self) -> bool {
        self.all().any(|path| path.as_os_str() == "-")
    }
}

/// All files of a run. Rows go out one by one; the report at the end.
pub struct Files<'a> {
    paths: &'a Paths,
    csv: Option<CsvRows<Target>>,
    jsonl: Option<Target>,
}

impl<'a> Files<'a> {
    /// # Errors
    /// When a file cannot be opened.
    pub fn open(paths: &'a Paths, columns: &[String]) -> anyhow::Result<Files<'a>> {
        let csv = match &paths.csv {
            Some(path) => Some(CsvRows::new(Target::open(path)?, columns).with_context(|| cannot(path))?),
            None => None,
        };
        let jsonl = paths.jsonl.as_deref().map(Target::open).transpose()?;
        Ok(Files { paths, csv, jsonl })
    }

    /// # Errors
    /// When a row cannot be written.
    pub fn push(&mut self, row: &Row<'_>) -> anyhow::Result<()> {
        if let Some(rows) = &mut self.csv {
            rows.push(row).context("cannot write the CSV")?;
        }
        if let Some(target) = &mut self.jsonl {
            report::json_line(row, target).context("cannot write the JSON lines")?;
        }
        Ok(())
    }

    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self, report: &Report) -> anyhow::Result<()> {
        if let Some(rows) = self.csv {
            rows.finish().context("cannot write the CSV")?.finish()?;
        }
        if let Some(target) = self.jsonl {
            target.finish()?;
        }
        type Writer = fn(&Report, &mut dyn Write) -> io::Result<()>;
        let writers: [(&Option<PathBuf>, Writer); 3] = [
            (&self.paths.json, |report, out| report::json(report, out)),
            (&self.paths.html, |report, out| report::html(report, out)),
            (&self.paths.sarif, |report, out| report::sarif(report, out)),
        ];
        for (path, write) in writers {
            if let Some(path) = path {
                let mut target = Target::open(path)?;
                write(report, &mut target).with_context(|| cannot(path))?;
                target.finish()?;
            }
        }
        Ok(())
    }
}

/// Prints, unless nobody reads any more.
pub fn show(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Answers of the model and what they cost, kept for the next run and for the daemon.
pub struct State {
    store: Option<Store>,
    snapshot: Option<Snapshot>,
    /// Why answers are not kept.
    pub problems: Vec<String>,
}

impl State {
    /// Nothing is opened where nobody is asked.
    pub fn open(config: &Config, asks: bool) -> State {
        let mut state = State { store: None, snapshot: None, problems: Vec::new() };
        if !asks {
            return state;
        }
        let folder = &config.state_dir;
        match Store::open(folder, crate::driver::now()) {
            Ok(opened) => {
                state.snapshot = Some(answers(opened.snapshot));
                state.store = Some(opened.store);
            }
            Err(error) => {
                state.problems.push(format!(
                    "answers of the model are not kept: the state in {} cannot be used: {error}",
                    folder.display()
                ));
                state.snapshot = Reader::open(folder).and_then(|reader| reader.load()).ok().map(answers);
            }
        }
        state
    }

    pub fn take_snapshot(&mut self) -> Option<Snapshot> {
        self.snapshot.take()
    }

    /// Adds what this run learned.
    pub fn keep(&mut self, engine: &mut Engine) {
        let Some(store) = &mut self.store else { return };
        if let Err(error) = store.commit(&engine.lasting, &[]) {
            engine.remarks.push(format!("answers of the model are not kept: {error}"));
        }
    }
}

/// The part of the state that an analysis uses: its lines are not those of the daemon's baseline.
fn answers(snapshot: Snapshot) -> Snapshot {
    let kept = [Judge::STATE, SecondQuestions::STATE];
    let states = snapshot.states.into_iter().filter(|(name, _)| kept.contains(&&**name)).collect();
    Snapshot { verdicts: snapshot.verdicts, states, ..Snapshot::default() }
}
