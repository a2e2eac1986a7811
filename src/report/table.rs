//! `anomalies.csv`: a row for each anomalous line. A spreadsheet that opens it runs nothing: cells that would be formulas are
//! made text (OWASP, "CSV Injection").

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;

use super::row::{EXTRA_COLUMNS, Remark, Row};

/// Incidents whose cells are kept: the lines of a few alternate.
const REMARKS: usize = 16;

/// The file under way.
pub struct CsvRows<W: Write> {
    writer: csv::Writer<W>,
    /// Place of each column of the logs.
    places: HashMap<String, usize>,
    /// The columns of the logs as the logs call them.
    names: Vec<String>,
    columns: usize,
    /// What was said of the last rows, as cells.
    remarks: Vec<(Arc<Remark>, Said)>,
    /// Filled anew for each row.
    number: String,
}

/// The cells of a remark, in the order of [`EXTRA_COLUMNS`]: between the input and the template, and behind that.
struct Said {
    before: [String; 6],
    detector: String,
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
        let (columns, number) = (columns.len(), String::new());
        Ok(CsvRows { writer, places, names, columns, remarks: Vec::new(), number })
    }

    /// # Errors
    /// When the row cannot be written.
    pub fn push(&mut self, row: &Row<'_>) -> csv::Result<()> {
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
        // Writing to a string never fails.
        self.number.clear();
        let _ = row.line_number.map_or(Ok(()), |number| write!(self.number, "{number}"));
        self.writer.write_field(&self.number)?;
        self.writer.write_field(&*neutral(&row.input))?;
        let said = self.said(&row.remark);
        let Some((_, said)) = self.remarks.get(said) else { return Ok(()) };
        for cell in &said.before {
            self.writer.write_field(cell)?;
        }
        self.number.clear();
        let _ = row.template_id.map_or(Ok(()), |id| write!(self.number, "{id}"));
        self.writer.write_field(&self.number)?;
        self.writer.write_field(&said.detector)?;
        self.writer.write_record(None::<&[u8]>)
    }

    /// Where the cells of a remark are.
    fn said(&mut self, remark: &Arc<Remark>) -> usize {
        if let Some(at) = self.remarks.iter().position(|(known, _)| Arc::ptr_eq(known, remark)) {
            return at;
        }
        if self.remarks.len() >= REMARKS {
            self.remarks.remove(0);
        }
        let confidence = format!("{:.2}", remark.confidence_score);
        let detected = remark.detection_timestamp.to_string();
        let before = [
            &*remark.anomaly_reason,
            &remark.remediation_steps,
            &detected,
            &confidence,
            remark.severity.as_str(),
            remark.category.as_str(),
        ];
        let before = before.map(|cell| neutral(cell).into_owned());
        self.remarks.push((Arc::clone(remark), Said { before, detector: neutral(&remark.detector).into_owned() }));
        self.remarks.len() - 1
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
