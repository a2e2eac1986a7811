//! logwren watches the logs of a host and tells a person when something odd happens.
//!
//! This page is the map: the way of a line, the rooms, what must stay true, where to add things, and the words.
//!
//! # The way of a line
//!
//! ```text
//! source -> block of lines -> parse -> mine -> detect ----+--> triage -> route -> deliver
//!                                        |                |
//!                                        +-> batch -> judge        store <- facts, positions
//! ```
//!
//! A [`source`] hands over a [`LineBlock`](model::LineBlock). For each line [`parse`] reads the
//! [`Header`](model::Header) and [`mine`] finds the template of the message; program, level and template make the
//! [`Kind`](model::Kind). [`detect`] looks at a kind when it is new or changes; [`batch`] collects lines until it is time
//! to ask the [`judge`] about kinds without a verdict, through [`llm`]. What anybody finds odd is a
//! [`Finding`](model::Finding); [`triage`] joins findings into an [`Incident`](model::Incident), [`route`] turns that into
//! an [`Alert`](model::Alert) for each notifier, [`deliver`] sends it.
//!
//! [`Pipeline::handle`](pipeline::Pipeline::handle) is all of that without I/O and without a clock: inputs in,
//! [`Effects`](pipeline::Effects) out. The [`driver`] feeds it, commits its [facts](model::Fact) together with the
//! [positions](model::Position) of the lines in one transaction of the [`store`], and only then starts what the effects ask
//! for.
//!
//! # As a library
//!
//! [`Analysis`] reads whole logs and gives a [`Report`](report::Report), [`Records`] takes records of a source of one's own,
//! and [`Watch`] runs the daemon with a callback for incidents. Everything else is open to read, and may change.
//!
//! # The rooms
//!
//! | floor | rooms | do | may import |
//! |---|---|---|---|
//! | 0 | [`model`], [`redact`], [`registry`], [`exit`], [`telemetry`] | shared types; what may leave the host; lists; exit codes; our own log | `model` may import `redact` |
//! | 1, pure | [`parse`], [`mine`], [`detect`], [`batch`], [`judge`], [`triage`], [`route`] | one decision each; strangers to one another | `model` (and `registry` for detect, `redact` for judge) |
//! | 2, pure | [`pipeline`] | joins floor 1 into one state machine | floors 0 and 1 |
//! | wet | [`source`], [`llm`], [`deliver`], [`store`] | all the I/O; strangers to one another | `model`, `registry`, `telemetry` (and `redact` for deliver, `egress` for llm and deliver) |
//! | wet, below | [`egress`] | the ledger of what left the host; nothing leaves without a row in it | `model` |
//! | windows | [`report`], [`web`] | show what the store holds | `model`, `store`, `telemetry` |
//! | top | [`config`], [`driver`], [`daemon`], [`analysis`], [`cli`] | settings, the loop, the life of the service, old logs as a whole, the words typed | see `tests/it/architecture.rs` |
//!
//! `tests/it/architecture.rs` holds this table and fails on any other import.
//!
//! # Invariants
//!
//! - No room of floors 0 to 2 does I/O, spawns, reads a clock or makes randomness: `now` and seeds come in.
//! - No text leaves the host except as [`ForModel`](redact::ForModel) or [`ForPeople`](redact::ForPeople), which only
//!   [`Redactor`](redact::Redactor) can make. A [`Secret`](redact::Secret) cannot be printed.
//! - A request is in the [ledger](egress::Ledger), with its exact bytes, before it leaves.
//! - A position advances only in the transaction that makes the consequences of its lines durable.
//! - An alert is in the [outbox](route::Outbox) before it is sent, and leaves it delivered or as a dead letter.
//! - A model that is down costs no line and no [`Question`](model::Question): local detection goes on, questions wait.
//! - Queues are bounded and a full one slows the source. What is dropped for room is counted and said.
//! - No line can panic, inject or mute anything: text is shown through [`inert`](model::inert), and every notifier escapes
//!   its own markup.
//! - The daemon's own lines never feed back into it.
//! - Code that the compiler cannot vouch for is in one file, `mine/widest.rs`, which has a twin that it can.
//!
//! # Where do I add ...
//!
//! | what | where |
//! |---|---|
//! | a rule | `config/rules.d/*.toml`, with lines it must and must not match |
//! | a log format | a file in [`parse`] and a variant of [`Format`](parse::Format) |
//! | a kind of source | a [`Source`](source::Source) in its own file, and a line in [`source::COMPONENTS`] |
//! | a detector | a [`Detector`](detect::Detector) in its own file, and a line in [`detect::COMPONENTS`] |
//! | a model provider | an [`LlmBackend`](llm::LlmBackend) in its own folder, and a line in [`llm::BACKENDS`] |
//! | a notifier | a [`Notifier`](deliver::Notifier) in its own file, and a line in [`deliver::COMPONENTS`] |
//! | a config key | the `Config` of the room that reads it, and `config/logwren.toml` with its default |
//! | something durable | a [`Fact`](model::Fact), and its row in [`store`] with a new schema file |
//! | a kind of report | a file in [`report`], and a line in `analysis/output.rs` |
//! | a command | `cli/args.rs`, a file in [`cli`], and the table in `README.md` |
//!
//! # Words
//!
//! | word | means |
//! |---|---|
//! | level | what the writer of a log said ([`Level`](model::Level)); never called severity |
//! | template | the constant text of a message with typed placeholders; its [id](model::TemplateId) depends on the text alone |
//! | kind | program, level and template; verdicts, counters and incidents belong to a kind |
//! | shape | the cheap hash of a line; many shapes lead to one template |
//! | verdict | what the judge says of a kind ([`Verdict`](model::Verdict)) |
//! | finding | one claim about lines, by a rule, a detector or a model |
//! | incident | findings about one fault, with a life ([`IncidentState`](model::IncidentState)) |
//! | severity | how bad it is ([`Severity`](model::Severity)); severity rules decide, never the log line |
//! | alert | one message about an incident to one notifier |
//! | baseline | what this host normally logs; [learned](model::Phase::Learn) before it is watched |

// One file may, and says for each line why it is sound: `mine/widest.rs`.
#![deny(unsafe_code)]

// Modules follow the walk of a line; rustfmt leaves their order alone.
pub mod redact;
pub mod model;
pub mod registry;

pub mod source;
pub mod parse;
pub mod mine;
pub mod detect;
pub mod batch;
pub mod judge;
pub mod egress;
pub mod llm;
pub mod triage;
pub mod route;
pub mod deliver;

pub mod pipeline;
pub mod store;
pub mod report;
pub mod web;
pub mod config;
pub mod driver;
pub mod daemon;
pub mod analysis;
pub mod cli;
pub mod exit;
pub mod telemetry;

pub use analysis::{Analysis, Record, Records};
pub use daemon::Watch;
