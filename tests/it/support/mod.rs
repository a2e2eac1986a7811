//! Servers and files the tests talk to. Servers enforce the contract of what they stand for.

pub mod certs;
pub mod daemon;
pub mod receiver;
pub mod serve;
pub mod smtp;
pub mod gemini;
pub mod openai;
pub mod planted;
pub mod anthropic;
pub mod writers;
