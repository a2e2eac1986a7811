//! How do lines become templates? By typed masks and a Drain tree behind a shape cache. *Not here:* counting (detect).
