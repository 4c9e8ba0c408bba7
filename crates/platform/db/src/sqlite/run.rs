//! Running a statement on a connection: binding by name, reading rows.

use rusqlite::{CachedStatement, Connection, Error};

use crate::{DbError, Row, Statement, Value};

/// Runs a statement that returns rows. On the writer's connection this may be a write with `RETURNING`.
pub fn query(connection: &Connection, statement: &Statement) -> Result<Vec<Row>, DbError> {
    let mut prepared = connection.prepare_cached(statement.sql.sqlite())?;
    bind(&mut prepared, &statement.params)?;
    let mut rows = prepared.raw_query();
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        // Asked after the first step, which compiles the statement anew when the tables have changed.
        let width = row.as_ref().column_count();
        found.push(Row::from_sqlite(row, width)?);
    }
    Ok(found)
}

/// Runs a statement that returns no rows; the number of rows that it changed.
pub fn execute(connection: &Connection, statement: &Statement) -> Result<u64, DbError> {
    let mut prepared = connection.prepare_cached(statement.sql.sqlite())?;
    bind(&mut prepared, &statement.params)?;
    let changed = prepared.raw_execute()?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

/// `$2` is a *named* parameter to SQLite, numbered by its first appearance; so each is bound by the number in its name, as
/// PostgreSQL understands it.
fn bind(prepared: &mut CachedStatement<'_>, params: &[Value]) -> Result<(), DbError> {
    let mut highest = 0_usize;
    for index in 1..=prepared.parameter_count() {
        let number = prepared.parameter_name(index).and_then(|name| name.strip_prefix('$')).and_then(|digits| digits.parse().ok());
        let Some(number) = number else { return Err(DbError::Internal("a parameter of a statement is not written `$n`".to_owned())) };
        highest = highest.max(number);
        let value = number.checked_sub(1).and_then(|place| params.get(place));
        let value = value.ok_or_else(|| Error::InvalidParameterCount(params.len(), number))?;
        prepared.raw_bind_parameter(index, value)?;
    }
    // PostgreSQL refuses what no `$n` stands for; so do we.
    if highest == params.len() { Ok(()) } else { Err(Error::InvalidParameterCount(params.len(), highest).into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    fn one(sql: &'static str, params: Vec<Value>) -> Result<Row, DbError> {
        query(&Connection::open_in_memory().unwrap(), &Statement::new(sql, params)).map(|rows| rows[0].clone())
    }

    #[test]
    fn parameters_go_by_their_number_and_not_by_their_order_in_the_text() {
        let row = one("SELECT $2, $1, $2, $10 || $3 || $4 || $5 || $6 || $7 || $8 || $9", params!["a", "b", 3, 4, 5, 6, 7, 8, 9, "ten"]);
        let row = row.unwrap();
        assert_eq!((row.text(0).unwrap(), row.text(1).unwrap(), row.text(2).unwrap()), ("b", "a", "b"));
        assert_eq!(row.text(3).unwrap(), "ten3456789");
    }

    #[test]
    fn a_wrong_number_of_parameters_is_refused() {
        for (sql, params) in
            [("SELECT $1, $2", params![1]), ("SELECT $1", params![1, 2]), ("SELECT 1", params![1]), ("SELECT $0", params![1])]
        {
            assert!(matches!(one(sql, params), Err(DbError::Internal(_))), "{sql}");
        }
        assert!(matches!(one("SELECT ?1", params![1]), Err(DbError::Internal(_))));
        assert!(matches!(one("SELECT :name", params![1]), Err(DbError::Internal(_))));
    }
}
