//! How is what happened shown to a person or a program? Text for terminals from what the store remembers; the report of an
//! analysis as CSV, JSON, JSON lines, SARIF and one HTML page.
//!
//! A [`Report`] is plain data, made by whoever analyzed; its rows come one by one, because there may be any number of them.
//! *Not here:* live alerts (deliver), decisions (triage), reading logs (cli).

pub mod terminal;
mod analysis;
mod series;
mod week;
mod chart;
mod row;
mod table;
mod json;
mod sarif;
mod html;
mod summary;
mod stored;

pub use analysis::{
    Bucket, Evidence, Heat, Incident, InputSummary, Metrics, Report, SCHEMA_VERSION, SeverityDistribution, Template,
    Timeline, capitalized, fill_recommendations,
};
pub use chart::{heat, timeline};
pub use html::html;
pub use json::{SCHEMA, json, json_line};
pub use row::{EXTRA_COLUMNS, PLAIN_COLUMNS, Remark, Row, Stamps};
pub use sarif::sarif;
pub use series::Series;
pub use stored::{Stored, stored};
pub use summary::{found as found_table, table as summary_table};
pub use table::{CsvRows, neutral};
pub use week::Week;
