//! Table `tenant`.

use signet_db::{DbError, Row, Statement, params};
use signet_model::TenantId;

use super::{Cursor, parsed};
use crate::tenant::Tenant;

pub(crate) fn insert(tenant: &Tenant) -> Statement {
    Statement::new(
        "INSERT INTO tenant (id, state, created_at, updated_at, version) SELECT $1, $2, $3, $4, $5 WHERE {ok} ON CONFLICT DO NOTHING",
        params![&tenant.id, tenant.state, tenant.created_at, tenant.updated_at, tenant.version],
    )
}

pub(crate) fn find(id: &TenantId) -> Statement {
    Statement::new("SELECT id, state, created_at, updated_at, version FROM tenant WHERE id = $1", params![id])
}

pub(crate) fn newest(after: &Cursor, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, state, created_at, updated_at, version FROM tenant WHERE (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
        params![after.created_at, &after.id, limit],
    )
}

pub(crate) fn read(row: &Row) -> Result<Tenant, DbError> {
    Ok(Tenant { id: parsed(row, 0)?, state: parsed(row, 1)?, created_at: row.time(2)?, updated_at: row.time(3)?, version: row.int(4)? })
}
