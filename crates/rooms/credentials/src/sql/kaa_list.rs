//! Table `credential`, as Kaa pages through its credentials: by number, and with a count. Both read an index alone, but for a count
//! or a place under one name.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{CredentialKind, TenantId, Timestamp};

use super::Cursor;
use crate::kaa_list::{KaaFilter, Listed};

const fn kind_of(listed: &Listed) -> CredentialKind {
    match listed {
        Listed::Basic(_) => CredentialKind::Basic,
        Listed::Certificates(_) => CredentialKind::X509,
    }
}

/// The place of the row before which so many others stand, newest first.
pub(crate) fn nth(tenant: &TenantId, filter: &KaaFilter, before: u32) -> Statement {
    match (&filter.listed, filter.state) {
        (Listed::Basic(Some(username)), state) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND username = $2 AND kind = 'basic' \
             AND (state = $3 OR $3 IS NULL) ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $4",
            params![tenant, username, state, before],
        ),
        (Listed::Certificates(Some(common_name)), state) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND common_name = $2 AND kind = 'x509' \
             AND (state = $3 OR $3 IS NULL) ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $4",
            params![tenant, common_name, state, before],
        ),
        (listed, Some(state)) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND state = $2 AND kind = $3 \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $4",
            params![tenant, state, kind_of(listed), before],
        ),
        (listed, None) => Statement::new(
            "SELECT created_at, id FROM credential WHERE tenant = $1 AND kind = $2 \
             ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET $3",
            params![tenant, kind_of(listed), before],
        ),
    }
}

/// How many there are from a place on, its own row too.
pub(crate) fn count(tenant: &TenantId, filter: &KaaFilter, from: &Cursor) -> Statement {
    match (&filter.listed, filter.state) {
        (Listed::Basic(Some(username)), state) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND username = $2 AND kind = 'basic' \
             AND (created_at, id) <= ($3, $4) AND (state = $5 OR $5 IS NULL)",
            params![tenant, username, from.created_at, &from.id, state],
        ),
        (Listed::Certificates(Some(common_name)), state) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND common_name = $2 AND kind = 'x509' \
             AND (created_at, id) <= ($3, $4) AND (state = $5 OR $5 IS NULL)",
            params![tenant, common_name, from.created_at, &from.id, state],
        ),
        (listed, Some(state)) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND state = $2 AND (created_at, id) <= ($3, $4) AND kind = $5",
            params![tenant, state, from.created_at, &from.id, kind_of(listed)],
        ),
        (listed, None) => Statement::new(
            "SELECT count(*) FROM credential WHERE tenant = $1 AND kind = $2 AND (created_at, id) <= ($3, $4)",
            params![tenant, kind_of(listed), from.created_at, &from.id],
        ),
    }
}

pub(crate) fn read_place(row: &Row) -> Result<Cursor, DbError> {
    let made: Timestamp = row.time(0)?;
    Ok(Cursor::behind(made, row.text(1)?))
}
