//! How a row becomes a word of the house, one function a table. Writes nothing.

use rusqlite::types::Type;
use rusqlite::{Connection, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::{Kind, KindId, KindRow, Level, TemplateId, TemplateRow, Timestamp};

/// The 64 bits of an id as SQLite keeps them.
pub(super) fn bits(id: u64) -> i64 {
    id.cast_signed()
}

/// Counters stop at the largest number SQLite can keep.
pub(super) fn counter(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The JSON of one stored value.
///
/// # Errors
/// Only types that are not plain data fail, and the model has none.
pub(super) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Reads the JSON in column `index`.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}

/// The JSON in the only column.
pub(super) fn json_row<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<T> {
    from_json(row, 0)
}

pub(super) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Timestamp> {
    row.get(index).map(Timestamp::from_micros)
}

pub(super) fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(index).map(|count| u64::try_from(count).unwrap_or(0))
}

pub(super) const TEMPLATE_COLUMNS: &str = "id, text, count, first_seen, last_seen, merged_into";

/// Reads [`TEMPLATE_COLUMNS`].
pub(super) fn template_row(row: &Row<'_>) -> rusqlite::Result<TemplateRow> {
    Ok(TemplateRow {
        id: TemplateId(row.get::<_, i64>(0)?.cast_unsigned()),
        text: row.get(1)?,
        count: count(row, 2)?,
        first_seen: time(row, 3)?,
        last_seen: time(row, 4)?,
        merged_into: row.get::<_, Option<i64>>(5)?.map(|id| TemplateId(id.cast_unsigned())),
    })
}

pub(super) const KIND_COLUMNS: &str = "program, level, template, learned, count, first_seen, last_seen";

/// Reads [`KIND_COLUMNS`]; the id follows from the first three.
pub(super) fn kind_row(row: &Row<'_>) -> rusqlite::Result<KindRow> {
    let number: i64 = row.get(1)?;
    let level = u8::try_from(number).ok().and_then(Level::from_number);
    Ok(KindRow {
        kind: Kind {
            program: row.get::<_, String>(0)?.into(),
            level: level.ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number))?,
            template: TemplateId(row.get::<_, i64>(2)?.cast_unsigned()),
        },
        learned: row.get(3)?,
        count: count(row, 4)?,
        first_seen: time(row, 5)?,
        last_seen: time(row, 6)?,
    })
}

/// Kinds are looked up by id, which is not among their fields.
pub(super) fn kind_bits(id: KindId) -> i64 {
    bits(id.0)
}

/// All rows of a query, and what could not be read of it.
pub(super) struct Rows<T> {
    pub(super) rows: Vec<T>,
    /// Rows whose content makes no sense to us; the others are there.
    pub(super) unreadable: u64,
    /// Where reading ended early: the file itself is damaged or gone.
    pub(super) failure: Option<rusqlite::Error>,
}

/// Reads everything `sql` yields; one bad row does not hide the others.
pub(super) fn read_all<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Rows<T> {
    let mut result = Rows { rows: Vec::new(), unreadable: 0, failure: None };
    let outcome = (|| {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            match read(row) {
                Ok(value) => result.rows.push(value),
                Err(error @ rusqlite::Error::SqliteFailure(..)) => return Err(error),
                Err(_) => result.unreadable += 1,
            }
        }
        Ok(())
    })();
    result.failure = outcome.err();
    result
}
