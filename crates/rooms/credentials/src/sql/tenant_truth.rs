//! What the page of truth of a tenant reads, and table `tenant_use`: when a credential of a tenant was last used.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{ApiTokenId, TenantId, Timestamp};

use super::parsed;
use crate::api_token::Owner;
use crate::tenant_truth::Count;

/// How many of each kind in each state among the tenant's first `limit` credentials, read from an index alone.
pub(crate) fn counts(tenant: &TenantId, limit: u32) -> Statement {
    Statement::new(
        "SELECT kind, state, count(*) FROM (SELECT kind, state FROM credential WHERE tenant = $1 LIMIT $2) AS first_ones \
         GROUP BY kind, state ORDER BY kind, state",
        params![tenant, limit],
    )
}

pub(crate) fn read_count(row: &Row) -> Result<Count, DbError> {
    Ok(Count { kind: parsed(row, 0)?, state: parsed(row, 1)?, number: row.int(2)? })
}

/// How many never used ones were made before `made_before`, counted no further than `limit`.
pub(crate) fn unused_since(tenant: &TenantId, made_before: Timestamp, limit: u32) -> Statement {
    Statement::new(
        "SELECT count(*) FROM (SELECT 1 FROM credential WHERE tenant = $1 AND state = 'Inactive' AND created_at < $2 LIMIT $3) AS old_ones",
        params![tenant, made_before, limit],
    )
}

/// The tenant's API tokens that end between the two times, the first to end first: so many of those among so many of the newest.
pub(crate) fn tokens_ending(tenant: &TenantId, from: Timestamp, until: Timestamp, most: (u32, u32)) -> Statement {
    Statement::new(
        "SELECT id, expires_at FROM (SELECT id, expires_at, revoked_at FROM api_token WHERE tenant = $1 \
         ORDER BY created_at DESC, id DESC LIMIT $2) AS newest \
         WHERE revoked_at IS NULL AND expires_at > $3 AND expires_at <= $4 ORDER BY expires_at, id LIMIT $5",
        params![Owner::Tenant(tenant.clone()).column(), most.1, from, until, most.0],
    )
}

pub(crate) fn read_ending(row: &Row) -> Result<(ApiTokenId, Timestamp), DbError> {
    Ok((parsed(row, 0)?, row.time(1)?))
}

pub(crate) fn last_use(tenant: &TenantId) -> Statement {
    Statement::new("SELECT last_used_at FROM tenant_use WHERE tenant = $1", params![tenant])
}

/// Upkeep: the last use, unless a later one is there already.
pub(crate) fn used(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO tenant_use (tenant, last_used_at) VALUES ($1, $2) \
         ON CONFLICT (tenant) DO UPDATE SET last_used_at = excluded.last_used_at WHERE tenant_use.last_used_at < excluded.last_used_at",
        params![tenant, now],
    )
}

/// The issuer that the Tenant Manager names for the tenant.
pub(crate) fn managed_issuer(tenant: &TenantId) -> Statement {
    Statement::new("SELECT issuer FROM managed_tenant WHERE tenant = $1", params![tenant])
}

/// With the tenant this is gone, too.
pub(crate) fn forget_managed(tenant: &TenantId) -> Statement {
    Statement::new("DELETE FROM managed_tenant WHERE tenant = $1 AND {ok}", params![tenant])
}

/// With the tenant this is gone, too.
pub(crate) fn forget_use(tenant: &TenantId) -> Statement {
    Statement::new("DELETE FROM tenant_use WHERE tenant = $1 AND {ok}", params![tenant])
}
