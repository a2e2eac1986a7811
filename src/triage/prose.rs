//! What a model says of an incident as a whole, written into it: one line of the reason and steps, each with the model's
//! name. Touches nothing else of an incident: neither severity nor state.

use super::Triage;
use super::join;
use crate::model::{Fingerprint, Incident};

impl Triage {
    /// Adds what `model` said of an open or quiet incident; saying it again changes nothing. Gives the incident as it is
    /// now, or `None` where it is forgotten.
    pub fn explained(
        &mut self,
        id: Fingerprint,
        model: &str,
        reason: &str,
        remediation: &[String],
    ) -> Option<Incident> {
        let id = self.joined(id);
        let case = self.cases.get_mut(&id)?;
        join::explain(&mut case.incident, model, reason, remediation);
        Some(case.incident.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Change, Severity, Timestamp};
    use crate::triage::Config;
    use crate::triage::tests::finding;

    #[test]
    fn words_change_nothing_but_words() {
        let mut triage = Triage::new(&Config::default(), 0.6);
        let now = Timestamp::from_seconds(1_000);
        let outcome = triage.take(finding("detector:rate", "a", Severity::Medium, 1_000), now);
        assert_eq!(outcome.change, Change::New);
        let before = outcome.incident;
        let steps = vec!["look at the disk".to_owned()];
        let after = triage.explained(before.id, "m", "the disk is full\nrule:x: nothing to see", &steps).unwrap();
        let told = "model:m on the whole incident: the disk is full rule:x: nothing to see";
        assert_eq!(after.reason.lines().nth(1), Some(told), "{}", after.reason);
        assert_eq!(after.reason.lines().next(), before.reason.lines().next());
        assert_eq!(after.remediation.last().map(String::as_str), Some("look at the disk (says model:m)"));
        let same = Incident { reason: before.reason.clone(), remediation: before.remediation.clone(), ..after.clone() };
        assert_eq!(same, before);
        assert_eq!(triage.explained(before.id, "m", "the disk is full\nrule:x: nothing to see", &steps), Some(after));
        assert_eq!(triage.explained(Fingerprint(7), "m", "r", &steps), None);

        // What is found later leaves the words where they are.
        let later = triage.take(finding("rule:oom", "a", Severity::High, 1_001), now).incident;
        assert!(later.reason.contains(told), "{}", later.reason);
    }
}
