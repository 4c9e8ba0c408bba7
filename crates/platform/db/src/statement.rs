//! Statements: one SQL text for both databases, or a pair where the dialects differ, with numbered parameters `$1` to `$n`.

use crate::{Row, Value};

/// The text of a statement. Parameters are `$1` to `$n`, each used at least once.
///
/// For one text on both: `ON CONFLICT` and `RETURNING` are there, `TRUE` and `FALSE` too; sums are written
/// `CAST(sum(x) AS bigint)`, since PostgreSQL widens them; `::` casts need a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sql {
    /// One text for both.
    Same(&'static str),
    /// One text each.
    Pair {
        /// For SQLite.
        sqlite: &'static str,
        /// For PostgreSQL.
        postgres: &'static str,
    },
}

impl Sql {
    /// The text for SQLite.
    pub const fn sqlite(self) -> &'static str {
        match self {
            Self::Same(text) => text,
            Self::Pair { sqlite, .. } => sqlite,
        }
    }

    /// The text for PostgreSQL.
    pub const fn postgres(self) -> &'static str {
        match self {
            Self::Same(text) => text,
            Self::Pair { postgres, .. } => postgres,
        }
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self::Same(text)
    }
}

/// A statement with its parameters.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its text.
    pub sql: Sql,
    /// Its parameters; the first one is `$1`.
    pub params: Vec<Value>,
}

impl Statement {
    /// A statement: `Statement::new("SELECT name FROM tenant WHERE id = $1", params![&tenant])`.
    pub fn new(sql: impl Into<Sql>, params: Vec<Value>) -> Self {
        Self { sql: sql.into(), params }
    }
}

/// At most one row, or an error that says how many came: picking any of several would hide a wrong query.
pub(crate) fn at_most_one(rows: Vec<Row>) -> Result<Option<Row>, crate::DbError> {
    let count = rows.len();
    let mut rows = rows.into_iter();
    match (rows.next(), count) {
        (first, 0 | 1) => Ok(first),
        (_, more) => Err(crate::DbError::Internal(format!("a query for one row found {more}"))),
    }
}

/// The highest `$n` of a text, outside its literals.
pub(crate) fn highest_parameter(text: &str) -> usize {
    let outside = text.split('\'').step_by(2);
    let numbers = outside.flat_map(|part| part.split('$').skip(1)).map(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).and_then(|end| rest.get(..end)).unwrap_or(rest);
        digits.parse().unwrap_or(0)
    });
    numbers.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_counted_outside_of_literals() {
        let rows = [("SELECT 1", 0), ("a = $1 AND b = $12", 12), ("'$9' || $2 || 'it''s $7'", 2), ("$", 0), ("x$", 0), ("$1::text", 1)];
        for (text, highest) in rows {
            assert_eq!(highest_parameter(text), highest, "{text}");
        }
    }
}
