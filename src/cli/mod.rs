//! What can be typed? *Not here:* work (the rooms).

mod args;
mod place;
mod analyze;
mod blocks;
mod reads;
mod turns;
mod alike;
mod mining;
#[cfg(test)]
mod mining_test;
mod assignments;
mod templates;
mod check_config;
mod import;
mod explain;
mod redact;
mod egress;
mod eval;
mod backtest;
mod compare;
mod incidents;
mod spend;
mod rules;
mod report;
mod answer;
mod test_alert;
mod components;

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, Parser};

use crate::analysis::inputs;
use crate::config::Mistakes;
use crate::exit;
use crate::model::Word;

use args::RulesWhat;
pub use args::{Arguments, Command};

/// Runs one command line. The result is the exit code, or an error for `exit::report`.
///
/// # Errors
/// Whatever the command could not do; a [`exit::UsageError`] when it was asked wrongly.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<u8> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap prints help and version through the same door; they are not mistakes.
            let code = if error.use_stderr() { exit::USAGE } else { exit::OK };
            error.print()?;
            return Ok(code);
        }
    };
    dispatch(arguments).map_err(|error| match error.downcast::<Mistakes>() {
        Ok(mistakes) => drawn(&mistakes).into(),
        Err(error) => error,
    })
}

/// All mistakes at once, each with its place.
fn drawn(mistakes: &Mistakes) -> exit::UsageError {
    for problem in &mistakes.0 {
        eprintln!("{}\n", problem.drawn());
    }
    exit::UsageError {
        message: mistakes.to_string(),
        hint: Some("config/logwren.toml in the source, or /usr/share/doc/logwren, lists every key".to_owned()),
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<u8> {
    let louder = i16::from(arguments.verbose) - i16::from(arguments.quiet);
    match arguments.command {
        Command::Watch(watch) => crate::daemon::watch(place::watch(watch, louder)?),
        Command::Analyze(analyze) => analyze::run(&analyze, arguments.quiet > 0),
        Command::Templates(templates) => templates::run(&templates),
        Command::CheckConfig(check) => check_config::run(&check),
        Command::Config { what } => import::run(&what),
        Command::Explain(explain) => explain::run(&explain),
        Command::Redact(redact) => redact::run(&redact),
        Command::Egress(egress) => egress::run(&egress),
        Command::Eval(eval) => eval::run(&eval),
        Command::Backtest(backtest) => backtest::run(&backtest),
        Command::Compare(compare) => compare::run(&compare),
        Command::Incidents(incidents) => incidents::run(incidents),
        Command::Spend(spend) => spend::run(&spend),
        Command::Rules { what: RulesWhat::Export(export) } => rules::export(&export),
        Command::Report(what) => report::run(&what, arguments.quiet > 0),
        Command::Normal(what) => answer::judge(Word::Normal, what),
        Command::Anomalous(what) => answer::judge(Word::Anomalous, what),
        Command::Mute(what) => answer::mute(what),
        Command::Unmute(what) => answer::judge(Word::Unmute, what),
        Command::Mutes(mutes) => answer::list(&mutes),
        Command::TestAlert(test) => test_alert::run(&test),
        Command::Components => components::run(),
        Command::Completions { shell } => {
            // Not straight to standard output: clap_complete panics when nobody reads to the end.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "logwren", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(exit::OK)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
            std::io::stdout().write_all(&page)?;
            Ok(exit::OK)
        }
    }
}
