//! Certificates in the table `credential`.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{CredentialId, CredentialState, Enabled, IdentityId, TenantId, Timestamp};

use super::{opt_parsed, parsed};
use crate::certificate::Certificate;

/// Whether a credential has this issuer and serial number, in whatever tenant.
pub(crate) fn taken(issuer: &str, serial: &str) -> Statement {
    Statement::new("SELECT 1 FROM credential WHERE serial_decimal = $1 AND issuer_dn = $2 AND kind = 'x509'", params![serial, issuer])
}

pub(crate) fn insert(
    tenant: &TenantId,
    id: &CredentialId,
    certificate: &Certificate,
    identity: Option<&IdentityId>,
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO credential (tenant, id, identity, kind, state, issuer_dn, serial_decimal, spki_sha256, common_name, not_before, \
         not_after, anchor, created_at, updated_at, version) \
         SELECT $1, $2, $3, 'x509', 'Inactive', $4, $5, $6, $7, $8, $9, $10, $11, $12, 1 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            tenant,
            id,
            identity,
            certificate.issuer.as_str(),
            certificate.serial.as_str(),
            &certificate.spki_sha256,
            certificate.common_name.as_deref(),
            certificate.not_before,
            certificate.not_after,
            certificate.anchor.as_deref(),
            now,
            now
        ],
    )
}

/// What a check needs of a certificate, in one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownCertificate {
    pub(crate) tenant: TenantId,
    pub(crate) tenant_state: Enabled,
    pub(crate) id: CredentialId,
    pub(crate) state: CredentialState,
    pub(crate) spki_sha256: [u8; 32],
    pub(crate) not_after: Timestamp,
    pub(crate) identity: Option<(IdentityId, Enabled)>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) version: i64,
}

/// Names no tenant, as a request of 22/CAP names none: the tenant is what it finds. Sub-selects in place of joins leave a planner no
/// choice but to look each of them up by its key.
pub(crate) fn look_up(issuer: &str, serial: &str) -> Statement {
    Statement::new(
        "SELECT c.tenant, (SELECT t.state FROM tenant t WHERE t.id = c.tenant), c.id, c.state, c.spki_sha256, c.not_after, c.identity, \
         (SELECT i.state FROM identity i WHERE i.id = c.identity AND i.tenant = c.tenant), c.last_used_at, c.version FROM credential c \
         WHERE c.serial_decimal = $1 AND c.issuer_dn = $2 AND c.kind = 'x509'",
        params![serial, issuer],
    )
}

pub(crate) fn read_look_up(row: &Row) -> Result<KnownCertificate, DbError> {
    let identity = match opt_parsed(row, 6)? {
        // An identity that is not there any more lets nobody in, and a tenant neither.
        Some(identity) => Some((identity, opt_parsed(row, 7)?.unwrap_or(Enabled::Disabled))),
        None => None,
    };
    Ok(KnownCertificate {
        tenant: parsed(row, 0)?,
        tenant_state: opt_parsed(row, 1)?.unwrap_or(Enabled::Disabled),
        id: parsed(row, 2)?,
        state: parsed(row, 3)?,
        spki_sha256: hash(row, 4)?,
        not_after: row.time(5)?,
        identity,
        last_used_at: row.opt_time(8)?,
        version: row.int(9)?,
    })
}

/// The compare-and-set of the first use: `updated_at` stays, and neither a suspension, nor the end of its validity, nor a disabled
/// identity or tenant is run over.
pub(crate) fn activate(known: &KnownCertificate, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET state = 'Active', last_used_at = $1, version = version + 1 \
         WHERE id = $2 AND tenant = $3 AND state = 'Inactive' AND version = $4 AND kind = 'x509' AND not_after > $5 AND {ok} \
         AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = credential.tenant AND t.state = 'enabled') \
         AND (identity IS NULL OR EXISTS \
         (SELECT 1 FROM identity i WHERE i.id = credential.identity AND i.tenant = credential.tenant AND i.state = 'enabled'))",
        params![now, &known.id, &known.tenant, known.version, now],
    )
}

/// The certificate of a row whose columns from `first` on are: issuer, serial, key, common name, both dates, anchor. None for a row
/// of another kind.
pub(crate) fn read(row: &Row, first: usize) -> Result<Option<Box<Certificate>>, DbError> {
    let at = |place: usize| first.saturating_add(place);
    let (Some(issuer), Some(serial)) = (row.opt_text(at(0))?, row.opt_text(at(1))?) else { return Ok(None) };
    Ok(Some(Box::new(Certificate {
        issuer: issuer.to_owned(),
        serial: serial.to_owned(),
        spki_sha256: hash(row, at(2))?,
        common_name: row.opt_text(at(3))?.map(str::to_owned),
        not_before: row.time(at(4))?,
        not_after: row.time(at(5))?,
        anchor: row.opt_text(at(6))?.map(str::to_owned),
    })))
}

/// A SHA-256 as stored.
pub(crate) fn hash(row: &Row, column: usize) -> Result<[u8; 32], DbError> {
    row.bytes(column)?.try_into().map_err(|_| DbError::Internal(format!("column {column} of a row: no SHA-256")))
}
