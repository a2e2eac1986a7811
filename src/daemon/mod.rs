//! How does the service live: start, watch, reload, stop? *Not here:* argument parsing (cli).
