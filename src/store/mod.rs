//! What survives a crash? One SQLite file, one transaction a commit. *Not here:* decisions.
