//! What can be plugged in: one line for each source, format, detector, backend and notifier. Knows names, not code.

/// One pluggable part, as `logwren components` lists it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Component {
    /// `source`, `format`, `detector`, `backend` or `notifier`.
    pub role: &'static str,
    /// The name config and `judged_by` use.
    pub name: &'static str,
    /// One line for a person.
    pub does: &'static str,
}
