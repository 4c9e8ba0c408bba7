//! Table `anchor`, and the certificates that anchors vouch for.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{AnchorId, CredentialId, IdentityId, TenantId, Timestamp};
use signet_pki::{CertificateFacts, FoundName};

use super::{Cursor, damaged, parsed};
use crate::anchors::StoredAnchor;
use crate::vouching::Pattern;

/// Whether a CA of ours has this name.
pub(crate) fn is_ours(subject: &str) -> Statement {
    Statement::new(
        "SELECT 1 FROM (SELECT subject FROM tenant_ca WHERE subject = $1 UNION SELECT subject FROM platform_ca WHERE subject = $1) AS ours \
         LIMIT 1",
        params![subject],
    )
}

pub(crate) fn insert(tenant: &TenantId, anchor: &StoredAnchor) -> Statement {
    let names: Vec<String> = anchor.names.iter().map(ToString::to_string).collect();
    Statement::new(
        "INSERT INTO anchor (tenant, id, subject, certificate, fingerprint, names, allow_v1_leaf, not_before, not_after, created_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            tenant,
            &anchor.id,
            &anchor.subject,
            &anchor.certificate[..],
            signet_crypto::sha256(&anchor.certificate),
            serde_json::Value::from(names).to_string(),
            anchor.allow_v1_leaf,
            anchor.not_before,
            anchor.not_after,
            anchor.created_at
        ],
    )
}

macro_rules! select {
    ($tail:literal) => {
        concat!("SELECT id, subject, certificate, names, allow_v1_leaf, not_before, not_after, created_at FROM anchor ", $tail)
    };
}

pub(crate) fn newest(tenant: &TenantId, after: &Cursor, limit: u32) -> Statement {
    Statement::new(
        select!("WHERE tenant = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4"),
        params![tenant, after.at, &after.id, limit],
    )
}

pub(crate) fn find(tenant: &TenantId, id: &AnchorId) -> Statement {
    Statement::new(select!("WHERE id = $1 AND tenant = $2"), params![id, tenant])
}

pub(crate) fn delete(tenant: &TenantId, id: &AnchorId) -> Statement {
    Statement::new("DELETE FROM anchor WHERE id = $1 AND tenant = $2 AND {ok}", params![id, tenant])
}

/// Every one of a tenant.
pub(crate) fn delete_all(tenant: &TenantId) -> Statement {
    Statement::new("DELETE FROM anchor WHERE tenant = $1 AND {ok}", params![tenant])
}

/// Certificates behind `after` that an anchor vouches for and that can still be used.
pub(crate) fn usable(tenant: &TenantId, id: &AnchorId, after: &str, most: u32) -> Statement {
    Statement::new(
        "SELECT id FROM certificate WHERE tenant = $1 AND anchor = $2 AND id > $3 AND state IN ('Inactive', 'Active', 'Suspended') \
         ORDER BY id LIMIT $4",
        params![tenant, id, after, most],
    )
}

pub(crate) fn read(row: &Row) -> Result<StoredAnchor, DbError> {
    let names: Vec<String> = serde_json::from_str(row.text(3)?).map_err(|error| damaged(3, &error))?;
    let names = names.iter().map(|text| text.parse::<Pattern>().map_err(|why| damaged(3, &why))).collect::<Result<_, _>>()?;
    Ok(StoredAnchor {
        id: parsed(row, 0)?,
        subject: row.text(1)?.to_owned(),
        certificate: row.bytes(2)?.to_vec(),
        names,
        allow_v1_leaf: row.int(4)? != 0,
        not_before: row.time(5)?,
        not_after: row.time(6)?,
        created_at: row.time(7)?,
    })
}

/// A certificate that an anchor vouches for. It must still be so that the anchor is there, that nobody reported its key, and that
/// its issuer's name is that of no CA of ours.
pub(crate) fn import(
    tenant: &TenantId,
    id: &CredentialId,
    (facts, der): (&CertificateFacts, &[u8]),
    anchor: &AnchorId,
    identity: Option<&IdentityId>,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO certificate (tenant, id, generation, issuer_dn, serial_decimal, serial, partition, profile, state, state_since, \
         subject, common_name, spki_sha256, fingerprint, der, not_before, not_after, intended_at, issued_at, identity, anchor, version) \
         SELECT $1, $2, 0, $3, $4, $5, -1, 'foreign', 'Inactive', $6, $7, $8, $9, $10, $11, $12, $13, $6, $6, $14, $15, 1 WHERE {ok} \
         AND EXISTS (SELECT 1 FROM anchor a WHERE a.tenant = $1 AND a.id = $15) \
         AND NOT EXISTS (SELECT 1 FROM compromised_key k WHERE k.spki_sha256 = $9) \
         AND NOT EXISTS (SELECT 1 FROM tenant_ca t WHERE t.subject = $3) ON CONFLICT DO NOTHING",
        params![
            tenant,
            id,
            facts.issuer_name.as_str(),
            facts.serial.decimal(),
            facts.serial.to_der_bytes(),
            now,
            facts.subject.canonical().as_str(),
            Value::from(facts.subject.common_name()),
            facts.spki_sha256,
            facts.fingerprint,
            der,
            facts.not_before,
            facts.not_after,
            Value::from(identity),
            anchor
        ],
    )
}

/// A name that it has.
pub(crate) fn import_name(tenant: &TenantId, id: &CredentialId, name: &FoundName, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO certificate_name (tenant, id, kind, value, intended_at) SELECT $1, $2, $3, $4, $5 WHERE {ok} ON CONFLICT DO NOTHING",
        params![tenant, id, &name.kind, &name.value, now],
    )
}

/// Whether a certificate of that issuer and number is known, to whomever.
pub(crate) fn known(facts: &CertificateFacts) -> Statement {
    Statement::new(
        "SELECT 1 FROM certificate WHERE issuer_dn = $1 AND serial_decimal = $2",
        params![facts.issuer_name.as_str(), facts.serial.decimal()],
    )
}
