//! Table `identity`.

use std::collections::BTreeMap;

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{Enabled, IdentityId, IdentityName, TenantId, Timestamp};

use super::{Cursor, damaged, parsed};
use crate::identity::Identity;

pub(crate) fn insert(tenant: &TenantId, identity: &Identity) -> Result<Statement, serde_json::Error> {
    let labels = serde_json::to_string(&identity.labels)?;
    Ok(Statement::new(
        "INSERT INTO identity (tenant, id, name, kind, state, labels, created_at, updated_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            tenant,
            &identity.id,
            &identity.name,
            identity.kind,
            identity.state,
            labels,
            identity.created_at,
            identity.updated_at,
            identity.version
        ],
    ))
}

pub(crate) fn find(tenant: &TenantId, id: &IdentityId) -> Statement {
    Statement::new(
        "SELECT id, name, kind, state, labels, created_at, updated_at, version FROM identity WHERE id = $1 AND tenant = $2",
        params![id, tenant],
    )
}

pub(crate) fn find_by_name(tenant: &TenantId, name: &IdentityName) -> Statement {
    Statement::new(
        "SELECT id, name, kind, state, labels, created_at, updated_at, version FROM identity WHERE tenant = $1 AND name = $2",
        params![tenant, name],
    )
}

pub(crate) fn newest(tenant: &TenantId, after: &Cursor, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, name, kind, state, labels, created_at, updated_at, version FROM identity \
         WHERE tenant = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4",
        params![tenant, after.created_at, &after.id, limit],
    )
}

/// The compare-and-set of a state change.
pub(crate) fn set_state(tenant: &TenantId, identity: &Identity, to: Enabled, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE identity SET state = $1, updated_at = $2, version = version + 1 \
         WHERE id = $3 AND tenant = $4 AND state = $5 AND version = $6 AND {ok}",
        params![to, now, &identity.id, tenant, identity.state, identity.version],
    )
}

/// Its usable credentials, as far as taking them back needs them.
pub(crate) fn usable_credentials(tenant: &TenantId, id: &IdentityId, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, kind, version, application, endpoint FROM credential \
         WHERE tenant = $1 AND identity = $2 AND state IN ('Inactive', 'Active') \
         ORDER BY created_at, id LIMIT $3",
        params![tenant, id, limit],
    )
}

/// Guard: the identity's usable credentials are still so many, with versions that sum up to this. Any credential that came,
/// went or moved meanwhile changes one of the two, since versions only grow.
pub(crate) fn usable_credentials_unmoved(tenant: &TenantId, id: &IdentityId, count: i64, versions: i64) -> Statement {
    Statement::new(
        "SELECT 1 FROM (SELECT count(*) AS number, coalesce(CAST(sum(version) AS bigint), 0) AS versions FROM credential \
         WHERE tenant = $1 AND identity = $2 AND state IN ('Inactive', 'Active')) AS usable \
         WHERE usable.number = $3 AND usable.versions = $4",
        vec![Value::from(tenant), Value::from(id), Value::Int(count), Value::Int(versions)],
    )
}

pub(crate) fn read(row: &Row) -> Result<Identity, DbError> {
    let labels: BTreeMap<String, String> = serde_json::from_str(row.text(4)?).map_err(|why| damaged(4, &why))?;
    Ok(Identity {
        id: parsed(row, 0)?,
        name: parsed(row, 1)?,
        kind: parsed(row, 2)?,
        state: parsed(row, 3)?,
        labels,
        created_at: row.time(5)?,
        updated_at: row.time(6)?,
        version: row.int(7)?,
    })
}
