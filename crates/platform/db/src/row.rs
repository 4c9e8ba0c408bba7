//! Rows as both databases return them.

use rusqlite::types::ValueRef;
use signet_model::Timestamp;
use tokio_postgres::types::Type;

use crate::{DbError, Value};

/// A row of a result; columns are counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Vec<Value>);

impl Row {
    /// A column that holds a text.
    pub fn text(&self, column: usize) -> Result<&str, DbError> {
        self.opt_text(column)?.ok_or_else(|| self.mismatch(column, "a text"))
    }

    /// A column that holds a text or null.
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>, DbError> {
        match self.value(column) {
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Null) => Ok(None),
            Some(Value::Int(_) | Value::Bytes(_)) | None => Err(self.mismatch(column, "a text or null")),
        }
    }

    /// A column that holds an integer.
    pub fn int(&self, column: usize) -> Result<i64, DbError> {
        self.opt_int(column)?.ok_or_else(|| self.mismatch(column, "an integer"))
    }

    /// A column that holds an integer or null.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, DbError> {
        match self.value(column) {
            Some(Value::Int(number)) => Ok(Some(*number)),
            Some(Value::Null) => Ok(None),
            Some(Value::Text(_) | Value::Bytes(_)) | None => Err(self.mismatch(column, "an integer or null")),
        }
    }

    /// A column that holds bytes.
    pub fn bytes(&self, column: usize) -> Result<&[u8], DbError> {
        self.opt_bytes(column)?.ok_or_else(|| self.mismatch(column, "bytes"))
    }

    /// A column that holds bytes or null.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>, DbError> {
        match self.value(column) {
            Some(Value::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Value::Null) => Ok(None),
            Some(Value::Text(_) | Value::Int(_)) | None => Err(self.mismatch(column, "bytes or null")),
        }
    }

    /// A column that holds an instant, in microseconds since the epoch.
    pub fn time(&self, column: usize) -> Result<Timestamp, DbError> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// A column that holds an instant or null.
    pub fn opt_time(&self, column: usize) -> Result<Option<Timestamp>, DbError> {
        Ok(self.opt_int(column)?.map(Timestamp::from_micros))
    }

    /// A column's value, if there is such a column.
    pub fn value(&self, column: usize) -> Option<&Value> {
        self.0.get(column)
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        self.0.len()
    }

    fn mismatch(&self, column: usize, wanted: &str) -> DbError {
        let held = self.value(column).map_or("not there", Value::kind);
        DbError::Internal(format!("column {column} of a row is {held}, wanted {wanted}"))
    }

    pub(crate) fn from_sqlite(row: &rusqlite::Row<'_>, width: usize) -> Result<Self, DbError> {
        let values = (0..width).map(|column| {
            Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Int(number),
                ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).map_err(|_| not_utf8(column))?.to_owned()),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                ValueRef::Real(_) => return Err(unsupported(column, "a floating-point number")),
            })
        });
        values.collect::<Result<_, _>>().map(Self)
    }

    /// The row of a statement that was run on a [`PgSession`](crate::PgSession) directly.
    pub fn from_postgres(row: &tokio_postgres::Row) -> Result<Self, DbError> {
        let values = row.columns().iter().enumerate().map(|(column, described)| {
            Ok(match *described.type_() {
                Type::INT8 => row.try_get::<_, Option<i64>>(column)?.into(),
                Type::INT4 => row.try_get::<_, Option<i32>>(column)?.into(),
                Type::INT2 => row.try_get::<_, Option<i16>>(column)?.map(i64::from).into(),
                // SQLite's comparisons yield 0 and 1.
                Type::BOOL => row.try_get::<_, Option<bool>>(column)?.into(),
                Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => row.try_get::<_, Option<String>>(column)?.into(),
                Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(column)?.into(),
                Type::VOID => Value::Null,
                ref other => return Err(unsupported(column, other.name())),
            })
        });
        values.collect::<Result<_, _>>().map(Self)
    }
}

fn not_utf8(column: usize) -> DbError {
    DbError::Corrupt(format!("column {column} of a row holds a text that is not UTF-8"))
}

fn unsupported(column: usize, held: &str) -> DbError {
    DbError::Internal(format!("column {column} of a row is {held}; cast it to bigint, text or bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_gives_what_it_holds_and_says_what_it_holds_otherwise() {
        let row = Row(vec![Value::Int(7), Value::Text("a".into()), Value::Null, Value::Bytes(vec![])]);
        assert_eq!((row.int(0).unwrap(), row.text(1).unwrap(), row.opt_text(2).unwrap()), (7, "a", None));
        assert_eq!((row.opt_int(2).unwrap(), row.opt_bytes(2).unwrap(), row.bytes(3).unwrap()), (None, None, &[][..]));
        assert_eq!((row.time(0).unwrap(), row.opt_time(2).unwrap(), row.width()), (Timestamp::from_micros(7), None, 4));
        assert_eq!(row.text(0).unwrap_err().to_string(), "column 0 of a row is an integer, wanted a text or null");
        assert_eq!(row.int(2).unwrap_err().to_string(), "column 2 of a row is null, wanted an integer");
        assert!(row.bytes(9).unwrap_err().to_string().contains("not there"));
    }
}
