//! The room's statements, one file per table, and the rows that they yield. Every statement on a tenant's things names the
//! tenant. Parameters appear for the first time in the order of their numbers, as SQLite counts them.

pub(crate) mod anchor;
pub(crate) mod certificate;
pub(crate) mod expiry;
pub(crate) mod inventory;
pub(crate) mod issuance_rule;
pub(crate) mod ocsp;
pub(crate) mod partition;
#[cfg(test)]
mod plans;
pub(crate) mod platform_ca;
pub(crate) mod status;
pub(crate) mod tenant_ca;
pub(crate) mod vault;

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use signet_db::{Db, DbError, Row, Statement};
use signet_model::{Refusal, Timestamp};

/// Where a page of a list begins: behind this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// What the list is sorted by, in microseconds since the epoch.
    pub(crate) at: i64,
    /// The row's id.
    pub(crate) id: String,
}

impl Cursor {
    /// The cursor behind a row.
    pub(crate) fn behind(at: Timestamp, id: impl Display) -> Self {
        Self { at: at.micros(), id: id.to_string() }
    }

    /// Before the row that ends soonest.
    pub(crate) fn soonest() -> Self {
        Self { at: i64::MIN, id: String::new() }
    }

    /// Before the newest row.
    pub(crate) fn newest() -> Self {
        Self { at: i64::MAX, id: String::new() }
    }
}

/// What a caller is told when the database fails; its own words are the operator's, in the log.
pub(crate) fn refusal(error: DbError) -> Refusal {
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
pub(crate) async fn all<T>(db: &Db, statement: Statement, read: impl Fn(&Row) -> Result<T, DbError>) -> Result<Vec<T>, Refusal> {
    let rows = db.query(statement).await.map_err(refusal)?;
    rows.iter().map(read).collect::<Result<_, _>>().map_err(refusal)
}

/// The row, if there is one, as a value of the domain.
pub(crate) async fn one<T>(db: &Db, statement: Statement, read: impl Fn(&Row) -> Result<T, DbError>) -> Result<Option<T>, Refusal> {
    let row = db.query_optional(statement).await.map_err(refusal)?;
    row.as_ref().map(read).transpose().map_err(refusal)
}

/// A text column as the type that it was written from.
pub(crate) fn parsed<T: FromStr<Err: Display>>(row: &Row, column: usize) -> Result<T, DbError> {
    row.text(column)?.parse().map_err(|why| damaged(column, &why))
}

/// A text column that may be null, as the type that it was written from.
pub(crate) fn opt_parsed<T: FromStr<Err: Display>>(row: &Row, column: usize) -> Result<Option<T>, DbError> {
    row.opt_text(column)?.map(|text| text.parse().map_err(|why| damaged(column, &why))).transpose()
}

/// A stored value that cannot be read.
pub(crate) fn damaged(column: usize, why: &dyn Display) -> DbError {
    DbError::Internal(format!("column {column} of a row cannot be read: {why}"))
}
