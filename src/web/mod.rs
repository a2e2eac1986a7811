//! What can be asked over HTTP? *Not here:* state of its own (store).
