//! How does a line become effects? A synchronous state machine over the pure rooms. *Not here:* I/O and clocks (driver).
