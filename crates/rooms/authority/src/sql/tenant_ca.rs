//! Table `tenant_ca`.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{TenantId, Timestamp};

use super::parsed;
use crate::ca::{Custody, TenantCa};
use crate::rotation::{CaState, Generation};

macro_rules! select {
    ($tail:literal) => {
        concat!(
            "SELECT tenant, generation, state, subject, certificate, ski, serial_decimal, custody, mount, platform_generation, not_before, \
             not_after, created_at, updated_at, version FROM tenant_ca ",
            $tail
        )
    };
}

/// Every generation of a tenant, newest first.
pub(crate) fn generations(tenant: &TenantId) -> Statement {
    Statement::new(select!("WHERE tenant = $1 ORDER BY generation DESC"), params![tenant])
}

/// One generation.
pub(crate) fn find(tenant: &TenantId, generation: i64) -> Statement {
    Statement::new(select!("WHERE tenant = $1 AND generation = $2"), params![tenant, generation])
}

/// The one that issues.
pub(crate) fn active(tenant: &TenantId) -> Statement {
    Statement::new(select!("WHERE tenant = $1 AND state = 'active'"), params![tenant])
}

/// Its sealed key.
pub(crate) fn key(tenant: &TenantId, generation: i64) -> Statement {
    Statement::new("SELECT key FROM tenant_ca WHERE tenant = $1 AND generation = $2", params![tenant, generation])
}

/// Tenants behind `after` and up to `last` that have a CA that issues.
pub(crate) fn tenants_served(after: Option<&TenantId>, last: &TenantId) -> Statement {
    Statement::new(
        "SELECT tenant FROM tenant_ca WHERE state = 'active' AND tenant > $1 AND tenant <= $2",
        params![after.map_or("", TenantId::as_str), last],
    )
}

pub(crate) fn insert(ca: &TenantCa, sealed_key: Option<&[u8]>) -> Statement {
    Statement::new(
        "INSERT INTO tenant_ca (tenant, generation, state, subject, certificate, ski, serial_decimal, custody, key, mount, \
         platform_generation, not_before, not_after, created_at, updated_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            &ca.tenant,
            ca.generation,
            ca.state.as_str(),
            &ca.subject,
            Value::from(ca.certificate.as_deref()),
            Value::from(ca.ski.as_deref()),
            Value::from(ca.serial_decimal.as_deref()),
            ca.custody.as_str(),
            Value::from(sealed_key),
            Value::from(ca.mount.as_deref()),
            ca.platform_generation,
            Value::from(ca.not_before),
            Value::from(ca.not_after),
            ca.created_at,
            ca.updated_at,
            ca.version
        ],
    )
}

/// The compare-and-set of a step.
pub(crate) fn set_state(ca: &TenantCa, to: CaState, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE tenant_ca SET state = $1, updated_at = $2, version = version + 1 \
         WHERE tenant = $3 AND generation = $4 AND state = $5 AND version = $6 AND {ok}",
        params![to.as_str(), now, &ca.tenant, ca.generation, ca.state.as_str(), ca.version],
    )
}

/// The compare-and-set of a swap: both rows move, or none. The prepared one is moved last, since one only may be active.
pub(crate) fn swap(next: &TenantCa, former: &TenantCa, now: Timestamp) -> [Statement; 2] {
    [set_state(former, CaState::Superseded, now), set_state(next, CaState::Active, now)]
}

/// Every generation that can sign or could come to begins to retire. One that is still being made elsewhere has issued nothing and
/// is finished for whoever has the name then.
pub(crate) fn retire_all(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE tenant_ca SET state = 'retiring', updated_at = $1, version = version + 1 \
         WHERE tenant = $2 AND state IN ('prepared', 'active', 'superseded', 'tainted') AND {ok}",
        params![now, tenant],
    )
}

/// Generations that began to retire before `before`.
pub(crate) fn left_retiring(before: Timestamp, most: u32) -> Statement {
    Statement::new(select!("WHERE state = 'retiring' AND updated_at < $1 ORDER BY tenant, generation LIMIT $2"), params![before, most])
}

/// The end of a generation: its key is wiped.
pub(crate) fn end(ca: &TenantCa, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE tenant_ca SET state = 'retired', key = NULL, updated_at = $1, version = version + 1 \
         WHERE tenant = $2 AND generation = $3 AND state = $4 AND version = $5 AND {ok}",
        params![now, &ca.tenant, ca.generation, ca.state.as_str(), ca.version],
    )
}

pub(crate) fn read(row: &Row) -> Result<TenantCa, DbError> {
    Ok(TenantCa {
        tenant: parsed(row, 0)?,
        generation: row.int(1)?,
        state: parsed(row, 2)?,
        subject: row.text(3)?.to_owned(),
        certificate: row.opt_bytes(4)?.map(<[u8]>::to_vec),
        ski: row.opt_bytes(5)?.map(<[u8]>::to_vec),
        serial_decimal: row.opt_text(6)?.map(str::to_owned),
        custody: parsed::<Custody>(row, 7)?,
        mount: row.opt_text(8)?.map(str::to_owned),
        platform_generation: row.int(9)?,
        not_before: row.opt_time(10)?,
        not_after: row.opt_time(11)?,
        created_at: row.time(12)?,
        updated_at: row.time(13)?,
        version: row.int(14)?,
    })
}

/// What the pure rotation looks at.
pub(crate) fn standing(cas: &[TenantCa]) -> Vec<Generation> {
    cas.iter().map(|ca| Generation { number: ca.generation, state: ca.state }).collect()
}
