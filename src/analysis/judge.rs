//! The model's part of an analysis: is there a key, what is asked at the end of the lines, what did it cost. Decides nothing
//! about questions or answers (judge).

use std::path::Path;

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use secrecy::ExposeSecret;

use crate::config::{Config, NoKey};
use crate::egress::Ledger;
use crate::judge;
use crate::llm::Client;
use crate::model::{JudgeFailure, SecretRef};
use crate::pipeline::{Input, Pipeline};
use crate::redact::Secret;

use super::engine::Engine;
use super::inputs::Input as Source;

/// Who judges.
pub struct Model {
    pub client: Option<Client>,
    /// Why nobody does.
    pub none_because: Option<String>,
    /// Worth a line before the run begins.
    pub said: Option<String>,
}

/// The configured model, when there is a key and the mode wants one. `wanted` is `--judge`.
///
/// # Errors
/// When a mode was asked for that cannot be had.
pub fn model(config: &mut Config, wanted: Option<judge::Mode>, inputs: &[Source]) -> anyhow::Result<Model> {
    if let Some(mode) = wanted {
        config.judge.mode = mode;
    }
    let nobody = |why: &str, said: Option<String>| Model { client: None, none_because: Some(why.to_owned()), said };
    if config.judge.mode == judge::Mode::Off {
        return Ok(nobody("the judge is off", None));
    }
    let (key, from) = match key(config, inputs) {
        Ok(found) => found,
        Err(NoKey { error, .. }) => {
            config.judge.mode = judge::Mode::Off;
            let hint = format!("no model is asked: {error} (local rules and detectors only)");
            return Ok(nobody("no key", Some(hint)));
        }
    };
    let ledger = match Ledger::open(&config.state_dir) {
        Ok(ledger) => ledger,
        Err(error) => {
            config.judge.mode = judge::Mode::Off;
            let said = format!("no model is asked: nothing leaves without a row in the ledger, and {error}");
            return Ok(nobody("no ledger of what leaves", Some(said)));
        }
    };
    let key = key.map(|key| key.expose_secret().to_owned().into());
    let client = Client::new(&config.llm, config.backend(), key).context("the model cannot be asked")?;
    let client = client.map(|client| client.recorded_in(ledger));
    let shown = match config.judge.mode {
        judge::Mode::Lines => "every line, with secrets and personal data replaced",
        judge::Mode::Templates | judge::Mode::Off => {
            "one masked sample of each kind of line, and up to five of a grave incident,"
        }
    };
    let said = format!("{} is asked{from}: {shown} leaves this host", config.model_name());
    Ok(Model { client, none_because: None, said: Some(said) })
}

/// Incidents of a run that are asked about as a whole, the gravest first.
const MOST_INCIDENTS: usize = 20;

/// Asks until nothing waits, and says why when something is left. Then about the incidents themselves.
pub fn ask(engine: &mut Engine, client: &Client, stop: &AtomicBool) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    runtime.block_on(async {
        exchange(engine, client, stop, |pipeline| pipeline.waiting_questions(crate::driver::now()).0).await;
        engine.ask_about_incidents(MOST_INCIDENTS, crate::driver::now());
        exchange(engine, client, stop, Pipeline::incidents_to_ask_about).await;
    });
    let (left, why) = engine.pipeline.waiting_questions(crate::driver::now());
    engine.metrics.unanswered = left as u64;
    let collapsed = engine.pipeline.counters().collapsed;
    if collapsed > 0 {
        engine.remarks.push(format!("{collapsed} lines were asked about by their kind only: too many waited"));
    }
    let incidents = engine.pipeline.incidents_to_ask_about();
    if incidents > 0 {
        engine
            .remarks
            .push(format!("{incidents} incidents were not asked about: no budget, or the model gave no answer"));
    }
    if left > 0 {
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        engine.remarks.push(format!("{left} questions were left without an answer{why}"));
    }
    Ok(())
}

/// Lets requests go as long as `waiting` says that something waits.
async fn exchange(engine: &mut Engine, client: &Client, stop: &AtomicBool, waiting: impl Fn(&Pipeline) -> usize) {
    while waiting(&engine.pipeline) > 0 && !stop.load(Ordering::Relaxed) {
        client.ready().await;
        let effects = engine.feed(Input::JudgeReady, crate::driver::now());
        // Paused or out of budget: what waits stays unanswered.
        let Some(request) = effects.judge else { break };
        let judged = client.ask(request).await;
        let metrics = &mut engine.metrics;
        metrics.api_calls_made += judged.usage.requests;
        metrics.tokens_in += judged.usage.input_tokens;
        metrics.tokens_out += judged.usage.output_tokens;
        metrics.cost_usd += judged.cost_usd;
        if let Err(failure) = &judged.result {
            metrics.failed_chunks += 1;
            match failure {
                JudgeFailure::Stop { reason } | JudgeFailure::Later { reason, .. } => {
                    engine.remarks.push(format!("the model gave no answer: {reason}"));
                }
                JudgeFailure::Split { .. } | JudgeFailure::Blocked { .. } => {}
            }
        }
        engine.feed(Input::Judged(judged), crate::driver::now());
    }
}

/// The key, if one is needed, and where it was found, when not in its usual place: the original system's `.env` beside the
/// input.
fn key(config: &Config, inputs: &[Source]) -> Result<(Option<Secret>, String), NoKey> {
    let missing = match config.find_model_key() {
        Ok(key) => return Ok((key, String::new())),
        Err(missing) => missing,
    };
    let Some(SecretRef::Env(variable)) = config.model_key() else { return Err(missing) };
    let beside = inputs.iter().find_map(|input| {
        let folder = match input {
            Source::Stdin => Path::new("."),
            Source::File(path) => {
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
            }
        };
        let file = folder.join(".env");
        let text = std::fs::read_to_string(&file).ok()?;
        let value = from_env_file(&text, &variable)?;
        Some((Some(Secret::from(value)), format!(" (key from {})", file.display())))
    });
    beside.ok_or_else(|| NoKey { error: format!("{variable} is not set"), ..missing })
}

/// `NAME=value` of an env file: `export`, quotes and comments as shells and dotenv take them.
fn from_env_file(text: &str, name: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let line = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        let (key, value) = line.split_once('=')?;
        (key.trim() == name).then(|| value.trim())
    })?;
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split(quote).next());
    let plain = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or_default()).trim();
    (!plain.is_empty()).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(from_env_file(text, "GOOGLE_API_KEY").as_deref(), expected);
    }

    #[test]
    fn env_files() {
        check("GOOGLE_API_KEY=abc", Some("abc"));
        check("# x\nexport GOOGLE_API_KEY = \"a b\" # mine\r\n", Some("a b"));
        check("GOOGLE_API_KEY='q'", Some("q"));
        check("GOOGLE_API_KEY=abc # mine", Some("abc"));
        check("GOOGLE_API_KEY=", None);
        check("OTHER=1", None);
        check("MY_GOOGLE_API_KEY=1", None);
    }
}
