//! Table `tenant`. Its column `state` holds `enabled` or `disabled`; a deleted tenant is a disabled one with an end.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{Enabled, TenantId, TenantState, Timestamp};

use super::{Cursor, parsed};
use crate::tenant::Tenant;

/// What the column `state` holds.
fn stored(state: TenantState) -> Enabled {
    if state.works() { Enabled::Enabled } else { Enabled::Disabled }
}

pub(crate) fn insert(tenant: &Tenant) -> Statement {
    Statement::new(
        "INSERT INTO tenant (id, state, created_at, updated_at, version, managed) SELECT $1, $2, $3, $4, $5, $6 WHERE {ok} \
         ON CONFLICT DO NOTHING",
        params![&tenant.id, stored(tenant.state), tenant.created_at, tenant.updated_at, tenant.version, i64::from(tenant.managed)],
    )
}

/// The compare-and-set of every change of a tenant: writes what `to` says over what was read at `version`.
pub(crate) fn replace(version: i64, to: &Tenant) -> Statement {
    Statement::new(
        "UPDATE tenant SET state = $1, purge_at = $2, managed = $3, unregistered = $4, updated_at = $5, version = version + 1 \
         WHERE id = $6 AND version = $7 AND {ok}",
        params![stored(to.state), to.purge_at, i64::from(to.managed), i64::from(to.unregistered), to.updated_at, &to.id, version],
    )
}

/// The end of a tenant that nothing leans on any more.
pub(crate) fn delete(id: &TenantId, version: i64) -> Statement {
    Statement::new("DELETE FROM tenant WHERE id = $1 AND version = $2 AND {ok}", params![id, version])
}

pub(crate) fn find(id: &TenantId) -> Statement {
    Statement::new(
        "SELECT id, state, created_at, updated_at, version, purge_at, managed, unregistered FROM tenant WHERE id = $1",
        params![id],
    )
}

/// Guard: the tenant is as it was at `version`.
pub(crate) fn unmoved(id: &TenantId, version: i64) -> Statement {
    Statement::new("SELECT 1 FROM tenant WHERE id = $1 AND version = $2", params![id, version])
}

/// Guard: the tenant is there and enabled. Whatever makes something in a tenant must stand on it.
pub(crate) fn enabled(id: &TenantId) -> Statement {
    Statement::new("SELECT 1 FROM tenant WHERE id = $1 AND state = 'enabled'", params![id])
}

/// The enabled ones by name, behind `after`.
pub(crate) fn working(after: Option<&TenantId>, limit: u32) -> Statement {
    Statement::new(
        "SELECT id FROM tenant WHERE id > $1 AND state = 'enabled' ORDER BY id LIMIT $2",
        params![after.map_or("", TenantId::as_str), limit],
    )
}

pub(crate) fn newest(after: &Cursor, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, state, created_at, updated_at, version, purge_at, managed, unregistered FROM tenant \
         WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
        params![after.created_at, &after.id, limit],
    )
}

/// Deleted tenants whose grace has passed and about which nothing is left to tell.
pub(crate) fn due_for_purge(now: Timestamp, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, state, created_at, updated_at, version, purge_at, managed, unregistered FROM tenant \
         WHERE purge_at <= $1 AND NOT EXISTS (SELECT 1 FROM sweep WHERE sweep.tenant = tenant.id) ORDER BY purge_at LIMIT $2",
        params![now, limit],
    )
}

pub(crate) fn read(row: &Row) -> Result<Tenant, DbError> {
    let purge_at = row.opt_time(5)?;
    let state = match (parsed(row, 1)?, purge_at) {
        (_, Some(_)) => TenantState::Deleting,
        (Enabled::Enabled, None) => TenantState::Enabled,
        (Enabled::Disabled, None) => TenantState::Disabled,
    };
    Ok(Tenant {
        id: parsed(row, 0)?,
        state,
        created_at: row.time(2)?,
        updated_at: row.time(3)?,
        version: row.int(4)?,
        purge_at,
        managed: row.int(6)? != 0,
        unregistered: row.int(7)? != 0,
    })
}
