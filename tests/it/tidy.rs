//! Holds file heads and lengths, and that README, unit file and configs say what the code does.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use logwren::cli::Arguments;
use logwren::config::Config;

use crate::architecture::sources;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_file_says_what_it_is_for() {
    let without: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(file, _)| file).collect();
    assert!(without.is_empty(), "no //! head: {without:?}");
}

#[test]
fn every_room_says_what_is_not_here() {
    let without: Vec<String> = sources()
        .into_iter()
        .filter(|(file, text)| {
            let head: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
            file.matches('/').count() == 1 && file.ends_with("/mod.rs") && !head.join("\n").contains("*Not here:*")
        })
        .map(|(file, _)| file)
        .collect();
    assert!(without.is_empty(), "no *Not here:* in the head of {without:?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<(String, usize)> = sources()
        .into_iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > 600)
        .collect();
    assert!(long.is_empty(), "over 600 lines: {long:?}");
}

#[test]
fn nothing_pretends() {
    for (file, text) in sources() {
        for word in ["todo!(", "unimplemented!(", "FIXME", "XXX"] {
            assert!(!text.contains(word), "src/{file} has {word}");
        }
    }
}

#[test]
fn the_readme_names_every_command() {
    let readme = text("README.md");
    for command in Arguments::command().get_subcommands() {
        let name = command.get_name();
        assert!(readme.contains(&format!("`logwren {name}")), "README.md does not name `logwren {name}`");
    }
    // And no command that is not there.
    let known: Vec<String> = Arguments::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for part in readme.split("logwren ").skip(1) {
        let word: String = part.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        let next = part[word.len()..].chars().next();
        let is_command = readme.contains(&format!("`logwren {word}")) && next.is_some_and(|c| "` []\n".contains(c));
        assert!(word.is_empty() || !is_command || known.contains(&word), "README.md names `logwren {word}`");
    }
}

#[test]
fn the_shipped_config_is_the_default() {
    let shipped = text("config/logwren.toml");
    let config = Config::parse("config/logwren.toml", &shipped).expect("the shipped config is right");
    assert_eq!(format!("{config:#?}"), format!("{:#?}", Config::default()));
}

#[test]
fn the_examples_are_right() {
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("config/examples")).expect("examples are there") {
        let path = entry.expect("readable").path();
        let shown = path.display().to_string();
        let problems = Config::parse(&shown, &text(&path)).err();
        assert!(problems.is_none(), "{shown}: {problems:?}");
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} examples");
}

#[test]
fn the_unit_runs_a_command_that_exists() {
    let unit = text("systemd/logwren.service");
    let exec = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("the unit starts something");
    let words: Vec<&str> = exec.split_whitespace().collect();
    assert_eq!(words.first(), Some(&"/usr/bin/logwren"));
    Arguments::try_parse_from(&words).expect("the command line parses");
    for needed in [
        "Type=notify",
        "WatchdogSec=",
        "StateDirectory=logwren",
        "SupplementaryGroups=adm systemd-journal",
        "RestartPreventExitStatus=64",
        "KillMode=mixed",
        // Without it a missing credentials folder keeps the service from starting.
        "SetCredential=logwren:",
    ] {
        assert!(unit.contains(needed), "the unit lost {needed}");
    }
    let settings: Vec<&str> = unit.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(
        !settings.iter().any(|line| line.starts_with("ProcSubset")),
        "journalctl --follow needs the boot id from /proc"
    );
}

#[test]
fn the_top_level_holds_nothing_else() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "packaging",
        "systemd",
        "config",
        "tests",
        "README.md",
        "LICENSE",
        "target",
    ];
    for entry in std::fs::read_dir(root()).expect("readable") {
        let name = entry.expect("readable").file_name().to_string_lossy().into_owned();
        assert!(name.starts_with('.') || allowed.contains(&name.as_str()), "{name} does not belong at the top");
    }
}
