//! PostgreSQL's errors in our words, by SQLSTATE. The server's DETAIL is left out: it quotes values.

use std::error::Error as _;

use tokio_postgres::Error;

use crate::DbError;
use crate::value::NulInText;

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        match error.as_db_error() {
            Some(told) => by_state(told.code().code(), told.message()),
            None => by_cause(&error),
        }
    }
}

/// The error of a request to `place`, told with the place.
pub(super) fn fault(place: &str, error: Error) -> DbError {
    DbError::from(error).at(place)
}

/// SQLSTATE classes and codes as PostgreSQL's appendix A lists them.
fn by_state(state: &str, message: &str) -> DbError {
    let text = || format!("{message} (SQLSTATE {state})");
    match state {
        "53100" => DbError::Full(format!("the disk of the database server is full: {}", text())),
        "53200" => DbError::Full(format!("the database server is out of memory: {}", text())),
        "25006" => DbError::Unavailable(format!("the server only reads (a standby, or default_transaction_read_only): {}", text())),
        "40001" | "40P01" | "55P03" => DbError::Busy,
        // Both `statement_timeout` and a cancelled request.
        "57014" => DbError::Timeout,
        "42501" => DbError::Denied(text()),
        "28000" | "28P01" => DbError::Unavailable(format!("the server refuses the login: {}", text())),
        "3D000" => DbError::Unavailable(format!("there is no such database: {}", text())),
        "26000" => DbError::Unsupported(format!("{TRANSACTION_POOLER} ({})", text())),
        "08P01" if message.contains("startup parameter") => DbError::Unsupported(format!("{POOLER_DROPS_SETTINGS} ({})", text())),
        "XX001" | "XX002" => DbError::Corrupt(text()),
        _ => match state.get(..2) {
            Some("23") => DbError::Constraint(text()),
            // No connection, no resources, the operator stepped in, the system failed, a session limit of ours ended it.
            Some("08" | "53" | "57" | "58") => DbError::Unavailable(text()),
            Some("25") if state == "25P03" || state == "25P04" => DbError::Unavailable(text()),
            _ => DbError::Internal(text()),
        },
    }
}

/// What we say about a pooler that gives each transaction another server process.
pub(super) const TRANSACTION_POOLER: &str = "a connection pooler in transaction mode stands in front of the server, but Signet needs \
                                             sessions of its own: name the server itself in database.url";

/// What we say about a pooler that knows sessions, but not the limits that we give ours. A pooler in transaction mode is
/// mostly noticed by this too, before anything of ours could stick to a connection that others will be given.
pub(super) const POOLER_DROPS_SETTINGS: &str = "a connection pooler stands in front of the server and does not pass on the settings of \
                                                a session: name the server itself in database.url";

fn by_cause(error: &Error) -> DbError {
    let mut cause = error.source();
    let mut texts = vec![error.to_string()];
    while let Some(inner) = cause {
        if inner.is::<NulInText>() {
            return DbError::Constraint(inner.to_string());
        }
        let text = inner.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
        cause = inner.source();
    }
    let text = texts.join(": ");
    // The library keeps its kinds to itself; these are the ones that tell of a wrong call, not of the connection.
    let ours = ["error serializing", "error deserializing", "invalid column", "expected ", "query returned", "invalid configuration"];
    if ours.iter().any(|start| text.starts_with(start)) { DbError::Internal(text) } else { DbError::Unavailable(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_that_operators_meet_has_its_reason() {
        let rows = [
            ("53100", "storage.full"),
            ("53200", "storage.full"),
            ("53300", "storage.unavailable"),
            ("25006", "storage.unavailable"),
            ("57P01", "storage.unavailable"),
            ("57P03", "storage.unavailable"),
            ("08006", "storage.unavailable"),
            ("40001", "storage.unavailable"),
            ("40P01", "storage.unavailable"),
            ("55P03", "storage.unavailable"),
            ("57014", "storage.unavailable"),
            ("28P01", "storage.unavailable"),
            ("3D000", "storage.unavailable"),
            ("42501", "storage.denied"),
            ("26000", "storage.unsupported"),
            ("XX001", "storage.corrupt"),
            ("42P01", "internal"),
            ("", "internal"),
        ];
        for (state, reason) in rows {
            assert_eq!(by_state(state, "message").reason().code, reason, "{state}");
        }
        assert!(matches!(by_state("23505", "duplicate key"), DbError::Constraint(_)));
        assert_eq!((by_state("40001", ""), by_state("57014", "")), (DbError::Busy, DbError::Timeout));
        assert!(matches!(by_state("08P01", "unsupported startup parameter: options"), DbError::Unsupported(_)));
    }
}
