//! An open incident as it is shown to a model: what was found, lines of it, and what else was logged when it began.
//! What of a line may show is decided as for kinds. When it is asked, and what becomes of the answer: `second`.

use serde_json::{Value, json};

use super::belief::Expected;
use super::clean::visible;
use super::config::{Config, Mode, Samples};
use super::document::{
    self, Document, FrameBroken, Ids, Like, MAX_PROGRAM_BYTES, MAX_SAMPLE_BYTES, MAX_TEMPLATE_BYTES, clipped,
    estimate_tokens, seconds,
};
use super::{prompt, sample};
use crate::model::{Evidence, Incident};
use crate::redact::{self, Batch, Company, Redactor};

/// Most incidents of one request.
pub(super) const MAX_INCIDENTS: usize = 10;
/// What the prose about one incident takes of the output budget.
const OUTPUT_TOKENS_PER_INCIDENT: u32 = 300;
const MAX_TITLE_BYTES: usize = 200;
/// Longer words are keys or names.
const MAX_WORD_BYTES: usize = 20;
/// Kinds of lines around an incident that are shown.
const MAX_CONTEXT: usize = 10;

/// An incident that a model could say more of.
#[derive(Clone, PartialEq, Debug)]
pub struct IncidentQuestion {
    pub incident: Incident,
    /// Texts that its lines may belong to. A line of none of them stays here.
    pub templates: Vec<String>,
    /// Other kinds of lines that were logged when it began, the oddest first: `sshd: Server listening on <IP>`.
    pub context: Vec<String>,
}

impl IncidentQuestion {
    /// As it may be asked; none when its own text speaks to a model or talks to a judge. Context that does is left out.
    pub(super) fn checked(mut self) -> Option<IncidentQuestion> {
        let is_dull = |text: &str| match redact::company(text) {
            Company::Plain | Company::Exposed => injected(text).is_none(),
            Company::Prose | Company::Script | Company::Alone => false,
        };
        self.context.retain(|text| is_dull(text));
        self.context.truncate(MAX_CONTEXT);
        let own: Vec<&str> = self.texts().collect();
        // Pieces of an order may stand in lines of their own.
        let joined = own.join(" ");
        let speaks = |text: &str| injected(text).is_some() || redact::company(text) == Company::Alone;
        let silent = !own.iter().any(|text| speaks(text)) && injected(&joined).is_none();
        silent.then_some(self)
    }

    /// What is shown of its lines has sentences, or letters in which no rule here would know talk: to be asked about by
    /// itself.
    pub(super) fn is_foreign(&self, config: &Config) -> bool {
        let is_foreign = |text: &str| match redact::company(text) {
            Company::Plain | Company::Exposed => false,
            Company::Prose | Company::Script | Company::Alone => true,
        };
        let lines = self.incident.evidence.iter().filter_map(|line| shown(config, &self.templates, line));
        let own = [&*self.incident.program, self.incident.template_text.as_str()];
        own.into_iter().any(is_foreign) || lines.into_iter().any(|line| is_foreign(&line))
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let incident = &self.incident;
        [incident.title.as_str(), &*incident.program, incident.template_text.as_str()]
            .into_iter()
            .chain(self.templates.iter().map(String::as_str))
            .chain(incident.evidence.iter().map(|line| line.line.as_str()))
    }
}

fn injected(text: &str) -> Option<&'static str> {
    redact::injection_like(text).or_else(|| redact::injection_like(&visible(text)))
}

/// The words of a template and its placeholders; `<*>` for whatever could be more than a word. For templates without a line
/// at hand: half of a key whose digits are masked is no key that redaction knows, so no half of one is to be seen.
pub fn words_of(template: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for token in template.split_whitespace() {
        let bare =
            token.trim_matches(|c: char| matches!(c, '.' | ',' | ':' | ';' | '!' | '(' | ')' | '[' | ']' | '"' | '\''));
        let is_word = (1..=MAX_WORD_BYTES).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_alphabetic());
        let inside = bare.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
        let is_placeholder =
            inside.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'*'));
        let shown = if is_word || is_placeholder { token } else { "<*>" };
        if shown != "<*>" || words.last() != Some(&shown) {
            words.push(shown);
        }
    }
    words.join(" ")
}

/// How many incidents a request can carry so that the answer fits into `max_output_tokens`.
pub(super) fn capacity(max_output_tokens: u32) -> usize {
    let room = max_output_tokens.saturating_sub(document::OUTPUT_HEADROOM) / OUTPUT_TOKENS_PER_INCIDENT;
    (room as usize).clamp(1, MAX_INCIDENTS)
}

/// Tokens that the answer about so many may take.
pub(super) fn answer_tokens(count: usize) -> u64 {
    u64::from(OUTPUT_TOKENS_PER_INCIDENT) * count as u64
}

/// Builds a request about the first of `questions`, as many as fit; at least one. Their ids stand in
/// `expected.incidents` in the same order.
///
/// # Errors
/// When the redacted document is not the one that was built, apart from its texts.
pub(super) fn build(
    config: &Config,
    max_input_tokens: u32,
    questions: &[IncidentQuestion],
    random: &mut dyn FnMut() -> u64,
    redactor: &Redactor,
) -> Result<Document, FrameBroken> {
    let tries = (0..document::TRIES).find_map(|_| try_build(config, max_input_tokens, questions, random, redactor));
    tries.ok_or(FrameBroken)
}

fn try_build(
    config: &Config,
    max_input_tokens: u32,
    questions: &[IncidentQuestion],
    random: &mut dyn FnMut() -> u64,
    redactor: &Redactor,
) -> Option<Document> {
    let schema = prompt::incidents_schema().to_string();
    let overhead = estimate_tokens(prompt::INCIDENTS_SYSTEM.len()) + estimate_tokens(schema.len()) + 400;
    let mut ids = Ids::default();
    let mut expected = Expected { nonce: document::nonce(random), ..Expected::default() };
    let mut incidents = Vec::new();
    let mut tokens = overhead;
    let mut batch = redactor.batch();
    for question in questions {
        batch.host(&question.incident.host);
    }
    for question in questions {
        let id = ids.next(random);
        let told = told(config, question, id, redactor, &mut batch);
        let cost = estimate_tokens(told.to_string().len());
        if !incidents.is_empty() && tokens.saturating_add(cost) > max_input_tokens {
            break;
        }
        tokens = tokens.saturating_add(cost);
        expected.incidents.push(id);
        incidents.push(told);
    }
    let taken = incidents.len();
    let mut items = Vec::new();
    let first = questions.first().map(|question| &question.incident);
    let like = first.map_or_else(Like::default, |incident| Like {
        count: incident.count,
        first: incident.first_seen,
        last: incident.last_seen,
    });
    document::add_canaries(config, &mut items, &mut expected, &mut ids, random, |_| like);
    let document = json!({ "host": "h1", "nonce": expected.nonce, "items": items, "incidents": incidents });
    let (user, restore) = batch.document(&document);
    if !document::same_frame(&document, user.as_str()) {
        return None;
    }
    let estimated_input_tokens = estimate_tokens(user.as_str().len()).saturating_add(overhead);
    Some(Document { user, restore, expected, taken, estimated_input_tokens })
}

fn told(config: &Config, question: &IncidentQuestion, id: u64, redactor: &Redactor, batch: &mut Batch<'_>) -> Value {
    let incident = &question.incident;
    let known = redactor.learn(incident.evidence.iter().map(|evidence| evidence.line.as_str()));
    let mut short = |text: &str, max_bytes| batch.text_knowing(&clipped(text, max_bytes), &known);
    let mut examples: Vec<String> = Vec::new();
    for evidence in &incident.evidence {
        let Some(text) = shown(config, &question.templates, evidence) else { continue };
        let text = short(&text, MAX_SAMPLE_BYTES);
        let example = match evidence.program == incident.program || evidence.program.is_empty() {
            true => text,
            false => format!("{}: {text}", short(&evidence.program, MAX_PROGRAM_BYTES)),
        };
        if !examples.contains(&example) {
            examples.push(example);
        }
    }
    if examples.is_empty() && !incident.template_text.is_empty() {
        examples.push(short(&words_of(&incident.template_text), MAX_TEMPLATE_BYTES));
    }
    let context: Vec<String> = question.context.iter().map(|text| short(text, MAX_SAMPLE_BYTES)).collect();
    json!({
        "id": id,
        "title": short(&incident.title, MAX_TITLE_BYTES),
        "seen_by": short(&incident.judged_by.to_string(), MAX_PROGRAM_BYTES),
        "program": short(&incident.program, MAX_PROGRAM_BYTES),
        "category": incident.category.as_str(),
        "severity": incident.severity.as_str(),
        "count": incident.count,
        "first_seen": seconds(incident.first_seen),
        "last_seen": seconds(incident.last_seen),
        "examples": examples,
        "context": context,
    })
}

/// What of a line may leave; none of a line that fits no template, unless values may be seen.
fn shown(config: &Config, templates: &[String], evidence: &Evidence) -> Option<String> {
    match (config.mode, config.samples) {
        (Mode::Lines, Samples::Masked | Samples::Redacted) | (Mode::Templates | Mode::Off, Samples::Redacted) => {
            Some(evidence.line.clone())
        }
        (Mode::Templates | Mode::Off, Samples::Masked) => {
            // Of a record of many lines, the template is that of the first.
            let line = evidence.line.lines().next().unwrap_or_default();
            templates.iter().find_map(|template| sample::masked(template, line))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str) {
        assert_eq!(words_of(template), expected);
    }

    #[test]
    fn words_without_halves_of_keys() {
        check("Failed password for <*> from <IP> port <NUM>", "Failed password for <*> from <IP> port <NUM>");
        check("link of eth0 is down, cause: unknown.", "link of <*> is down, cause: unknown.");
        check("token sk_live_<NUM>Ab<NUM>xyz used", "token <*> used");
        check("key=abc Authorization: Basic dXNlcjpwYXNzd29yZA== x", "<*> Authorization: Basic <*> x");
        check("a/b <NUM>x -----BEGIN 17 18", "<*>");
        check("QWxhZGRpbjpvcGVuIHNlc2FtZQ", "<*>");
        check("", "");
    }
}
