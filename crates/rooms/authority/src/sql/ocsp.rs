//! The CAs that OCSP answers for, and their published certificates.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{TenantId, Timestamp};

/// A CA by its place and its certificate.
#[derive(Clone, Debug)]
pub(crate) struct KnownCa {
    pub(crate) tenant: TenantId,
    pub(crate) generation: i64,
    pub(crate) certificate: Vec<u8>,
}

/// The next CAs behind `after` that have a certificate, in whatever state.
pub(crate) fn cas(after: Option<(&TenantId, i64)>, limit: u32) -> Statement {
    let (tenant, generation) = after.map_or(("", 0), |(tenant, generation)| (tenant.as_str(), generation));
    Statement::new(
        "SELECT tenant, generation, certificate FROM tenant_ca WHERE (tenant, generation) > ($1, $2) AND certificate IS NOT NULL \
         ORDER BY tenant, generation LIMIT $3",
        params![tenant, generation, limit],
    )
}

pub(crate) fn read_ca(row: &Row) -> Result<KnownCa, DbError> {
    Ok(KnownCa { tenant: super::parsed(row, 0)?, generation: row.int(1)?, certificate: row.bytes(2)?.to_vec() })
}

/// The certificate of a CA that has one, and when it was made.
pub(crate) fn published(tenant: &TenantId, generation: i64) -> Statement {
    Statement::new(
        "SELECT certificate, created_at FROM tenant_ca WHERE tenant = $1 AND generation = $2 AND certificate IS NOT NULL",
        params![tenant, generation],
    )
}

pub(crate) fn read_published(row: &Row) -> Result<(Vec<u8>, Timestamp), DbError> {
    Ok((row.bytes(0)?.to_vec(), row.time(1)?))
}
