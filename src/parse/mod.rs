//! How does a raw line become a record? By its source's format plan, never failing. *Not here:* templates (mine).
