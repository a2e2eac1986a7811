//! logwren: argv to the command line, its result to an exit code. Nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    logwren::exit::report(logwren::cli::run(std::env::args_os()))
}
