//! How is what happened shown to a person? Text for terminals, from what the store remembers.
//!
//! *Not here:* live alerts (deliver), decisions (triage).

pub mod terminal;
