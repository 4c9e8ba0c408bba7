//! Table `operator_token`: one row, or none before the first start.

use signet_db::{DbError, Row, Statement, params};
use signet_model::Timestamp;

/// What is stored of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) generation: i64,
    pub(crate) expires_at: Timestamp,
}

pub(crate) fn find() -> Statement {
    Statement::new("SELECT generation, expires_at FROM operator_token WHERE slot = 1", params![])
}

pub(crate) fn by_hash(hash: &[u8; 32]) -> Statement {
    Statement::new("SELECT generation, expires_at FROM operator_token WHERE slot = 1 AND hash = $1", params![hash])
}

pub(crate) fn insert(hash: &[u8; 32], now: Timestamp, expires_at: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO operator_token (slot, generation, hash, created_at, expires_at) SELECT 1, 1, $1, $2, $3 WHERE {ok} \
         ON CONFLICT DO NOTHING",
        params![hash, now, expires_at],
    )
}

/// The compare-and-set of a rotation.
pub(crate) fn replace(generation: i64, hash: &[u8; 32], now: Timestamp, expires_at: Timestamp) -> Statement {
    Statement::new(
        "UPDATE operator_token SET generation = generation + 1, hash = $1, created_at = $2, expires_at = $3 \
         WHERE slot = 1 AND generation = $4 AND {ok}",
        params![hash, now, expires_at, generation],
    )
}

pub(crate) fn read(row: &Row) -> Result<Stored, DbError> {
    Ok(Stored { generation: row.int(0)?, expires_at: row.time(1)? })
}
