//! Builds the one JSON document of a request: items with random ids, two canaries among them, everything redacted.

use serde_json::{Value, json};

use super::belief::Expected;
use super::canary::Canary;
use super::clean::visible;
use super::config::{Config, Mode, Samples};
use super::{prompt, sample};
use crate::model::{Evidence, Question, Timestamp, clip_words};
use crate::redact::{Batch, ForModel, Redactor, Restore};

/// Most questions of one request.
pub const MAX_ITEMS: usize = 40;
/// What one verdict takes of the output budget: mostly short ones, some with prose.
const OUTPUT_TOKENS_PER_ITEM: u32 = 110;
/// Kept of the output budget for thoughts.
pub(super) const OUTPUT_HEADROOM: u32 = 1_000;

pub(super) const MAX_TEMPLATE_BYTES: usize = 600;
pub(super) const MAX_SAMPLE_BYTES: usize = 300;
const MAX_LINE_BYTES: usize = 1_000;
pub(super) const MAX_PROGRAM_BYTES: usize = 80;

/// What one request may hold, by our estimate of tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    pub max_input_tokens: u32,
    /// For thoughts and answer together.
    pub max_output_tokens: u32,
}

impl Default for Room {
    fn default() -> Room {
        Room { max_input_tokens: 16_000, max_output_tokens: 8_192 }
    }
}

/// A request before it has a number.
pub struct Document {
    pub user: ForModel,
    /// Puts real values back into the model's prose.
    pub restore: Restore,
    pub expected: Expected,
    /// How many of the questions are in, from the first; ids stand in `expected.ids` in the same order.
    pub taken: usize,
    pub estimated_input_tokens: u32,
}

/// Redaction changed the frame of the document. Nothing is sent then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("redaction changed the ids of a request, so it was not sent")]
pub struct FrameBroken;

/// How many questions a request can carry so that the answer fits into `max_output_tokens`.
pub fn capacity(max_output_tokens: u32) -> usize {
    let room = max_output_tokens.saturating_sub(OUTPUT_HEADROOM) / OUTPUT_TOKENS_PER_ITEM;
    // Two canaries answer too.
    (room.saturating_sub(2) as usize).clamp(1, MAX_ITEMS)
}

/// Everything of a question that could leave, as it is now: what must not look like an instruction.
pub fn texts(question: &Question) -> impl Iterator<Item = &str> {
    [&*question.kind.program, question.template.as_str()]
        .into_iter()
        .chain(question.samples.iter().map(|evidence| evidence.line.as_str()))
}

/// Redaction could take one nonce for a value, but hardly several.
pub(super) const TRIES: usize = 4;

/// Builds a request about the first of `questions`, as many as fit; at least one.
///
/// # Errors
/// When the redacted document is not the one that was built, apart from its texts.
pub fn build(
    config: &Config,
    max_input_tokens: u32,
    questions: &[&Question],
    random: &mut dyn FnMut() -> u64,
    redactor: &Redactor,
) -> Result<Document, FrameBroken> {
    (0..TRIES).find_map(|_| try_build(config, max_input_tokens, questions, random, redactor)).ok_or(FrameBroken)
}

fn try_build(
    config: &Config,
    max_input_tokens: u32,
    questions: &[&Question],
    random: &mut dyn FnMut() -> u64,
    redactor: &Redactor,
) -> Option<Document> {
    let overhead = estimate_tokens(prompt::SYSTEM.len()) + estimate_tokens(prompt::schema().to_string().len()) + 200;
    let mut ids = Ids::default();
    let mut expected = Expected { nonce: nonce(random), ..Expected::default() };
    let mut items = Vec::new();
    let mut tokens = overhead;
    let mut batch = redactor.batch();
    for question in questions {
        // Short host names inside a text are known by nothing else.
        batch.host(&question.host);
    }
    for question in questions {
        let id = ids.next(random);
        let item = item(config, question, id, redactor, &mut batch);
        let cost = estimate_tokens(item.to_string().len());
        if !items.is_empty() && tokens.saturating_add(cost) > max_input_tokens {
            break;
        }
        tokens = tokens.saturating_add(cost);
        expected.ids.push(id);
        items.push(item);
    }
    let taken = items.len();
    add_canaries(config, &mut items, &mut expected, &mut ids, random, |random| {
        let like = questions.get(below(random, questions.len()));
        like.map_or_else(Like::default, |like| Like { count: like.count, first: like.first_seen, last: like.last_seen })
    });
    let document = json!({ "host": "h1", "nonce": expected.nonce, "items": items });
    let (user, restore) = batch.document(&document);
    if !same_frame(&document, user.as_str()) {
        return None;
    }
    let estimated_input_tokens = estimate_tokens(user.as_str().len()).saturating_add(overhead);
    Some(Document { user, restore, expected, taken, estimated_input_tokens })
}

/// Puts both canaries among the items. `like` picks a real one, by chance, whose count and times they take.
pub(super) fn add_canaries(
    config: &Config,
    items: &mut Vec<Value>,
    expected: &mut Expected,
    ids: &mut Ids,
    random: &mut dyn FnMut() -> u64,
    like: impl Fn(u64) -> Like,
) {
    for is_bad in [true, false] {
        let id = ids.next(random);
        let canary = if is_bad { Canary::bad(random()) } else { Canary::good(random()) };
        *(if is_bad { &mut expected.bad } else { &mut expected.good }) = id;
        let chance = random();
        let item = canary_item(config, &canary, id, &like(chance), chance);
        items.insert(below(random(), items.len() + 1), item);
    }
}

/// Log text is poor in words a tokenizer knows: three bytes a token instead of the usual four.
pub(super) fn estimate_tokens(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(3)).unwrap_or(u32::MAX)
}

fn item(config: &Config, question: &Question, id: u64, redactor: &Redactor, batch: &mut Batch<'_>) -> Value {
    // Redacted here by what its own lines give away; the whole document is once more.
    let known = redactor.learn(question.samples.iter().map(|evidence| evidence.line.as_str()));
    let mut clipped = |text: &str, max_bytes| batch.text_knowing(&clipped(text, max_bytes), &known);
    let program = clipped(&question.kind.program, MAX_PROGRAM_BYTES);
    let level = question.kind.level.as_str();
    if config.mode == Mode::Lines {
        let line = question.samples.first().map_or(question.template.as_str(), |evidence| &evidence.line);
        return json!({
            "id": id,
            "program": program,
            "level": level,
            "first_seen": seconds(question.first_seen),
            "last_seen": seconds(question.last_seen),
            "line": clipped(line, MAX_LINE_BYTES),
        });
    }
    let example = question.samples.iter().find_map(|evidence| example(config.samples, &question.template, evidence));
    let examples: Vec<String> = example.map(|example| clipped(&example, MAX_SAMPLE_BYTES)).into_iter().collect();
    let mut item = json!({
        "id": id,
        "program": program,
        "level": level,
        "template": clipped(&question.template, MAX_TEMPLATE_BYTES),
        "count": question.count,
        "first_seen": seconds(question.first_seen),
        "last_seen": seconds(question.last_seen),
        "examples": examples,
    });
    if !question.odd.is_empty() {
        item["context"] = json!([question.odd]);
    }
    item
}

/// One sample as it may leave; none when it would say no more than the template.
fn example(samples: Samples, template: &str, evidence: &Evidence) -> Option<String> {
    match samples {
        Samples::Masked => sample::masked(template, &evidence.line).filter(|sample| sample != template),
        Samples::Redacted => Some(evidence.line.clone()),
    }
}

/// What a canary takes from something real.
#[derive(Clone, Copy, Default)]
pub(super) struct Like {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Looks like the others: its counts and times are those of a real item.
fn canary_item(config: &Config, canary: &Canary, id: u64, like: &Like, random: u64) -> Value {
    let mut item = json!({
        "id": id,
        "program": canary.program,
        "level": canary.level.as_str(),
        "first_seen": seconds(like.first),
        "last_seen": seconds(like.last),
    });
    if config.mode == Mode::Lines {
        item["line"] = canary.example(random).into();
    } else {
        item["template"] = canary.template.into();
        item["count"] = like.count.into();
        item["examples"] = json!([canary.example(random)]);
    }
    item
}

/// Ids and nonce came through redaction unchanged, and it is still one document with as many items.
pub(super) fn same_frame(built: &Value, sent: &str) -> bool {
    let Ok(sent) = serde_json::from_str::<Value>(sent) else { return false };
    let ids = |document: &Value, list: &str| -> Option<Vec<u64>> {
        document.get(list)?.as_array()?.iter().map(|item| item.get("id")?.as_u64()).collect()
    };
    let same = |list: &str| ids(&sent, list) == ids(built, list);
    sent.get("nonce") == built.get("nonce") && ids(&sent, "items").is_some() && same("items") && same("incidents")
}

/// Cut between words, so that redaction sees no half of a key, and without characters that hide or reorder text.
pub(super) fn clipped(text: &str, max_bytes: usize) -> String {
    let text = visible(clip_words(text, max_bytes * 2));
    let short = clip_words(&text, max_bytes);
    if short.len() < text.len() { format!("{short}…") } else { short.to_owned() }
}

pub(super) fn seconds(time: Timestamp) -> String {
    Timestamp::from_seconds(time.as_seconds()).to_string()
}

/// Letters only, so that no redaction rule can take it for a value.
pub(super) fn nonce(random: &mut dyn FnMut() -> u64) -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz";
    let mut bits = random();
    (0..10)
        .map(|_| {
            let letter = LETTERS[below(bits, LETTERS.len())];
            bits /= LETTERS.len() as u64;
            char::from(letter)
        })
        .collect()
}

/// `random` as an index below `length`; 0 for an empty length.
#[expect(clippy::cast_possible_truncation, reason = "less than length, which is a usize")]
fn below(random: u64, length: usize) -> usize {
    (random % (length as u64).max(1)) as usize
}

/// Distinct four-digit ids. Numbers, which no redaction rule touches.
#[derive(Default)]
pub(super) struct Ids(Vec<u64>);

impl Ids {
    pub(super) fn next(&mut self, random: &mut dyn FnMut() -> u64) -> u64 {
        let mut id = 1_000 + random() % 9_000;
        // Steps past taken ones instead of drawing again: ends also with a poor random source.
        while self.0.contains(&id) {
            id = if id == 9_999 { 1_000 } else { id + 1 };
        }
        self.0.push(id);
        id
    }
}
