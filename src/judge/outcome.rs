//! What the judge hands back: verdicts, facts to be made durable, and troubles that an operator should know of.

use crate::model::{Fact, Finding, Fingerprint, JudgeRequest, Question, VerdictRow};

/// What an answered (or failed) request leads to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Answer {
    /// New verdicts with the questions they answer, undecided ones included.
    pub verdicts: Vec<(Question, VerdictRow)>,
    /// To be written in one transaction: verdicts, closed and kept questions, spend, the judge's own state.
    pub facts: Vec<Fact>,
    /// Each becomes one finding about ourselves.
    pub troubles: Vec<Trouble>,
    /// What was said of incidents.
    pub prose: Vec<Prose>,
    /// Incidents that got no answer through no fault of theirs: to be offered again.
    pub ask_again: Vec<Fingerprint>,
}

/// A model's words about one incident, cleaned. Untrusted.
#[derive(Clone, PartialEq, Debug)]
pub struct Prose {
    pub incident: Fingerprint,
    /// Who said so (`modelVersion`).
    pub model: String,
    /// What happened and why; never empty.
    pub reason: String,
    pub remediation: Vec<String>,
}

/// What became of incidents that were offered for a second question.
#[derive(Debug, Default)]
pub struct AskedAbout {
    pub request: Option<JudgeRequest>,
    /// Those the request is about.
    pub asked: Vec<Fingerprint>,
    /// Those whose text never leaves.
    pub held_back: Vec<Fingerprint>,
}

/// What became of a question.
#[derive(Clone, PartialEq, Debug)]
pub enum Asked {
    /// It waits now: the caller writes `Fact::Question`. A learned kind that speaks live moves up by this too.
    Queued,
    /// It waits already.
    Known,
    /// A verdict stands, or one that failed must not be asked again yet.
    Standing,
    /// Nothing is asked in this mode.
    Off,
    /// The queue is full: the caller counts it and says so; local detection stands.
    Full,
    /// Text that looks like instructions to a model never leaves: the caller writes the verdict and takes the finding.
    HeldBack(Box<HeldBack>),
}

/// A kind that is not asked about because of what it says.
#[derive(Clone, PartialEq, Debug)]
pub struct HeldBack {
    pub question: Question,
    /// Undecided, by `held-back`.
    pub row: VerdictRow,
    pub finding: Finding,
}

/// Something about the judge itself that a person should know. Said once until it is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    pub kind: TroubleKind,
    /// What the backend said or what went wrong, one line, without secrets.
    pub reason: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TroubleKind {
    /// Bad key, no permission, unknown model: an operator has to act.
    Stopped,
    /// Outage or the provider's quota.
    Unreachable,
    /// Our own daily budget is spent.
    BudgetSpent,
    /// An answer got a control item wrong or was not an answer at all.
    Untrusted,
}

/// What was dropped or refused since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub requests: u64,
    pub verdicts: u64,
    pub undecided: u64,
    pub held_back: u64,
    /// Verdicts about ids nobody asked about.
    pub unknown_ids: u64,
    pub duplicate_ids: u64,
    pub missing_ids: u64,
    /// Entries without a usable form.
    pub malformed: u64,
    /// Whole answers that were not believed.
    pub untrusted: u64,
    /// Answers that came after they were given up.
    pub late: u64,
    /// Questions refused because the queue was full.
    pub refused: u64,
}
