//! logwren watches the logs of a host and tells a person when something odd happens.

// Modules follow the walk of a line; rustfmt leaves their order alone.
pub mod redact;
pub mod model;
