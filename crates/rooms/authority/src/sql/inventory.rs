//! The lists of table `certificate`. Each is read along the index of what narrows it most; the other filters are looked at on the
//! way. What has no `issued_at` was never stored and stands only in the list of its state.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{CredentialId, TenantId, Timestamp};
use signet_pki::{IssuerName, Serial};

use super::{Cursor, damaged, opt_parsed, parsed};
use crate::inventory::{CertificateRow, Search, Subject};

macro_rules! columns {
    () => {
        "SELECT c.id, c.generation, c.issuer_dn, c.serial, c.profile, c.state, c.state_since, c.revocation_reason, c.subject, c.common_name, \
         c.spki_sha256, c.fingerprint, c.not_before, c.not_after, c.intended_at, c.issued_at, c.identity"
    };
}

/// $1 tenant, $2 and $3 the cursor, $4 limit, $5 state, $6 issuer, $7 identity, $8 common name, $9 subject, $10 and $11 the end's
/// bounds, $12 what the list is sought by.
macro_rules! list {
    ($from:literal, $sought:literal, $order:literal) => {
        list!($from, "c.tenant = $1", $sought, $order)
    };
    ($from:literal, $tenant:literal, $sought:literal, $order:literal) => {
        concat!(
            columns!(),
            " ",
            $from,
            " WHERE ",
            $tenant,
            " AND ",
            $sought,
            " AND (c.state = $5 OR $5 IS NULL) AND (c.issuer_dn = $6 OR $6 IS NULL) AND (c.identity = $7 OR $7 IS NULL) \
             AND (c.common_name = $8 OR $8 IS NULL) AND (c.subject = $9 OR $9 IS NULL) AND c.not_after >= $10 AND c.not_after <= $11 ",
            $order
        )
    };
    (newest $sought:literal) => {
        list!("FROM certificate c", $sought, "ORDER BY c.intended_at DESC, c.id DESC LIMIT $4")
    };
    // Few ids, looked up by themselves: SQLite would read all of the tenant, which it takes for fewer rows, if the tenant were a column.
    (few $sought:literal) => {
        list!("FROM certificate c", "c.tenant || '' = $1", $sought, "ORDER BY c.intended_at DESC, c.id DESC LIMIT $4")
    };
}

/// A page of a list.
pub(crate) fn page(tenant: &TenantId, search: &Search, now: Timestamp, after: &Cursor, limit: u32) -> Statement {
    let (from, to) = search.ends(now).unwrap_or((Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX)));
    let (common_name, subject) = match &search.subject {
        None => (None, None),
        Some(Subject::Common(name)) => (Some(name.clone()), None),
        Some(Subject::Whole(name, common)) => (common.clone(), Some(name.as_str().to_owned())),
    };
    let (text, sought): (&'static str, Option<Value>) = if let Some(serial) = &search.serial {
        // A serial number is unique under its issuer: the tenant's own CA, whatever its generation, or the CA of a foreign one.
        (
            list!(
                few "(c.intended_at, c.id) < ($2, $3) AND c.id IN (SELECT o.id FROM certificate o JOIN tenant_ca t ON t.tenant = $1 \
                 AND o.issuer_dn = t.subject WHERE o.serial_decimal = $12 UNION SELECT f.id FROM certificate f WHERE f.tenant = $1 \
                 AND f.generation = 0 AND f.serial_decimal = $12)"
            ),
            Some(Value::from(serial.decimal())),
        )
    } else if let Some(fingerprint) = &search.fingerprint {
        (
            list!(
                few "(c.intended_at, c.id) < ($2, $3) AND c.id IN (SELECT o.id FROM certificate o WHERE o.fingerprint = $12 \
                 UNION SELECT k.id FROM certificate k WHERE k.spki_sha256 = $12)"
            ),
            Some(Value::from(fingerprint)),
        )
    } else if let Some(name) = &search.name {
        (
            list!(
                "FROM certificate_name n JOIN certificate c ON c.id = n.id",
                "n.tenant = $1 AND n.value = $12 AND (n.intended_at, n.id) < ($2, $3)",
                "ORDER BY n.intended_at DESC, n.id DESC LIMIT $4"
            ),
            Some(Value::from(name)),
        )
    } else if search.identity.is_some() {
        (list!(newest "c.issued_at IS NOT NULL AND c.identity = $7 AND (c.intended_at, c.id) < ($2, $3)"), None)
    } else if common_name.is_some() {
        (list!(newest "c.issued_at IS NOT NULL AND c.common_name = $8 AND (c.intended_at, c.id) < ($2, $3)"), None)
    } else if subject.is_some() {
        (list!(newest "c.issued_at IS NOT NULL AND c.common_name IS NULL AND (c.intended_at, c.id) < ($2, $3)"), None)
    } else if search.by_end() {
        (
            list!(
                "FROM certificate c",
                "c.issued_at IS NOT NULL AND (c.not_after, c.id) > ($2, $3)",
                "ORDER BY c.not_after, c.id LIMIT $4"
            ),
            None,
        )
    } else if search.state.is_some() {
        (list!(newest "c.state = $5 AND (c.intended_at, c.id) < ($2, $3)"), None)
    } else {
        (list!(newest "c.issued_at IS NOT NULL AND (c.intended_at, c.id) < ($2, $3)"), None)
    };
    let mut params = params![
        tenant,
        after.at,
        &after.id,
        limit,
        Value::from(search.state),
        Value::from(search.issuer.as_ref().map(IssuerName::as_str)),
        Value::from(search.identity.as_ref()),
        Value::from(common_name.as_deref()),
        Value::from(subject.as_deref()),
        from,
        to
    ];
    params.extend(sought);
    Statement::new(text, params)
}

/// One with its bytes.
pub(crate) fn find(tenant: &TenantId, id: &CredentialId) -> Statement {
    Statement::new(concat!(columns!(), ", c.der FROM certificate c WHERE c.id = $1 AND c.tenant = $2"), params![id, tenant])
}

/// Its names.
pub(crate) fn names(tenant: &TenantId, id: &CredentialId) -> Statement {
    Statement::new("SELECT kind, value FROM certificate_name WHERE id = $1 AND tenant = $2 ORDER BY kind, value", params![id, tenant])
}

pub(crate) fn read(row: &Row) -> Result<CertificateRow, DbError> {
    Ok(CertificateRow {
        id: parsed(row, 0)?,
        generation: row.int(1)?,
        issuer: row.text(2)?.to_owned(),
        serial: Serial::from_der_bytes(row.bytes(3)?).map_err(|error| damaged(3, &error))?,
        profile: row.text(4)?.to_owned(),
        state: row.text(5)?.to_owned(),
        state_since: row.time(6)?,
        revocation_reason: row.opt_text(7)?.map(str::to_owned),
        subject: row.text(8)?.to_owned(),
        common_name: row.opt_text(9)?.map(str::to_owned),
        spki_sha256: row.bytes(10)?.to_vec(),
        fingerprint: row.opt_bytes(11)?.map(<[u8]>::to_vec),
        not_before: row.time(12)?,
        not_after: row.time(13)?,
        intended_at: row.time(14)?,
        issued_at: row.opt_time(15)?,
        identity: opt_parsed(row, 16)?,
    })
}

pub(crate) fn read_whole(row: &Row) -> Result<(CertificateRow, Option<Vec<u8>>), DbError> {
    Ok((read(row)?, row.opt_bytes(17)?.map(<[u8]>::to_vec)))
}
