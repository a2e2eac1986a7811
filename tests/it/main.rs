//! The only integration binary: everything a user or a peer can see, over the wire and on real files.

mod support;
mod architecture;
mod tidy;
mod analyze;
mod answers;
mod backtest;
mod compare;
mod stored_report;
mod operating;
mod watch;
mod chaos;
mod losses;
mod inlets;
mod templates;
mod deliver;
mod secrets;
mod injection;
mod egress;
mod eval;
mod llm;
mod gemini;
mod gemini_failures;
mod gemini_fake;
mod openai;
mod anthropic;
mod replay;
