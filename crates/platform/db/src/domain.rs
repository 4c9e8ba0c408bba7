//! Rows as values of the domain, and what a caller is told when there are none to be had.

use std::fmt::Display;
use std::str::FromStr;

use signet_model::Refusal;

use crate::{Db, DbError, Row, Statement};

/// What a caller is told when the database fails: the reason, and of one that is away what kind of absence it is. Where it was
/// sought and the database's own words are the operator's, in the log and from `signet doctor`.
pub fn refusal(error: DbError) -> Refusal {
    let reason = error.reason();
    tracing::warn!(event = "storage.read-failed", reason = reason.code, %error);
    match error {
        DbError::Unavailable(_) => {
            Refusal::new(reason, "the server has no connection to its database; the server's log says where and why")
        }
        DbError::Timeout | DbError::Busy => Refusal::new(reason, error.to_string()),
        DbError::Full(_)
        | DbError::Constraint(_)
        | DbError::SchemaTooNew { .. }
        | DbError::Unsupported(_)
        | DbError::NetworkFilesystem(_)
        | DbError::Denied(_)
        | DbError::Corrupt(_)
        | DbError::InvalidUrl(_)
        | DbError::Internal(_) => Refusal::new(reason, reason.title.trim()),
    }
}

/// Every row, each as a value of the domain.
///
/// # Errors
/// As [`refusal`].
pub async fn all<T>(db: &Db, statement: Statement, read: impl Fn(&Row) -> Result<T, DbError>) -> Result<Vec<T>, Refusal> {
    let rows = db.query(statement).await.map_err(refusal)?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(refusal)
}

/// The row, if there is one, as a value of the domain.
///
/// # Errors
/// As [`refusal`].
pub async fn one<T>(db: &Db, statement: Statement, read: impl Fn(&Row) -> Result<T, DbError>) -> Result<Option<T>, Refusal> {
    let row = db.query_optional(statement).await.map_err(refusal)?;
    row.as_ref().map(read).transpose().map_err(refusal)
}

/// A text column as the type that it was written from.
///
/// # Errors
/// [`DbError::Internal`] where it is none.
pub fn parsed<T: FromStr<Err: Display>>(row: &Row, column: usize) -> Result<T, DbError> {
    row.text(column)?.parse().map_err(|why| damaged(column, &why))
}

/// A text column that may be null, as the type that it was written from.
///
/// # Errors
/// As [`parsed`].
pub fn opt_parsed<T: FromStr<Err: Display>>(row: &Row, column: usize) -> Result<Option<T>, DbError> {
    row.opt_text(column)?.map(|text| text.parse().map_err(|why| damaged(column, &why))).transpose()
}

/// A stored value that cannot be read.
pub fn damaged(column: usize, why: &dyn Display) -> DbError {
    DbError::Internal(format!("column {column} of a row cannot be read: {why}"))
}
