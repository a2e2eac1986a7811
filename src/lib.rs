//! logwren watches the logs of a host and tells a person when something odd happens.

// Modules follow the walk of a line; rustfmt leaves their order alone.
pub mod redact;
pub mod model;
pub mod registry;

pub mod source;
pub mod parse;
pub mod mine;
pub mod detect;
pub mod batch;
pub mod judge;
pub mod llm;
pub mod triage;
pub mod route;
pub mod deliver;

pub mod pipeline;
pub mod store;
pub mod report;
pub mod web;
pub mod config;
pub mod driver;
pub mod daemon;
pub mod cli;
pub mod exit;
pub mod telemetry;
