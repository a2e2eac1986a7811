//! What the operator is told besides alerts: to standard error at a terminal, to our own log as a service.

use std::io::IsTerminal;

use crate::pipeline::Notice;

/// One line to whoever started us.
pub fn say(line: &str) {
    if interactive() {
        eprintln!("logwren: {line}");
    } else {
        tracing::info!("{line}");
    }
}

/// Says one notice at the level that tells what to do about it.
pub fn notice(notice: &Notice) {
    match notice {
        Notice::Learned(learned) => say(&learned.to_string()),
        Notice::Unreadable { origin, error, fix } => {
            tracing::warn!(origin = &**origin, "cannot read {origin}: {error}; {fix}; trying again, the rest goes on");
        }
        Notice::Readable { origin } => tracing::info!(origin = &**origin, "{origin} can be read again"),
        Notice::Gap { origin, reason, lost } => {
            tracing::warn!(origin = &**origin, lost, "lines of {origin} may be lost: {reason}");
        }
        Notice::Skipped { origin, bytes } => {
            tracing::warn!(
                origin = &**origin,
                bytes,
                "skipped the rest of an overlong line of {origin}: {bytes} bytes"
            );
        }
        Notice::Silence { told, back: false } => tracing::warn!("{told}"),
        Notice::Silence { told, back: true } => tracing::info!("{told}"),
        Notice::Exploded { origin, templates, detail } => {
            tracing::warn!(
                origin = &**origin,
                templates,
                "{origin} made {templates} kinds of lines; its new lines are told apart by {detail} from now on"
            );
        }
        Notice::Judge { trouble } => tracing::warn!("the model cannot be asked: {trouble}; local detection goes on"),
        Notice::AnswerOver { word, about, why } => {
            let (word, noun, id) = (word.as_str(), about.noun(), about.id());
            tracing::info!(id, "`{word}` of {noun} {id} holds no more: {why}");
        }
        Notice::DeadLetter { alert, notifier, error } => {
            tracing::error!(alert = &**alert, notifier = &**notifier, "gave up alert {alert} to {notifier}: {error}");
        }
        Notice::DeliveryFailed { alert, notifier, error } => {
            tracing::warn!(
                alert = &**alert,
                notifier = &**notifier,
                "alert {alert} to {notifier} will be tried again: {error}"
            );
        }
    }
}

/// Somebody typed the command, as opposed to a service manager.
fn interactive() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_none()
        && (std::io::stderr().is_terminal() || std::env::var_os("INVOCATION_ID").is_none())
}
