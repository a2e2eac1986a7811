//! What are the words of the house? The types every room shares, in the order a line meets them.
//!
//! Shapes only: no I/O, no clock, no decisions. *Not here:* how anything is made (the rooms) or kept (`store`).

mod time;
mod position;
mod block;
mod level;
mod record;
pub mod inert;
mod template;
mod verdict;
mod judging;
mod severity;
mod finding;
mod incident;
mod answer;
mod fact;
mod losses;
mod secret_ref;
mod one_or_many;

pub use answer::{About, Answer, Pinned, Reply, Said, Word};
pub use block::{LineBlock, LineSpan, Medium, Origin, Phase, SourceEvent};
pub use fact::{Fact, Snapshot};
pub use finding::{Finding, JudgedBy};
pub use incident::{Alert, Change, Delivery, DeliveryOutcome, Incident, IncidentState};
pub use judging::{Completion, JudgeFailure, JudgeRequest, Judged, Prompt, Usage};
pub use level::Level;
pub use losses::SourceCounts;
pub use one_or_many::OneOrMany;
pub use position::{FilePlace, JournalPlace, Place, Position, StreamKey};
pub use record::{Evidence, Header, Notes, clip, clip_words};
pub use secret_ref::SecretRef;
pub use severity::{Category, Severity};
pub use template::{Fingerprint, Kind, KindId, KindRow, TemplateId, TemplateRow};
pub use time::{Period, Timestamp};
pub use verdict::{Question, Verdict, VerdictRow};
