//! What happens to a certificate after it was issued: its state, the keys that are refused for good.
//!
//! Every move is two statements, in this order: the partition's counter, which looks at the state that was, and the state. On
//! PostgreSQL both may be parts of one statement and then see the same rows; on SQLite they run one after the other.

use signet_db::{DbError, Row, Sql, Statement, params};
use signet_model::{CredentialId, CredentialState, TenantId, Timestamp};

use super::opt_parsed;
use crate::status::{CertificateState, Status};

/// The partition's counter moves if this move changes what a CRL says of the certificate. Inactive and Active are both not on it.
pub(crate) fn mark_partition(tenant: &TenantId, id: &CredentialId, to: CredentialState) -> Statement {
    Statement::new(
        "UPDATE crl_partition SET changed = changed + 1 WHERE (tenant, generation, number) IN \
         (SELECT c.tenant, c.generation, c.partition FROM certificate c WHERE c.id = $1 AND c.tenant = $2 AND c.state <> $3 \
         AND c.state IN ('Inactive', 'Active', 'Suspended') AND NOT (c.state = 'Inactive' AND $3 = 'Active')) AND {ok}",
        params![id, tenant, to.as_str()],
    )
}

/// The state itself. What was never issued and what is revoked does not move.
pub(crate) fn move_one(tenant: &TenantId, id: &CredentialId, to: CredentialState, reason: Option<&str>, at: Timestamp) -> Statement {
    Statement::new(
        "UPDATE certificate SET state = $1, state_since = $2, revocation_reason = $3, version = version + 1 \
         WHERE id = $4 AND tenant = $5 AND state IN ('Inactive', 'Active', 'Suspended') AND {ok}",
        params![to.as_str(), at, signet_db::Value::from(reason), id, tenant],
    )
}

/// The same for many at once; `ids` is a JSON array of their ids. A `+` keeps SQLite from an index over the whole tenant.
pub(crate) fn mark_partitions(tenant: &TenantId, ids: &str, to: CredentialState) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "UPDATE crl_partition SET changed = changed + 1 WHERE (tenant, generation, number) IN \
                     (SELECT c.tenant, c.generation, c.partition FROM certificate c \
                     WHERE c.id IN (SELECT value FROM json_each($1)) AND +c.tenant = $2 AND +c.state <> $3 \
                     AND +c.state IN ('Inactive', 'Active', 'Suspended') AND NOT (c.state = 'Inactive' AND $3 = 'Active')) AND {ok}",
            postgres: "UPDATE crl_partition SET changed = changed + 1 WHERE (tenant, generation, number) IN \
                       (SELECT c.tenant, c.generation, c.partition FROM certificate c \
                       WHERE c.id IN (SELECT json_array_elements_text($1::text::json)) AND c.tenant = $2 AND c.state <> $3 \
                       AND c.state IN ('Inactive', 'Active', 'Suspended') AND NOT (c.state = 'Inactive' AND $3 = 'Active')) AND {ok}",
        },
        params![ids, tenant, to.as_str()],
    )
}

/// The states of many.
pub(crate) fn move_many(tenant: &TenantId, ids: &str, to: CredentialState, reason: Option<&str>, at: Timestamp) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "UPDATE certificate SET state = $1, state_since = $2, revocation_reason = $3, version = version + 1 \
                     WHERE id IN (SELECT value FROM json_each($4)) AND +tenant = $5 \
                     AND +state IN ('Inactive', 'Active', 'Suspended') AND {ok}",
            postgres: "UPDATE certificate SET state = $1, state_since = $2, revocation_reason = $3, version = version + 1 \
                       WHERE id IN (SELECT json_array_elements_text($4::text::json)) AND tenant = $5 \
                       AND state IN ('Inactive', 'Active', 'Suspended') AND {ok}",
        },
        params![to.as_str(), at, signet_db::Value::from(reason), ids, tenant],
    )
}

/// The partition's counter moves if a certificate that is revoked gets another reason.
pub(crate) fn mark_report(tenant: &TenantId, id: &CredentialId, reason: &'static str) -> Statement {
    Statement::new(
        "UPDATE crl_partition SET changed = changed + 1 WHERE (tenant, generation, number) IN \
         (SELECT c.tenant, c.generation, c.partition FROM certificate c WHERE c.id = $1 AND c.tenant = $2 AND c.state = 'Revoked' \
         AND coalesce(c.revocation_reason, '') <> $3) AND {ok}",
        params![id, tenant, reason],
    )
}

/// The other reason itself; since when it is revoked stays.
pub(crate) fn report(tenant: &TenantId, id: &CredentialId, reason: &'static str) -> Statement {
    Statement::new(
        "UPDATE certificate SET revocation_reason = $1, version = version + 1 \
         WHERE id = $2 AND tenant = $3 AND state = 'Revoked' AND coalesce(revocation_reason, '') <> $4 AND {ok}",
        params![reason, id, tenant, reason],
    )
}

/// Certificates of the tenant over a key that can still be used.
pub(crate) fn usable_with_key(tenant: &TenantId, spki_sha256: &[u8; 32], most: u32) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "SELECT id FROM certificate WHERE spki_sha256 = $1 AND +tenant = $2 AND +state IN ('Inactive', 'Active', 'Suspended') \
                     AND profile <> 'ocsp' ORDER BY +id LIMIT $3",
            postgres: "SELECT id FROM certificate WHERE spki_sha256 = $1 AND tenant = $2 AND state IN ('Inactive', 'Active', 'Suspended') \
                       AND profile <> 'ocsp' ORDER BY id LIMIT $3",
        },
        params![spki_sha256, tenant, most],
    )
}

/// A key that nothing is issued for any more, whoever asks.
pub(crate) fn refuse_key(tenant: &TenantId, spki_sha256: &[u8; 32], at: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO compromised_key (spki_sha256, tenant, since) SELECT $1, $2, $3 WHERE {ok} ON CONFLICT DO NOTHING",
        params![spki_sha256.to_vec(), tenant, at],
    )
}

/// What became of a serial number of an issuer.
pub(crate) fn of_serial(issuer_dn: &str, serial_decimal: &str) -> Statement {
    Statement::new(
        "SELECT tenant, generation, state, state_since, revocation_reason FROM certificate WHERE issuer_dn = $1 AND serial_decimal = $2",
        params![issuer_dn, serial_decimal],
    )
}

/// Of which CA it is, and what became of it.
pub(crate) fn read_of_serial(row: &Row) -> Result<(TenantId, i64, Status), DbError> {
    let state: CertificateState = super::parsed(row, 2)?;
    Ok((super::parsed(row, 0)?, row.int(1)?, Status { state, since: row.time(3)?, reason: opt_parsed(row, 4)? }))
}
