//! Table `certificate`: the life of a row from the intent on. What lists read is in `inventory`, what CRL and OCSP read in `status`.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{CredentialId, IdentityId, TenantId, Timestamp};
use signet_pki::SubjectName;

use super::parsed;
use crate::intent::{Intent, Orphan};

/// Records that a certificate will be signed. It must still be so that the CA may sign it, that nobody reported its key, that no
/// tenant's CA has it, and that the tenant's rule is the one that was applied.
pub(crate) fn intend(intent: &Intent, rule_version: i64, key_identifier: &[u8]) -> Statement {
    let mut params = row(intent);
    params.push(Value::from(rule_version));
    params.push(Value::from(key_identifier));
    Statement::new(
        "INSERT INTO certificate (tenant, id, generation, issuer_dn, serial_decimal, serial, partition, profile, state, state_since, \
         subject, common_name, spki_sha256, not_before, not_after, intended_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'intended', $9, $10, $11, $12, $13, $14, $9, 1 WHERE {ok} \
         AND EXISTS (SELECT 1 FROM tenant_ca c WHERE c.tenant = $1 AND c.generation = $3 AND c.state = 'active') \
         AND NOT EXISTS (SELECT 1 FROM compromised_key k WHERE k.spki_sha256 = $12) \
         AND coalesce((SELECT r.version FROM issuance_rule r WHERE r.tenant = $1), 0) = $15 \
         AND NOT EXISTS (SELECT 1 FROM tenant_ca o WHERE o.ski = $16) ON CONFLICT DO NOTHING",
        params,
    )
}

/// The same for a certificate that the CA makes for its own ends, as long as it says anything at all.
pub(crate) fn intend_own(intent: &Intent) -> Statement {
    Statement::new(
        "INSERT INTO certificate (tenant, id, generation, issuer_dn, serial_decimal, serial, partition, profile, state, state_since, \
         subject, common_name, spki_sha256, not_before, not_after, intended_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'intended', $9, $10, $11, $12, $13, $14, $9, 1 WHERE {ok} \
         AND EXISTS (SELECT 1 FROM tenant_ca c WHERE c.tenant = $1 AND c.generation = $3 \
         AND c.state IN ('active', 'superseded', 'tainted', 'retiring')) ON CONFLICT DO NOTHING",
        row(intent),
    )
}

fn row(intent: &Intent) -> Vec<Value> {
    params![
        &intent.tenant,
        &intent.id,
        intent.generation,
        intent.issuer.as_str(),
        intent.serial.decimal(),
        intent.serial.to_der_bytes(),
        intent.partition,
        intent.profile.name(),
        intent.at,
        &intent.subject,
        Value::from(intent.common_name.as_deref()),
        &intent.spki_sha256,
        intent.validity.not_before,
        intent.validity.not_after
    ]
}

/// Whether a key was reported, and when.
pub(crate) fn compromised(spki_sha256: &[u8; 32]) -> Statement {
    Statement::new("SELECT since FROM compromised_key WHERE spki_sha256 = $1", params![spki_sha256])
}

/// Whether a tenant's CA, of whatever generation, has the key of this identifier.
pub(crate) fn key_of_ca(key_identifier: &[u8]) -> Statement {
    Statement::new("SELECT 1 FROM tenant_ca WHERE ski = $1", params![key_identifier])
}

/// Guard: the intent is still one, and nobody has reported its key meanwhile. Beside it the certificate and its credential are
/// stored in one statement on PostgreSQL, which takes one compare-and-set, the credential's.
pub(crate) fn still_intended(intent: &Intent) -> Statement {
    Statement::new(
        "SELECT 1 FROM certificate c WHERE c.id = $1 AND c.tenant = $2 AND c.state = 'intended' \
         AND NOT EXISTS (SELECT 1 FROM compromised_key k WHERE k.spki_sha256 = $3)",
        params![&intent.id, &intent.tenant, &intent.spki_sha256],
    )
}

/// The certificate is there: the intent becomes it.
pub(crate) fn store(intent: &Intent, state: &'static str, der: &[u8], identity: Option<&IdentityId>, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE certificate SET state = $1, state_since = $2, fingerprint = $3, der = $4, issued_at = $2, identity = $5, \
         version = version + 1 WHERE id = $6 AND tenant = $7 AND state = 'intended' AND {ok}",
        params![state, now, signet_crypto::sha256(der), der, Value::from(identity), &intent.id, &intent.tenant],
    )
}

/// A name that it vouches for.
pub(crate) fn name(intent: &Intent, name: &SubjectName) -> Statement {
    Statement::new(
        "INSERT INTO certificate_name (tenant, id, kind, value, intended_at) SELECT $1, $2, $3, $4, $5 WHERE {ok} ON CONFLICT DO NOTHING",
        params![&intent.tenant, &intent.id, name.kind(), name.value(), intent.at],
    )
}

/// What became of an intent; none when it is not there.
pub(crate) fn state_of(tenant: &TenantId, id: &CredentialId) -> Statement {
    Statement::new("SELECT state FROM certificate WHERE id = $1 AND tenant = $2", params![id, tenant])
}

/// An intent that nobody will finish: on the CRL from now on.
pub(crate) fn orphan(tenant: &TenantId, id: &CredentialId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE certificate SET state = 'orphaned', state_since = $1, version = version + 1 \
         WHERE id = $2 AND tenant = $3 AND state = 'intended' AND {ok}",
        params![now, id, tenant],
    )
}

/// Its CRL has to be made anew.
pub(crate) fn touch_partition(tenant: &TenantId, generation: i64, partition: i64) -> Statement {
    Statement::new(
        "UPDATE crl_partition SET changed = changed + 1 WHERE tenant = $1 AND generation = $2 AND number = $3 AND {ok}",
        params![tenant, generation, partition],
    )
}

macro_rules! orphans {
    ($tail:literal) => {
        concat!(
            "SELECT tenant, id, generation, partition, issuer_dn, serial_decimal, subject, intended_at, state FROM certificate WHERE ",
            $tail
        )
    };
}

/// Intents of all tenants from before `before`, oldest first.
pub(crate) fn left_behind(before: Timestamp, most: u32) -> Statement {
    Statement::new(orphans!("state = 'intended' AND intended_at < $1 ORDER BY intended_at, id LIMIT $2"), params![before, most])
}

/// The same of one tenant.
pub(crate) fn left_behind_of(tenant: &TenantId, before: Timestamp, most: u32) -> Statement {
    Statement::new(
        orphans!("tenant = $1 AND state = 'intended' AND intended_at < $2 ORDER BY intended_at, id LIMIT $3"),
        params![tenant, before, most],
    )
}

/// Intents of one CA, whatever their age.
pub(crate) fn left_behind_in(tenant: &TenantId, generation: i64, most: u32) -> Statement {
    Statement::new(
        orphans!("tenant = $1 AND generation = $2 AND state = 'intended' ORDER BY partition, id LIMIT $3"),
        params![tenant, generation, most],
    )
}

/// The orphans of a tenant, newest first.
pub(crate) fn orphans_of(tenant: &TenantId, most: u32) -> Statement {
    Statement::new(orphans!("tenant = $1 AND state = 'orphaned' ORDER BY intended_at DESC, id DESC LIMIT $2"), params![tenant, most])
}

pub(crate) fn read_orphan(row: &Row) -> Result<Orphan, DbError> {
    Ok(Orphan {
        tenant: parsed(row, 0)?,
        id: parsed(row, 1)?,
        generation: row.int(2)?,
        partition: row.int(3)?,
        issuer: row.text(4)?.to_owned(),
        serial: row.text(5)?.to_owned(),
        subject: row.text(6)?.to_owned(),
        intended_at: row.time(7)?,
    })
}

/// Certificates of a CA that can still be used, of one partition after the other.
pub(crate) fn usable_in(tenant: &TenantId, generation: i64, after: (i64, &str), most: u32) -> Statement {
    Statement::new(
        "SELECT partition, id FROM certificate WHERE tenant = $1 AND generation = $2 AND (partition > $3 OR (partition = $3 AND id > $4)) \
         AND state IN ('Inactive', 'Active', 'Suspended') AND profile <> 'ocsp' ORDER BY partition, id LIMIT $5",
        params![tenant, generation, after.0, after.1, most],
    )
}

pub(crate) fn read_usable(row: &Row) -> Result<(i64, CredentialId), DbError> {
    Ok((row.int(0)?, parsed(row, 1)?))
}
