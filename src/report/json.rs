//! `report.json`, its published schema, and rows as JSON lines.

use std::io::Write;

use super::analysis::Report;
use super::row::Row;

/// JSON Schema (2020-12) of `report.json`.
pub const SCHEMA: &str = include_str!("report.schema.json");

/// Writes the whole report.
///
/// # Errors
/// When `out` cannot be written.
pub fn json(report: &Report, mut out: impl Write) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut out, report)?;
    writeln!(out)
}

/// Writes one row as one line.
///
/// # Errors
/// When `out` cannot be written.
pub fn json_line(row: &Row<'_>, mut out: impl Write) -> std::io::Result<()> {
    serde_json::to_writer(&mut out, row)?;
    writeln!(out)
}
