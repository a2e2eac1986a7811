//! `anomalies.csv`: a row for each anomalous line. A spreadsheet that opens it runs nothing: cells that would be formulas are
//! made text (OWASP, "CSV Injection").

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;

use crate::model::Timestamp;

use super::row::{EXTRA_COLUMNS, Row};

/// The file under way.
pub struct CsvRows<W: Write> {
    writer: csv::Writer<W>,
    /// Place of each column of the logs.
    places: HashMap<String, usize>,
    /// The columns of the logs as the logs call them.
    names: Vec<String>,
    columns: usize,
    /// The last time of detection, and its text: all rows have the same.
    detected: Option<(Timestamp, String)>,
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
        for name in names.iter().map(String::as_str).chain(EXTRA_COLUMNS) {
            writer.write_field(&*neutral(name))?;
        }
        writer.write_record(None::<&[u8]>)?;
        let places = columns.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        let names = columns.to_vec();
        Ok(CsvRows { writer, places, names, columns: columns.len(), detected: None })
    }

    /// # Errors
    /// When the row cannot be written.
    pub fn push(&mut self, row: &Row) -> csv::Result<()> {
        // Columns mostly come in the order of the header.
        let mut next = 0;
        let mut places = vec![""; self.columns];
        for (name, value) in &row.record {
            let place = match self.names.get(next) {
                Some(known) if known == name => Some(next),
                Some(_) | None => self.places.get(&**name).copied(),
            };
            if let Some((place, cell)) = place.and_then(|place| Some((place, places.get_mut(place)?))) {
                *cell = value;
                next = place + 1;
            }
        }
        for cell in places {
            self.writer.write_field(&*neutral(cell))?;
        }
        if self.detected.as_ref().is_none_or(|(time, _)| *time != row.detection_timestamp) {
            self.detected = Some((row.detection_timestamp, row.detection_timestamp.to_string()));
        }
        let detected = self.detected.as_ref().map_or("", |(_, text)| text);
        let number = row.line_number.map_or_else(String::new, |number| number.to_string());
        let confidence = format!("{:.2}", row.confidence_score);
        // In the order of EXTRA_COLUMNS.
        let extra: [&str; EXTRA_COLUMNS.len()] = [
            &number,
            &row.input,
            &row.anomaly_reason,
            &row.remediation_steps,
            detected,
            &confidence,
            row.severity.as_str(),
            row.category.as_str(),
            &row.template_id,
            &row.detector,
        ];
        for cell in extra {
            self.writer.write_field(&*neutral(cell))?;
        }
        self.writer.write_record(None::<&[u8]>)
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
pub fn neutral(cell: &str) -> Cow<'_, str> {
    let cell = if cell.contains('\0') { Cow::Owned(cell.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(cell) };
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}").into() } else { cell }
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
