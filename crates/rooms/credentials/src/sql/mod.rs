//! The room's statements, one file per table, and the rows that they yield. Every statement on a tenant's things names the
//! tenant. Parameters appear for the first time in the order of their numbers, as SQLite counts them.

/// The text of a statement that reads whole credentials: the columns that [`credential::read`] takes, then this.
macro_rules! credentials {
    ($tail:literal) => {
        concat!(
            "SELECT id, kind, state, username, application, endpoint, identity, created_at, updated_at, last_used_at, version, \
             issuer_dn, serial_decimal, spki_sha256, common_name, not_before, not_after, anchor FROM credential ",
            $tail
        )
    };
}

pub(crate) mod api_token;
pub(crate) mod certificate;
pub(crate) mod credential;
pub(crate) mod endpoint_list;
pub(crate) mod endpoint_token;
pub(crate) mod identity;
pub(crate) mod import;
pub(crate) mod kaa_list;
pub(crate) mod leaning;
pub(crate) mod managed_tenant;
pub(crate) mod operator_token;
#[cfg(test)]
mod plans;
pub(crate) mod sweep;
pub(crate) mod tenant;
pub(crate) mod tenant_truth;

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use signet_db::{Db, DbError, Row, Statement};
use signet_model::{Refusal, Timestamp};

/// Where a page of a list begins: behind this row. Lists are newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// When the row was made, in microseconds since the epoch.
    created_at: i64,
    /// Its id.
    id: String,
}

impl Cursor {
    /// The cursor behind a row.
    pub(crate) fn behind(created_at: Timestamp, id: impl Display) -> Self {
        Self { created_at: created_at.micros(), id: id.to_string() }
    }

    /// Before the newest row.
    pub(crate) fn start() -> Self {
        Self { created_at: i64::MAX, id: String::new() }
    }
}

/// What a caller is told when the database fails: the reason, and of one that is away what kind of absence it is. Where it was
/// sought and the database's own words are the operator's, in the log and from `signet doctor`.
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

fn damaged(column: usize, why: &dyn Display) -> DbError {
    DbError::Internal(format!("column {column} of a row cannot be read: {why}"))
}
