//! How plainly must this server be asked? Learned from its refusals, once a process. Knows no provider.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How the form of an answer is asked for, beyond the words of the prompt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// By a JSON schema that the server enforces.
    Schema,
    /// As the arguments of a tool that must be called.
    Tool,
    /// As a JSON object, with the schema where llama-cpp-python looks for it.
    ObjectWithSchema,
    /// As any JSON object.
    Object,
    /// By the words alone, and without anything else that a server may not know.
    Plain,
}

/// The forms of one model, the best first. Steps down when a form is refused; the step lasts once a plainer form was
/// taken, so that one odd request does not cost all later ones their schema.
pub struct Ladder {
    rungs: &'static [Form],
    /// What was taken last, or the best.
    proven: AtomicUsize,
    /// What is asked next.
    current: AtomicUsize,
}

/// A ladder for each of the configured models.
pub struct Ladders(Vec<(String, Ladder)>);

impl Ladder {
    pub fn new(rungs: &'static [Form]) -> Ladder {
        Ladder { rungs, proven: AtomicUsize::new(0), current: AtomicUsize::new(0) }
    }

    /// The form to ask in.
    pub fn form(&self) -> Form {
        self.rungs.get(self.current.load(Ordering::Relaxed)).copied().unwrap_or(Form::Plain)
    }

    /// The server took this form.
    pub fn taken(&self, form: Form) {
        if let Some(rung) = self.rungs.iter().position(|known| *known == form) {
            self.proven.store(rung, Ordering::Relaxed);
            self.current.store(rung, Ordering::Relaxed);
        }
    }

    /// The server may have refused the form. True when there is a plainer one, which is then asked next. When there is
    /// none, it was not the form: everything is as it was.
    pub fn refused(&self, form: Form) -> bool {
        let rung = self.rungs.iter().position(|known| *known == form).unwrap_or(self.rungs.len());
        let is_next = rung + 1 < self.rungs.len();
        let next = if is_next { rung + 1 } else { self.proven.load(Ordering::Relaxed) };
        self.current.store(next, Ordering::Relaxed);
        is_next
    }
}

impl Ladders {
    pub fn new(models: &[String], rungs: &'static [Form]) -> Ladders {
        Ladders(models.iter().map(|model| (model.clone(), Ladder::new(rungs))).collect())
    }

    /// None for a model that is not configured.
    pub fn of(&self, model: &str) -> Option<&Ladder> {
        self.0.iter().find(|(name, _)| name == model).map(|(_, ladder)| ladder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNGS: &[Form] = &[Form::Schema, Form::Object, Form::Plain];

    #[test]
    fn a_step_lasts_once_it_was_taken() {
        let ladder = Ladder::new(RUNGS);
        assert_eq!(ladder.form(), Form::Schema);
        assert!(ladder.refused(Form::Schema));
        assert_eq!(ladder.form(), Form::Object);
        ladder.taken(Form::Object);
        assert!(ladder.refused(Form::Object));
        assert_eq!(ladder.form(), Form::Plain);
        assert!(!ladder.refused(Form::Plain));
        assert_eq!(ladder.form(), Form::Object, "the last form is no better: it was not the form");
    }

    #[test]
    fn an_odd_request_costs_no_schema() {
        let ladder = Ladder::new(RUNGS);
        while ladder.refused(ladder.form()) {}
        assert_eq!(ladder.form(), Form::Schema);
    }

    #[test]
    fn models_differ() {
        let ladders = Ladders::new(&["a".to_owned(), "b".to_owned()], RUNGS);
        let form = |model| ladders.of(model).map(Ladder::form);
        assert!(ladders.of("a").is_some_and(|ladder| ladder.refused(Form::Schema)));
        assert_eq!((form("a"), form("b"), form("c")), (Some(Form::Object), Some(Form::Schema), None));
    }
}
