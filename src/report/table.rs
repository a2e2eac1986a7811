//! `anomalies.csv`: a row for each anomalous line. A spreadsheet that opens it runs nothing: cells that would be formulas are
//! made text (OWASP, "CSV Injection").

use std::collections::HashMap;
use std::io::Write;

use super::row::{EXTRA_COLUMNS, Row};

/// The file under way.
pub struct CsvRows<W: Write> {
    writer: csv::Writer<W>,
    /// Place of each column of the logs.
    places: HashMap<String, usize>,
    columns: usize,
}

impl<W: Write> CsvRows<W> {
    /// Begins with the header: the columns of the logs, then ours. A column of a log that is called like one of ours gets
    /// `original_` in front.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W, columns: &[String]) -> csv::Result<CsvRows<W>> {
        let mut writer = csv::Writer::from_writer(out);
        let mut names: Vec<String> = Vec::new();
        for column in columns {
            let mut name = column.clone();
            while EXTRA_COLUMNS.contains(&&*name) || names.contains(&name) {
                name = format!("original_{name}");
            }
            names.push(name);
        }
        let header = names.iter().map(String::as_str).chain(EXTRA_COLUMNS).map(neutral);
        writer.write_record(header)?;
        let places = columns.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        Ok(CsvRows { writer, places, columns: columns.len() })
    }

    /// # Errors
    /// When the row cannot be written.
    pub fn push(&mut self, row: &Row) -> csv::Result<()> {
        let mut cells = vec![String::new(); self.columns];
        for (name, value) in &row.record {
            if let Some(cell) = self.places.get(name).and_then(|place| cells.get_mut(*place)) {
                *cell = neutral(value);
            }
        }
        cells.extend(row.extra().iter().map(|cell| neutral(cell)));
        self.writer.write_record(&cells)
    }

    /// Gives back what was written to.
    ///
    /// # Errors
    /// When the last rows cannot be written.
    pub fn finish(self) -> std::io::Result<W> {
        self.writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))
    }
}

/// The cell as text that no spreadsheet takes for a formula. A NUL would end the cell in some readers.
pub fn neutral(cell: &str) -> String {
    let cell = cell.replace('\0', "\u{fffd}");
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        for cell in ["=cmd|'/c calc'!A0", "+1", "-1", "@SUM(1)", "\tx", "\rx"] {
            assert_eq!(neutral(cell), format!("'{cell}"));
        }
        assert_eq!(neutral("a=b"), "a=b");
        assert_eq!(neutral("a\0b"), "a\u{fffd}b");
    }

    #[test]
    fn columns_of_ours_keep_their_names() {
        let mut out = Vec::new();
        let columns = ["message", "severity", "severity"].map(str::to_owned);
        CsvRows::new(&mut out, &columns).expect("into memory").finish().expect("ends");
        let header = String::from_utf8(out).expect("text");
        assert!(
            header.starts_with("message,original_severity,original_original_severity,line_number,input,"),
            "{header}"
        );
    }
}
