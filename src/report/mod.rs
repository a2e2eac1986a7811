//! How is what happened shown to a person? *Not here:* live alerts (deliver).
