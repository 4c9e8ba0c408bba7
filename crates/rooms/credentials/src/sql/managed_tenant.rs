//! Table `managed_tenant`: what the Tenant Manager last told.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{TenantId, Timestamp};

use super::{opt_parsed, parsed};

/// A row. The client's secret is sealed.
pub(crate) struct ManagedRow {
    pub(crate) tenant: TenantId,
    pub(crate) realm: Option<TenantId>,
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) sealed_secret: Option<Vec<u8>>,
    pub(crate) available: bool,
    pub(crate) version: i64,
}

pub(crate) fn insert(row: &ManagedRow, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO managed_tenant (tenant, realm, issuer, client_id, client_secret, available, updated_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            &row.tenant,
            row.realm.as_ref(),
            row.issuer.as_ref(),
            row.client_id.as_ref(),
            row.sealed_secret.clone(),
            i64::from(row.available),
            now,
            row.version
        ],
    )
}

/// The compare-and-set: `row` in place of the version before it.
pub(crate) fn replace(row: &ManagedRow, before: i64, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE managed_tenant SET realm = $1, issuer = $2, client_id = $3, client_secret = $4, available = $5, updated_at = $6, \
         version = $7 WHERE tenant = $8 AND version = $9 AND {ok}",
        params![
            row.realm.as_ref(),
            row.issuer.as_ref(),
            row.client_id.as_ref(),
            row.sealed_secret.clone(),
            i64::from(row.available),
            now,
            row.version,
            &row.tenant,
            before
        ],
    )
}

pub(crate) fn remove(tenant: &TenantId, version: i64) -> Statement {
    Statement::new("DELETE FROM managed_tenant WHERE tenant = $1 AND version = $2 AND {ok}", params![tenant, version])
}

pub(crate) fn find(tenant: &TenantId) -> Statement {
    Statement::new(
        "SELECT tenant, realm, issuer, client_id, client_secret, available, version FROM managed_tenant WHERE tenant = $1",
        params![tenant],
    )
}

/// The next ones by name; the empty text comes before every name.
pub(crate) fn after(name: &str, limit: u32) -> Statement {
    Statement::new(
        "SELECT tenant, realm, issuer, client_id, client_secret, available, version FROM managed_tenant \
         WHERE tenant > $1 ORDER BY tenant LIMIT $2",
        params![name, limit],
    )
}

pub(crate) fn read(row: &Row) -> Result<ManagedRow, DbError> {
    Ok(ManagedRow {
        tenant: parsed(row, 0)?,
        realm: opt_parsed(row, 1)?,
        issuer: row.opt_text(2)?.map(str::to_owned),
        client_id: row.opt_text(3)?.map(str::to_owned),
        sealed_secret: row.opt_bytes(4)?.map(<[u8]>::to_vec),
        available: row.int(5)? != 0,
        version: row.int(6)?,
    })
}
