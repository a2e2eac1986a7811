//! From findings to incidents, from incidents to alerts, from alerts to the outbox. Decides nothing a room decides.

use std::collections::BTreeMap;

use crate::judge;
use crate::model::{Change, Delivery, DeliveryOutcome, Fact, Finding, Fingerprint, Incident, Timestamp};

use super::{COUNTERS_EVERY, Effects, Notice, Pipeline, Told};

impl Pipeline {
    /// Joins findings into incidents and tells the router; each touched incident is written once.
    pub(super) fn tell(&mut self, findings: Vec<Finding>, now: Timestamp, out: &mut Effects) {
        if findings.is_empty() {
            return;
        }
        let mut touched: BTreeMap<Fingerprint, Incident> = BTreeMap::new();
        for finding in findings {
            self.counters.findings += 1;
            let kept = finding.clone();
            // A person's word about a kind has limits that a verdict has not: triage knows those itself.
            let verdict = finding.kind.and_then(|kind| self.judge.verdict(kind));
            let verdict = verdict.filter(|row| row.model != judge::OPERATOR);
            let outcome = self.triage.take_judged(finding, verdict, now);
            if self.tracing {
                let (incident, change) = (outcome.incident.id, outcome.change);
                out.trace.told.push(Told { incident, change, finding: kept.clone() });
            }
            if outcome.change == Change::AlreadyThere {
                continue;
            }
            let incident = self.with_reason_not_judged(outcome.incident);
            if !matches!(outcome.change, Change::Joined | Change::Muted) {
                out.facts.push(Fact::Joined { incident: incident.id, finding: Box::new(kept) });
            }
            self.router.incident(&incident, outcome.change, now);
            self.worth_a_question(&incident, now);
            touched.insert(incident.id, incident);
        }
        out.facts.extend(touched.into_values().map(|incident| Fact::Incident(Box::new(incident))));
    }

    /// More lines of an incident, without a finding.
    pub(super) fn moved_on(&mut self, incident: Incident, change: Change, now: Timestamp, out: &mut Effects) {
        self.router.incident(&incident, change, now);
        self.worth_a_question(&incident, now);
        out.facts.push(Fact::Incident(Box::new(incident)));
    }

    /// Says why no model judged it, where one could have.
    fn with_reason_not_judged(&mut self, incident: Incident) -> Incident {
        let Some(why) = &self.no_judge else { return incident };
        self.triage.not_judged(incident.id, why).cloned().unwrap_or(incident)
    }

    /// What is due now, whatever the input was: timers, alerts, a request. Ends every `handle`.
    pub(super) fn settle(&mut self, now: Timestamp, out: &mut Effects) {
        if let Some(entries) = self.batch.tick(now) {
            self.ask(entries, now, out);
        }
        if self.learning {
            self.silence.deaf(now);
        }
        for silent in self.silence.look(now) {
            self.source_heard(silent, now, out);
        }
        self.listen(now, out);
        self.hush(now, out);
        for incident in self.triage.tick(now) {
            self.router.incident(&incident, Change::Quieted, now);
            out.facts.push(Fact::Incident(Box::new(incident)));
        }
        let triage = &self.triage;
        let due = self.router.due(now, |id| triage.get(id).cloned());
        if !due.is_empty() {
            out.urgent = true;
            self.counters.alerts += due.len() as u64;
        }
        for alert in due {
            out.facts.extend(self.outbox.push(alert, now));
        }
        out.deliver.extend(self.outbox.due(now));
        self.answers_over(now, out);
        self.judge.tick(now);
        self.second.look(now);
        self.request(now, out);
        if self.tracing {
            // Nothing is kept of it.
            return;
        }
        let states = [("triage", self.triage.save()), ("route", self.router.save())];
        out.facts
            .extend(states.into_iter().filter_map(|(name, json)| Some(Fact::State { name: name.into(), json: json? })));
        if self.kinds.any_dirty() && now >= self.counters_at.saturating_add(COUNTERS_EVERY) {
            self.write_counters(now, out);
        }
    }

    /// Incidents whose fault is over become quiet at once, with the reason.
    fn hush(&mut self, now: Timestamp, out: &mut Effects) {
        for finding in self.detect.take_over() {
            if let Some(incident) = self.triage.over(&finding, now) {
                let incident = self.retell(&incident).unwrap_or(incident);
                self.moved_on(incident, Change::Quieted, now, out);
            }
        }
    }

    /// One attempt to deliver has ended.
    pub(super) fn delivered(&mut self, delivery: &Delivery, now: Timestamp, out: &mut Effects) {
        let notifier = self.outbox.notifier(&delivery.alert);
        let facts = self.outbox.outcome(delivery.clone(), now);
        if let Some(notifier) = notifier {
            let alert = delivery.alert.clone();
            let dead = facts.iter().any(|fact| matches!(fact, Fact::DeadLetter { .. }));
            match &delivery.outcome {
                DeliveryOutcome::Delivered => {}
                DeliveryOutcome::Retry { error, .. } | DeliveryOutcome::Refused { error } if dead => {
                    out.notices.push(Notice::DeadLetter { alert, notifier, error: error.clone() });
                }
                DeliveryOutcome::Retry { error, .. } | DeliveryOutcome::Refused { error } => {
                    out.notices.push(Notice::DeliveryFailed { alert, notifier, error: error.clone() });
                }
            }
        }
        out.facts.extend(facts);
        out.urgent = true;
    }

    /// The baseline is complete: novelty starts, and what the rules saw in old logs is said once.
    pub(super) fn finish_learning(&mut self, now: Timestamp, out: &mut Effects) {
        if !self.learning {
            return;
        }
        self.learning = false;
        let mut findings = Vec::new();
        self.detect.learned(now, &mut findings);
        self.tell(findings, now, out);
        let digest = self.triage.already_there(now);
        if let Some(incident) = digest {
            self.learned.would_have_alerted = incident.count;
            out.facts.push(Fact::Incident(Box::new(incident)));
        }
        self.learned.templates = self.templates();
        self.ask_about_baseline(now, out);
        self.write_counters(now, out);
        out.facts.push(Fact::State { name: "learned".into(), json: "true".to_owned() });
        out.notices.push(Notice::Learned(self.learned));
        out.urgent = true;
    }
}
