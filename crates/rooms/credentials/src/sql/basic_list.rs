//! Table `credential`, as Kaa pages through its basic credentials: by number, and with a count. Both read an index alone.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{CredentialState, TenantId, Timestamp, Username};

use super::Cursor;

/// The place of the row before which so many others stand, newest first.
pub(crate) fn nth(tenant: &TenantId, state: Option<CredentialState>, username: Option<&Username>, before: u32) -> Statement {
    match (username, state) {
        (Some(username), state) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND username = $2 AND kind = 'basic' \
             AND (state = $3 OR $3 IS NULL) ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $4",
            params![tenant, username, state, before],
        ),
        (None, Some(state)) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND state = $2 AND kind = 'basic' \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $3",
            params![tenant, state, before],
        ),
        (None, None) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND kind = 'basic' \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $2",
            params![tenant, before],
        ),
    }
}

/// How many there are from a place on, its own row too.
pub(crate) fn count(tenant: &TenantId, state: Option<CredentialState>, username: Option<&Username>, from: &Cursor) -> Statement {
    match (username, state) {
        (Some(username), state) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND username = $2 AND kind = 'basic' \
             AND (created_at, id) <= ($3, $4) AND (state = $5 OR $5 IS NULL)",
            params![tenant, username, from.created_at, &from.id, state],
        ),
        (None, Some(state)) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND state = $2 AND (created_at, id) <= ($3, $4) AND kind = 'basic'",
            params![tenant, state, from.created_at, &from.id],
        ),
        (None, None) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND kind = 'basic' AND (created_at, id) <= ($2, $3)",
            params![tenant, from.created_at, &from.id],
        ),
    }
}

pub(crate) fn read_place(row: &Row) -> Result<Cursor, DbError> {
    let made: Timestamp = row.time(0)?;
    Ok(Cursor::behind(made, row.text(1)?))
}
