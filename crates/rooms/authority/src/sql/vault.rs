//! What CAs in Vault need beside the rest: leases, serial numbers that the mount drew, and the queue of revocations.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{CredentialId, IdentityId, TenantId, Timestamp};

use super::parsed;
use crate::ca::TenantCa;
use crate::intent::Intent;
use crate::vault_issue::Leaf;

/// The compare-and-set of a lease.
pub(crate) fn renew_lease(ca: &TenantCa, until: Timestamp) -> Statement {
    Statement::new(
        "UPDATE tenant_ca SET updated_at = $1, version = version + 1 \
         WHERE tenant = $2 AND generation = $3 AND state = 'pending' AND version = $4 AND {ok}",
        params![until, &ca.tenant, ca.generation, ca.version],
    )
}

/// A pending CA is there.
pub(crate) fn finish(ca: &TenantCa, leased: i64) -> Statement {
    Statement::new(
        "UPDATE tenant_ca SET state = $1, certificate = $2, ski = $3, serial_decimal = $4, mount = $5, platform_generation = $6, \
         not_before = $7, not_after = $8, updated_at = $9, version = version + 1 \
         WHERE tenant = $10 AND generation = $11 AND state = 'pending' AND version = $12 AND {ok}",
        params![
            ca.state.as_str(),
            Value::from(ca.certificate.as_deref()),
            Value::from(ca.ski.as_deref()),
            Value::from(ca.serial_decimal.as_deref()),
            Value::from(ca.mount.as_deref()),
            ca.platform_generation,
            Value::from(ca.not_before),
            Value::from(ca.not_after),
            ca.updated_at,
            &ca.tenant,
            ca.generation,
            leased
        ],
    )
}

/// The intent becomes the certificate, with the serial number, the dates and the place that the mount gave it.
pub(crate) fn store(intent: &Intent, leaf: &Leaf, state: &'static str, identity: Option<&IdentityId>, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE certificate SET state = $1, state_since = $2, fingerprint = $3, der = $4, issued_at = $2, identity = $5, \
         serial_decimal = $6, serial = $7, partition = $8, not_before = $9, not_after = $10, version = version + 1 \
         WHERE id = $11 AND tenant = $12 AND state = 'intended' AND {ok}",
        params![
            state,
            now,
            signet_crypto::sha256(&leaf.der),
            leaf.der.as_slice(),
            Value::from(identity),
            leaf.serial.decimal(),
            leaf.serial.to_der_bytes(),
            leaf.partition,
            leaf.validity.not_before,
            leaf.validity.not_after,
            &intent.id,
            &intent.tenant
        ],
    )
}

/// An intent whose certificate was signed and cannot be handed out: it bears the drawn serial number from now on.
pub(crate) fn drawn(tenant: &TenantId, id: &CredentialId, leaf: &Leaf) -> Statement {
    Statement::new(
        "UPDATE certificate SET serial_decimal = $1, serial = $2, partition = $3, not_before = $4, not_after = $5, version = version + 1 \
         WHERE id = $6 AND tenant = $7 AND state IN ('intended', 'orphaned') AND issued_at IS NULL AND {ok}",
        params![
            leaf.serial.decimal(),
            leaf.serial.to_der_bytes(),
            leaf.partition,
            leaf.validity.not_before,
            leaf.validity.not_after,
            id,
            tenant
        ],
    )
}

/// The last partition of a CA below this address, and how many certificates stand in it.
pub(crate) fn last_partition(tenant: &TenantId, generation: i64, base: &str) -> Statement {
    Statement::new(
        "SELECT p.number, (SELECT count(*) FROM certificate c WHERE c.tenant = p.tenant AND c.generation = p.generation \
         AND c.partition = p.number) FROM crl_partition p WHERE p.tenant = $1 AND p.generation = $2 AND coalesce(p.base, $3) = $4 \
         ORDER BY p.number DESC LIMIT 1",
        params![tenant, generation, base, base],
    )
}

/// Whether a serial number of an issuer is known.
pub(crate) fn known(issuer: &str, serial: &str) -> Statement {
    Statement::new("SELECT 1 FROM certificate WHERE issuer_dn = $1 AND serial_decimal = $2", params![issuer, serial])
}

/// Intents of this key that were not finished.
pub(crate) fn intent_of_key(tenant: &TenantId, generation: i64, spki_sha256: &[u8; 32]) -> Statement {
    Statement::new(
        "SELECT id FROM certificate WHERE spki_sha256 = $1 AND tenant = $2 AND generation = $3 AND issued_at IS NULL \
         AND state = 'intended' ORDER BY id",
        params![spki_sha256, tenant, generation],
    )
}

/// An intent as it stands now.
pub(crate) fn orphan_again(tenant: &TenantId, id: &CredentialId) -> Statement {
    Statement::new(
        "SELECT tenant, id, generation, partition, issuer_dn, serial_decimal, subject, intended_at, state FROM certificate \
         WHERE id = $1 AND tenant = $2",
        params![id, tenant],
    )
}

/// In the queue in the place of a serial number: the CA has ended, and its key is to be deleted.
pub(crate) const THE_CA: &str = "";

/// The mount is to be told of a revocation.
pub(crate) fn enqueue(tenant: &TenantId, generation: i64, serial: &str, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO mount_revocation (tenant, generation, serial, next_at, attempts) SELECT $1, $2, $3, $4, 0 WHERE {ok} ON CONFLICT DO NOTHING",
        params![tenant, generation, serial, now],
    )
}

/// A revocation that a mount is to be told of.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) tenant: TenantId,
    pub(crate) generation: i64,
    /// Hexadecimal with colons.
    pub(crate) serial: String,
    pub(crate) attempts: i64,
}

/// Those that are due, longest waiting first.
pub(crate) fn due(now: Timestamp, most: u32) -> Statement {
    Statement::new(
        "SELECT tenant, generation, serial, attempts FROM mount_revocation WHERE next_at <= $1 ORDER BY next_at, tenant, generation, serial LIMIT $2",
        params![now, most],
    )
}

pub(crate) fn read_due(row: &Row) -> Result<Due, DbError> {
    Ok(Due { tenant: parsed(row, 0)?, generation: row.int(1)?, serial: row.text(2)?.to_owned(), attempts: row.int(3)? })
}

/// What came of one: done with no `next_at`, else when it is tried again.
pub(crate) fn attempted(due: &Due, next_at: Option<Timestamp>) -> Statement {
    Statement::new(
        "UPDATE mount_revocation SET next_at = $1, attempts = attempts + 1 WHERE tenant = $2 AND generation = $3 AND serial = $4 AND {ok}",
        params![Value::from(next_at), &due.tenant, due.generation, due.serial.as_str()],
    )
}
