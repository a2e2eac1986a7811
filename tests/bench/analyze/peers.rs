//! Other tools that read logs: where each is found, and how it is given the first lines of one. Runs nothing.
//!
//! Each is run the way that costs it least while it still does its job; `tests/bench/peers.sh` installs them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::corpus::Corpus;

/// Rules of logcheck, one extended expression a line.
const LOGCHECK_RULES: &str = "/etc/logcheck/ignore.d.server";

pub struct Peer {
    pub name: &'static str,
    /// Of each full run.
    pub lines: usize,
    pub full: Command,
    /// The same on so little that only its start costs.
    pub start: Command,
}

/// How a tool is called.
struct Tool {
    name: &'static str,
    /// So slow that no more lines are given to it.
    lines: usize,
    /// The program, where there is one and what it needs.
    find: fn() -> Option<PathBuf>,
    /// A run on a log of so many lines.
    call: fn(&Path, &Corpus, Given) -> Command,
}

/// What a tool is given.
struct Given {
    log: PathBuf,
    lines: usize,
    /// As many lines again, of another part of the log.
    before: PathBuf,
}

const TOOLS: [Tool; 7] = [
    Tool {
        name: "logjuicer diff, per line of both",
        lines: 50_000,
        find: || program("logjuicer"),
        call: |program, _, given| with(program, [OsString::from("diff"), given.before.into(), given.log.into()]),
    },
    Tool {
        name: "lnav, count by level",
        lines: 400_000,
        find: || program("lnav"),
        call: |program, _, given| {
            let count = ";SELECT log_level, count(*) FROM all_logs GROUP BY log_level";
            with(program, ["-n".into(), "-c".into(), count.into(), OsString::from(given.log)])
        },
    },
    Tool {
        name: "logcheck, its server rules in grep",
        lines: 5_000,
        find: || program("grep").filter(|_| Path::new(LOGCHECK_RULES).is_dir()),
        call: |program, corpus, given| {
            with(program, ["-E", "-v", "-f"].map(OsString::from).into_iter().chain([rules(corpus), given.log.into()]))
        },
    },
    Tool {
        name: "fail2ban-regex, sshd",
        lines: 20_000,
        find: || program("fail2ban-regex"),
        call: |program, _, given| with(program, [given.log.into(), OsString::from("sshd")]),
    },
    Tool {
        name: "swatchdog, two patterns",
        lines: 200_000,
        find: || program("swatchdog"),
        call: |program, corpus, given| {
            let config = corpus.path("swatchdog.conf");
            let patterns = "watchfor /Out of memory/\n  echo normal\nwatchfor /segfault/\n  echo normal\n";
            std::fs::write(&config, patterns).expect("written");
            with(program, ["-c".into(), config.into(), "-f".into(), OsString::from(given.log)])
        },
    },
    Tool {
        name: "Drain3, its own drain3.ini",
        lines: 20_000,
        find: || Some(folder()?.join("drain3/bin/python3")).filter(|python| python.exists() && drain3_ini().is_some()),
        call: |program, _, given| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/drain3_run.py");
            let ini = drain3_ini().expect("looked for before");
            with(program, [script.into(), ini.into(), given.log.into(), OsString::from(given.lines.to_string())])
        },
    },
    Tool {
        name: "logdrain",
        lines: 400_000,
        find: || program("logdrain"),
        call: |program, _, given| with(program, [given.log]),
    },
];

/// Those that are here, and the names of those that are not. Slow ones get fewer lines, by the `share` of them.
pub fn found(corpus: &Corpus, share: usize) -> (Vec<Peer>, Vec<&'static str>) {
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for tool in &TOOLS {
        let Some(program) = (tool.find)() else {
            missing.push(tool.name);
            continue;
        };
        let given = |lines: usize| {
            let (log, lines) = corpus.part(0, lines);
            Given { log, lines, before: corpus.part(lines, lines).0 }
        };
        // What compares two parts reads both.
        let parts = if tool.name.starts_with("logjuicer") { 2 } else { 1 };
        let full = given((tool.lines / share).min(corpus.lines / parts));
        let lines = full.lines * parts;
        let call = |given| {
            let mut command = (tool.call)(&program, corpus, given);
            // They write where home is; ASCII rules are faster.
            command.env("HOME", corpus.path("")).env("LC_ALL", "C").current_dir(corpus.path(""));
            command
        };
        peers.push(Peer { name: tool.name, lines, full: call(full), start: call(given(1)) });
    }
    (peers, missing)
}

fn with<Word: Into<OsString>>(program: &Path, words: impl IntoIterator<Item = Word>) -> Command {
    let mut command = Command::new(program);
    command.args(words.into_iter().map(Into::into));
    command
}

/// The folder that LOGWREN_PEERS names.
fn folder() -> Option<PathBuf> {
    std::env::var_os("LOGWREN_PEERS").map(PathBuf::from)
}

/// In LOGWREN_PEERS or on PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = folder().into_iter().map(|folder| folder.join("bin")).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

fn drain3_ini() -> Option<PathBuf> {
    Some(folder()?.join("drain3.ini")).filter(|path| path.is_file())
}

/// The rules of logcheck in one file, as it does it itself.
fn rules(corpus: &Corpus) -> OsString {
    let path = corpus.path("logcheck.rules");
    let files = std::fs::read_dir(LOGCHECK_RULES).expect("looked for before");
    let text: String = files
        .map(|file| std::fs::read_to_string(file.expect("a file").path()).expect("readable"))
        .flat_map(|text| text.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>())
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .collect();
    std::fs::write(&path, text).expect("written");
    path.into()
}
