//! Table `api_token`. Its column `tenant` holds `*` for a token above all tenants.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{ApiTokenId, Timestamp};

use super::{Cursor, parsed};
use crate::api_token::{ApiToken, Owner};

pub(crate) fn insert(owner: &Owner, token: &ApiToken, hash: &[u8; 32]) -> Statement {
    Statement::new(
        "INSERT INTO api_token (tenant, id, name, role, hash, created_at, created_by, expires_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            owner.column(),
            &token.id,
            token.name.as_deref(),
            token.role.as_str(),
            hash,
            token.created_at,
            &token.created_by,
            token.expires_at,
            token.version
        ],
    )
}

pub(crate) fn find(owner: &Owner, id: &ApiTokenId) -> Statement {
    Statement::new(
        "SELECT id, name, role, created_at, created_by, expires_at, revoked_at, version FROM api_token WHERE id = $1 AND tenant = $2",
        params![id, owner.column()],
    )
}

pub(crate) fn newest(owner: &Owner, after: &Cursor, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, name, role, created_at, created_by, expires_at, revoked_at, version FROM api_token \
         WHERE tenant = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4",
        params![owner.column(), after.created_at, &after.id, limit],
    )
}

/// The compare-and-set of a revocation.
pub(crate) fn revoke(owner: &Owner, token: &ApiToken, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE api_token SET revoked_at = $1, version = version + 1 \
         WHERE id = $2 AND tenant = $3 AND revoked_at IS NULL AND version = $4 AND {ok}",
        params![now, &token.id, owner.column(), token.version],
    )
}

/// The token of which this is the hash, with whose it is: the one lookup that does not start from a tenant.
pub(crate) fn by_hash(hash: &[u8; 32]) -> Statement {
    Statement::new(
        "SELECT id, name, role, created_at, created_by, expires_at, revoked_at, version, tenant FROM api_token WHERE hash = $1",
        params![hash],
    )
}

pub(crate) fn read(row: &Row) -> Result<ApiToken, DbError> {
    Ok(ApiToken {
        id: parsed(row, 0)?,
        name: row.opt_text(1)?.map(str::to_owned),
        role: parsed(row, 2)?,
        created_at: row.time(3)?,
        created_by: row.text(4)?.to_owned(),
        expires_at: row.time(5)?,
        revoked_at: row.opt_time(6)?,
        version: row.int(7)?,
    })
}

pub(crate) fn read_with_owner(row: &Row) -> Result<(ApiToken, Owner), DbError> {
    Ok((read(row)?, parsed(row, 8)?))
}
