//! Which exit code means what (DESIGN section 5.1), and how an error reads on stderr. Decides nothing.

use std::process::ExitCode;

/// Everything went as asked.
pub const OK: u8 = 0;
/// Anomalies at or above `--fail-on`.
pub const ANOMALIES: u8 = 1;
/// Something failed while running.
pub const FAILURE: u8 = 2;
/// The command line or the config is wrong.
pub const USAGE: u8 = 64;

/// The command line or config is wrong: exit 64 instead of 2. `shown` when the mistakes were already drawn.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct UsageError {
    pub message: String,
    pub hint: Option<String>,
}

/// Something failed, and this is what to do about it: exit 2.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct HintedError {
    pub message: String,
    pub hint: String,
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Prints `error:`, `caused by:`, `hint:` and picks the code.
pub fn report(result: anyhow::Result<u8>) -> ExitCode {
    let error = match result {
        Ok(code) => return ExitCode::from(code),
        Err(error) => error,
    };
    // `logwren incidents | head`: the reader has seen enough.
    if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
        return ExitCode::from(OK);
    }
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  caused by: {cause}");
    }
    if let Some(hinted) = error.downcast_ref::<HintedError>() {
        eprintln!("  hint: {}", hinted.hint);
    }
    match error.downcast_ref::<UsageError>() {
        Some(usage) => {
            if let Some(hint) = &usage.hint {
                eprintln!("  hint: {hint}");
            }
            ExitCode::from(USAGE)
        }
        None => ExitCode::from(FAILURE),
    }
}
