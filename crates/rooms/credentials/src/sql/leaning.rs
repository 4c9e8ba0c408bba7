//! What a credential leans on: its tenant, its identity, and the sweeps that tell of them. One text for reading it and for the
//! guard that it still holds.

use signet_db::{DbError, Row, Statement, Value};
use signet_model::{Enabled, IdentityId, TenantId};

use super::{opt_parsed, parsed};
use crate::sweep::Key;

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leant {
    pub(crate) tenant: Enabled,
    tenant_version: i64,
    /// None without an identity.
    pub(crate) identity: Option<Enabled>,
    identity_version: i64,
    /// A sweep of the tenant has still to come by.
    pub(crate) tenant_owes: bool,
    /// A sweep of the identity has still to come by.
    pub(crate) identity_owes: bool,
}

macro_rules! leaning {
    ($head:literal, $tail:literal) => {
        concat!(
            "SELECT ",
            $head,
            " FROM (SELECT t.state AS tenant_state, t.version AS tenant_version, i.state AS identity_state, \
             coalesce(i.version, 0) AS identity_version, \
             CASE WHEN ($1, $2) > (st.passed_at, st.passed_id) AND ($1, $2) > (st.told_at, st.told_id) THEN 1 ELSE 0 END AS tenant_owes, \
             CASE WHEN ($1, $2) > (si.passed_at, si.passed_id) THEN 1 ELSE 0 END AS identity_owes \
             FROM tenant t LEFT JOIN identity i ON i.tenant = t.id AND i.id = $3 \
             LEFT JOIN sweep st ON st.tenant = t.id AND st.identity = '' \
             LEFT JOIN sweep si ON si.tenant = t.id AND si.identity = $3 WHERE t.id = $4) AS leant",
            $tail
        )
    };
}

/// Nothing is named so; an empty text would be the tenant's own sweep.
const NO_IDENTITY: &str = "-";

fn named(identity: Option<&IdentityId>) -> Value {
    Value::from(identity.map_or(NO_IDENTITY, IdentityId::as_str))
}

pub(crate) fn find(tenant: &TenantId, identity: Option<&IdentityId>, key: &Key) -> Statement {
    Statement::new(
        leaning!("tenant_state, tenant_version, identity_state, identity_version, tenant_owes, identity_owes", ""),
        vec![Value::from(key.created_at), Value::from(&key.id), named(identity), Value::from(tenant)],
    )
}

/// Guard: what was read still holds.
pub(crate) fn unmoved(tenant: &TenantId, identity: Option<&IdentityId>, key: &Key, leant: &Leant) -> Statement {
    Statement::new(
        leaning!("1", " WHERE tenant_version = $5 AND identity_version = $6 AND tenant_owes = $7 AND identity_owes = $8"),
        vec![
            Value::from(key.created_at),
            Value::from(&key.id),
            named(identity),
            Value::from(tenant),
            Value::from(leant.tenant_version),
            Value::from(leant.identity_version),
            Value::from(i64::from(leant.tenant_owes)),
            Value::from(i64::from(leant.identity_owes)),
        ],
    )
}

pub(crate) fn read(row: &Row) -> Result<Leant, DbError> {
    Ok(Leant {
        tenant: parsed(row, 0)?,
        tenant_version: row.int(1)?,
        identity: opt_parsed(row, 2)?,
        identity_version: row.int(3)?,
        tenant_owes: row.int(4)? != 0,
        identity_owes: row.int(5)? != 0,
    })
}
