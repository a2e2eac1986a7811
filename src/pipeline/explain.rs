//! What would happen to one line, for `logwren explain`. Changes nothing that lasts.

use std::sync::Arc;

use crate::detect::{Seen, View, Words};
use crate::judge;
use crate::mine::Miner;
use crate::model::{Answer, Header, Incident, Kind, Medium, Phase, Timestamp, VerdictRow};
use crate::parse::{Format, Plan, headline};

use super::Pipeline;

/// Every room's view of one line.
#[derive(Debug)]
pub struct Explanation<'a> {
    pub header: Header<'a>,
    /// The format its source is read as; `None` when the lines in front of it do not settle that.
    pub plan: Option<Format>,
    /// The message with typed masks.
    pub masked: String,
    /// The template it belongs to.
    pub template: String,
    pub kind: Kind,
    /// Lines of this kind so far; 0 when it is new.
    pub known: u64,
    pub views: Vec<View>,
    pub verdict: Option<VerdictRow>,
    /// The verdict settles what is said of the line for being new, seldom or called an error by its writer.
    pub settled: bool,
    /// What people said of this kind or template.
    pub answers: Vec<Answer>,
    /// The incident that speaks of such lines now, when there is one.
    pub incident: Option<Incident>,
    /// Exactly what a model would be shown of the line.
    pub for_model: String,
    /// Exactly what an alert would show of the line.
    pub for_people: String,
}

impl Pipeline {
    /// Explains a line as if it came now from a source of this medium and format, whose first lines are `first`.
    pub fn explain<'a>(
        &mut self,
        line: &'a [u8],
        first: &[Vec<u8>],
        medium: Medium,
        format: Option<Format>,
        now: Timestamp,
    ) -> Explanation<'a> {
        let mut plan = Plan::new(medium, format);
        plan.prime(first.iter().map(Vec::as_slice), now, &self.context);
        let settled = plan.is_settled().then(|| plan.format());
        let header = plan.parse(line, now, &self.context);
        let mined = self.miner.mine(&headline(&header.message));
        let template = self.miner.text(mined.template).unwrap_or_default().to_owned();
        let kind = Kind {
            program: Arc::from(&*header.program),
            level: header.level.unwrap_or_default(),
            template: mined.template,
        };
        let known = self.kinds.find(&kind).map_or(0, |state| state.count);
        let host = header.host.as_deref().map_or_else(|| Arc::clone(&self.context.host), Arc::from);
        let origin: Arc<str> = "explain".into();
        let nearest = self.miner.nearest(&headline(&header.message)).map(|(_, text)| text);
        let views = self.detect.explain(&Seen {
            kind: &kind,
            kind_id: kind.id(),
            template_text: &template,
            message: &header.message,
            words: &Words::default(),
            unit: header.unit.as_deref(),
            pid: header.pid,
            host: &host,
            time: header.time.unwrap_or(now),
            origin: &origin,
            offset: 0,
            phase: Phase::Live,
            new_template: known == 0,
            new_kind: known == 0,
            known_level: None,
            count: known + 1,
            nearest,
        });
        let kind_id = kind.id();
        let is_about = |answer: &&Answer| {
            answer.kinds.contains(&kind_id) || answer.templates.iter().any(|pin| pin.id == kind.template)
        };
        Explanation {
            answers: self.triage.answers().filter(is_about).cloned().collect(),
            incident: self.triage.about(&host, kind_id).cloned(),
            settled: (self.judge.verdict(kind_id))
                .is_some_and(|row| row.model != judge::OPERATOR && self.triage.settles(row)),
            masked: Miner::mask(&header.message),
            verdict: self.judge.verdict(kind.id()).cloned(),
            for_model: self.redactor.batch().text(&header.message),
            for_people: self.redactor.for_people(&header.message).as_str().to_owned(),
            header,
            plan: settled,
            template,
            kind,
            known,
            views,
        }
    }
}
