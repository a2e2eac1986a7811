//! A person speaks: which incident, kind or template an id means, what of it is known, and what follows from the word.
//! Knows no socket and no command line. What a word covers is `triage`'s to say.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::judge;
use crate::model::{
    About, Answer, Category, Change, Fact, Incident, Kind, KindId, Pinned, Reply, Said, Severity, TemplateId,
    Timestamp, Verdict, VerdictRow, Word, clip, inert::one_line,
};
use crate::triage;

use super::kinds::answer_to;
use super::{Effects, Notice, Pipeline};

/// A mute without `--for` and without `--until-worse`.
const MUTED_FOR: Duration = Duration::from_secs(7 * 86_400);
/// Longest that can be asked for, ten years.
const LONGEST_SECONDS: u64 = 10 * 366 * 86_400;
/// So many times the lines of the busiest hour until then end a word; so few never do.
const CEILING_FACTOR: u64 = 3;
const LEAST_CEILING: u64 = 10;
/// Fewer digits of an id are too easily another's.
const LEAST_DIGITS: usize = 4;
/// Ids named when a prefix is not clear.
const MAX_NAMED: usize = 6;

impl Pipeline {
    /// What a person said is done, but for what time and routes make of it. The reply is to be given when it is durable.
    pub fn answered(&mut self, said: &Said, now: Timestamp, out: &mut Effects) {
        let reply = match self.obey(said, now, out) {
            Ok(done) => Reply::Done(done),
            Err(why) => Reply::Refused(why),
        };
        self.answers_over(now, out);
        if out.facts.iter().any(|fact| matches!(fact, Fact::Answer(_) | Fact::AnswerOver(_) | Fact::Incident(_)))
            && let Some(json) = self.triage.save()
        {
            out.facts.push(Fact::State { name: "triage".into(), json });
        }
        out.reply = Some(reply);
        out.urgent = true;
    }

    /// Words that hold no more leave the store, and with `normal` goes its verdict.
    pub(super) fn answers_over(&mut self, now: Timestamp, out: &mut Effects) {
        for triage::Over { answer, why } in self.triage.take_over() {
            out.facts.push(Fact::AnswerOver(answer.id));
            if answer.word.hushes() {
                self.take_back_verdicts(&answer.kinds, Verdict::Normal, now, out);
            } else {
                self.take_back_verdicts(&answer.kinds, Verdict::Anomalous, now, out);
            }
            out.urgent = true;
            out.notices.push(Notice::AnswerOver { word: answer.word, about: answer.about, why });
        }
    }

    /// A template takes other lines than before.
    pub(super) fn template_changed(&mut self, template: TemplateId, now: Timestamp, out: &mut Effects) {
        for incident in self.triage.template_changed(template, triage::CHANGED, now) {
            self.moved_on(incident, Change::Escalated, now, out);
        }
    }

    fn obey(&mut self, said: &Said, now: Timestamp, out: &mut Effects) -> Result<String, String> {
        check(said)?;
        match said.word {
            Word::Unmute => self.unmute(said, now, out),
            Word::Normal | Word::Anomalous | Word::Mute => self.take_answer(said, now, out),
        }
    }

    fn unmute(&mut self, said: &Said, now: Timestamp, out: &mut Effects) -> Result<String, String> {
        let spoken: BTreeSet<(String, &'static str)> = (self.triage.answers())
            .map(|answer| (answer.about.id(), answer.about.noun()))
            .filter(|(id, _)| id.starts_with(&digits(&said.id)))
            .collect();
        let about = match spoken.len() {
            1 => {
                self.triage.answers().map(|answer| answer.about).find(|about| about.id().starts_with(&digits(&said.id)))
            }
            _ => None,
        };
        let about = about.map_or_else(|| self.resolve(&said.id), Ok)?;
        let host = said.host.as_deref().filter(|host| *host != "*");
        let (open, found) = self.triage.unmute(about, host, now);
        let ids = names(&open);
        for incident in open {
            self.moved_on(incident, Change::Joined, now, out);
        }
        match found {
            true if ids.is_empty() => Ok(format!("took back what was said of {} {}", about.noun(), about.id())),
            true => Ok(format!("took back what was said of {} {}; open again: {ids}", about.noun(), about.id())),
            false => {
                Err(format!("nothing was said of {} {}; `logwren mutes` lists what holds", about.noun(), about.id()))
            }
        }
    }

    fn take_answer(&mut self, said: &Said, now: Timestamp, out: &mut Effects) -> Result<String, String> {
        let about = self.resolve(&said.id)?;
        let answer = self.draft(said, about, now)?;
        if self.triage.no_more_answers() && !self.triage.answers().any(|known| known.id == answer.id) {
            return Err(
                "too many answers hold already; `logwren mutes` lists them, `logwren unmute ID` ends one".to_owned()
            );
        }
        // A new word about the same thing takes the place of every earlier one, on any host it speaks of.
        let (open, _) = self.triage.unmute(about, answer.host.as_deref(), now);
        self.answers_over(now, out);
        let verdict = match said.word {
            Word::Normal => Some(Verdict::Normal),
            Word::Anomalous => Some(Verdict::Anomalous),
            Word::Mute | Word::Unmute => None,
        };
        if let Some(verdict) = verdict {
            let severity = match verdict {
                Verdict::Anomalous => answer.severity.max(Severity::Medium),
                Verdict::Normal | Verdict::Watch | Verdict::Undecided => Severity::Low,
            };
            for kind in &answer.kinds {
                self.decide(operator(*kind, verdict, severity, &said.reason, now), out);
            }
        }
        out.facts.push(Fact::Answer(Box::new(answer.clone())));
        let muted = self.triage.answer(answer.clone());
        let done = told(&answer, &muted);
        for incident in open.into_iter().filter(|one| muted.iter().all(|other| other.id != one.id)) {
            self.moved_on(incident, Change::Joined, now, out);
        }
        for incident in muted {
            self.moved_on(incident, Change::Muted, now, out);
        }
        Ok(done)
    }

    /// The answer, bound to what is known now.
    fn draft(&self, said: &Said, about: About, now: Timestamp) -> Result<Answer, String> {
        let hushes = said.word.hushes();
        let kinds = match about {
            About::Incident(_) => Vec::new(),
            About::Kind(id) => vec![id],
            About::Template(id) => {
                self.kinds.iter().filter(|state| state.kind.template == id).map(|state| state.id).collect()
            }
        };
        let host = match (said.host.as_deref(), hushes) {
            (Some("*"), _) | (None, false) => None,
            (Some(_), false) => return Err("a verdict holds on every host; leave out --host".to_owned()),
            (Some(host), true) => Some(Arc::from(host)),
            (None, true) => match self.triage.known(about, &kinds, None).hosts.as_slice() {
                [] => Some(Arc::clone(&self.context.host)),
                [host] => Some(Arc::clone(host)),
                several => {
                    let hosts: Vec<String> = several.iter().take(MAX_NAMED).map(|host| one_line(host)).collect();
                    return Err(format!(
                        "it was seen on several hosts ({}); say which with --host NAME, or --host '*' for every host",
                        hosts.join(", ")
                    ));
                }
            },
        };
        let mut known = self.triage.known(about, &kinds, host.as_deref());
        if !hushes && known.kinds.is_empty() {
            return Err("it is about no single kind of line, so there is nothing to judge; mute it instead".to_owned());
        }
        known.kinds.sort_unstable();
        let mut templates: Vec<Pinned> = Vec::new();
        for id in &known.kinds {
            let Some(state) = self.kinds.by_id(*id) else { continue };
            let text = self.miner.text(state.kind.template).unwrap_or_default().to_owned();
            if templates.iter().all(|pin| pin.id != state.kind.template) {
                templates.push(Pinned { id: state.kind.template, text });
            }
        }
        let title = match (known.title.is_empty(), templates.first()) {
            (true, Some(pin)) => pin.text.clone(),
            (true, None) | (false, _) => known.title,
        };
        let factor = if said.until_worse { 1 } else { CEILING_FACTOR };
        let length = match said.word {
            Word::Mute if said.for_seconds.is_none() && !said.until_worse => Some(MUTED_FOR),
            _ => said.for_seconds.map(Duration::from_secs),
        };
        Ok(Answer {
            id: Answer::name(about, host.as_deref()),
            word: said.word,
            about,
            host,
            title: clip(&title, Said::MAX_TEXT).to_owned(),
            kinds: known.kinds,
            templates,
            claims: known.claims,
            groups: known.groups,
            // Who spoke of a kind before it was an incident knew it as something people are told of by default.
            severity: known.severity.unwrap_or(Severity::Medium),
            rate: known.rate,
            ceiling: known.rate.saturating_mul(factor).max(LEAST_CEILING),
            since: now,
            until: length.map(|length| now.saturating_add(length)),
            reason: said.reason.clone(),
            by: said.by.clone(),
        })
    }

    /// What an id or its first digits name.
    fn resolve(&self, id: &str) -> Result<About, String> {
        let wanted = digits(id);
        if wanted.len() < LEAST_DIGITS || wanted.len() > 16 || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "`{}` is no id: give {LEAST_DIGITS} to 16 hex digits, as `logwren incidents` shows them",
                one_line(clip(id, 40))
            ));
        }
        let mut found: Vec<About> = Vec::new();
        let mut add = |about: About| {
            if !found.contains(&about) {
                found.push(about);
            }
        };
        self.triage.ids().filter(|id| id.to_string().starts_with(&wanted)).for_each(|id| add(About::Incident(id)));
        for state in self.kinds.iter() {
            let template = state.kind.template;
            let (is_kind, is_template) =
                (state.id.to_string().starts_with(&wanted), template.to_string().starts_with(&wanted));
            if !is_kind && !is_template {
                continue;
            }
            // Merged into another one: that is where its lines are now.
            let current = self.miner.current(template).unwrap_or(template);
            if is_kind {
                add(About::Kind(Kind { template: current, ..state.kind.clone() }.id()));
            }
            if is_template {
                add(About::Template(current));
            }
        }
        match found.as_slice() {
            [one] => Ok(*one),
            [] => {
                Err(format!("nothing known begins with {wanted}; `logwren incidents` and `logwren explain` show ids"))
            }
            several => {
                let named: Vec<String> =
                    several.iter().take(MAX_NAMED).map(|about| format!("{} {}", about.noun(), about.id())).collect();
                Err(format!("{wanted} is not clear, it could be {}", named.join(", ")))
            }
        }
    }

    fn decide(&mut self, row: VerdictRow, out: &mut Effects) {
        out.facts.push(Fact::QuestionClosed(row.kind));
        out.facts.push(Fact::Verdict(row.clone()));
        let answer = answer_to(&row);
        if let Some(state) = self.kinds.by_id_mut(row.kind) {
            state.answer = answer;
            state.told = true;
        }
        // A person knows better than what a model wanted watched.
        self.detect.watch(row.kind, None);
        self.judge.decided(row);
    }

    /// Who said so has taken it back, or it no longer holds: the kind may be asked about again.
    fn take_back_verdicts(&mut self, kinds: &[KindId], said: Verdict, now: Timestamp, out: &mut Effects) {
        for kind in kinds {
            let stands =
                self.judge.verdict(*kind).is_some_and(|row| row.model == judge::OPERATOR && row.verdict == said);
            if stands {
                let mut row = operator(*kind, Verdict::Undecided, Severity::Low, "taken back", now);
                row.not_before = Some(now);
                self.decide(row, out);
            }
        }
    }
}

fn operator(kind: KindId, verdict: Verdict, severity: Severity, reason: &str, now: Timestamp) -> VerdictRow {
    VerdictRow {
        kind,
        verdict,
        severity,
        category: Category::Other,
        confidence: 1.0,
        reason: if reason.is_empty() { "a person said so".to_owned() } else { format!("a person said so: {reason}") },
        remediation: Vec::new(),
        model: judge::OPERATOR.to_owned(),
        prompt_version: judge::PROMPT_VERSION,
        judged_at: now,
        not_before: None,
    }
}

fn check(said: &Said) -> Result<(), String> {
    let texts = [&said.id, &said.reason, &said.by].into_iter().chain(&said.host);
    if texts.into_iter().any(|text| text.len() > Said::MAX_TEXT || text.contains(['\n', '\r', '\0'])) {
        return Err(format!("id, host and reason are single lines of at most {} bytes", Said::MAX_TEXT));
    }
    match said.for_seconds {
        Some(0) => Err("it would be over at once; give a longer time".to_owned()),
        Some(seconds) if seconds > LONGEST_SECONDS => Err("ten years are the longest".to_owned()),
        Some(_) | None => Ok(()),
    }
}

fn digits(id: &str) -> String {
    id.trim().to_ascii_lowercase()
}

fn names(incidents: &[Incident]) -> String {
    let ids: Vec<String> = incidents.iter().take(MAX_NAMED).map(|incident| incident.id.to_string()).collect();
    match incidents.len().saturating_sub(MAX_NAMED) {
        0 => ids.join(", "),
        more => format!("{} and {more} more", ids.join(", ")),
    }
}

fn told(answer: &Answer, muted: &[Incident]) -> String {
    let mut text = format!("{}: {} {}", answer.word.as_str(), answer.about.noun(), answer.about.id());
    match &answer.host {
        Some(host) => text.push_str(&format!(" on {}", one_line(host))),
        None => text.push_str(" on every host"),
    }
    if answer.word.hushes() {
        match answer.until {
            Some(until) => text.push_str(&format!(" until {}", Timestamp::from_seconds(until.as_seconds()))),
            None => text.push_str(" without an end by time"),
        }
        text.push_str(&format!(
            "; speaks again when worse than {}, above {} lines an hour, or about anything else",
            answer.severity, answer.ceiling
        ));
    } else {
        text.push_str("; each of its lines is an incident from now on");
    }
    if !muted.is_empty() {
        text.push_str(&format!("; muted now: {}", names(muted)));
    }
    text
}
