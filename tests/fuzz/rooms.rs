//! The rooms under test, compiled from the sources of logwren. No code of its own.

#[path = "../../src/redact/mod.rs"]
pub mod redact;
#[path = "../../src/model/mod.rs"]
pub mod model;
#[path = "../../src/parse/mod.rs"]
pub mod parse;
#[path = "../../src/mine/mod.rs"]
pub mod mine;
