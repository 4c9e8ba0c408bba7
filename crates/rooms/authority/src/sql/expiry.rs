//! Certificates that end: who has to be told, how many in which week, and what may be forgotten.

use std::time::Duration;

use signet_db::{DbError, Row, Sql, Statement, params};
use signet_model::{TenantId, Timestamp};

/// How far a level of alarm has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What ends by then was told of.
    pub(crate) to: Timestamp,
    /// Of what ends at that very instant, up to this id.
    pub(crate) id: String,
    /// Grows with each step.
    pub(crate) version: i64,
}

/// A certificate that ends soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) tenant: TenantId,
    pub(crate) id: String,
    pub(crate) issuer_dn: String,
    pub(crate) serial_decimal: String,
    pub(crate) subject: String,
    pub(crate) identity: Option<String>,
    pub(crate) not_after: Timestamp,
}

pub(crate) fn told(kind: &'static str, days: i64) -> Statement {
    Statement::new("SELECT told_to, told_id, version FROM alarm WHERE kind = $1 AND days = $2", params![kind, days])
}

pub(crate) fn read_told(row: &Row) -> Result<Told, DbError> {
    Ok(Told { to: row.time(0)?, id: row.text(1)?.to_owned(), version: row.int(2)? })
}

pub(crate) fn begin(kind: &'static str, days: i64, to: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO alarm (kind, days, told_to, told_id, version) SELECT $1, $2, $3, '', 1 WHERE {ok} ON CONFLICT DO NOTHING",
        params![kind, days, to],
    )
}

/// The compare-and-set of a step.
pub(crate) fn tell(kind: &'static str, days: i64, former: &Told, to: Timestamp, id: &str) -> Statement {
    Statement::new(
        "UPDATE alarm SET told_to = $1, told_id = $2, version = version + 1 WHERE kind = $3 AND days = $4 AND version = $5 AND {ok}",
        params![to, id, kind, days, former.version],
    )
}

/// Certificates that end behind `after` and by `until`, and that were made for longer than `level`; the first to end first.
pub(crate) fn certificates(after: (Timestamp, &str), until: Timestamp, level: Duration, limit: u32) -> Statement {
    let level = i64::try_from(level.as_micros()).unwrap_or(i64::MAX);
    Statement::new(
        "SELECT tenant, id, issuer_dn, serial_decimal, subject, identity, not_after FROM certificate \
         WHERE issued_at IS NOT NULL AND (not_after, id) > ($1, $2) AND not_after <= $3 \
         AND state IN ('Inactive', 'Active', 'Suspended') AND profile <> 'ocsp' AND not_after - issued_at > $4 \
         ORDER BY not_after, id LIMIT $5",
        params![after.0, after.1, until, level, limit],
    )
}

pub(crate) fn read_certificate(row: &Row) -> Result<Ending, DbError> {
    Ok(Ending {
        tenant: super::parsed(row, 0)?,
        id: row.text(1)?.to_owned(),
        issuer_dn: row.text(2)?.to_owned(),
        serial_decimal: row.text(3)?.to_owned(),
        subject: row.text(4)?.to_owned(),
        identity: row.opt_text(5)?.map(str::to_owned),
        not_after: row.time(6)?,
    })
}

/// How many usable certificates end between two instants, over all tenants.
pub(crate) fn number(from: Timestamp, until: Timestamp) -> Statement {
    Statement::new(
        "SELECT count(*) FROM certificate WHERE issued_at IS NOT NULL AND not_after > $1 AND not_after <= $2 \
         AND state IN ('Inactive', 'Active', 'Suspended') AND profile <> 'ocsp'",
        params![from, until],
    )
}

/// How many CAs of tenants end between two instants and issue until then.
pub(crate) fn number_of_cas(from: Timestamp, until: Timestamp) -> Statement {
    Statement::new("SELECT count(*) FROM tenant_ca WHERE not_after > $1 AND not_after <= $2 AND state = 'active'", params![from, until])
}

/// Of a tenant, how many unrevoked certificates end in each stretch of `width` from `from` on, before `until`. Read from the index
/// alone.
pub(crate) fn forecast(tenant: &TenantId, from: Timestamp, stretches: u32, width: Duration) -> Statement {
    let width = i64::try_from(width.as_micros()).unwrap_or(i64::MAX);
    Statement::new(
        "WITH RECURSIVE stretch(number) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT number + 1 FROM stretch WHERE number + 1 < $1) \
         SELECT number, (SELECT count(*) FROM certificate WHERE tenant = $2 AND issued_at IS NOT NULL \
         AND not_after >= $3 + number * $4 AND not_after < $3 + (number + 1) * $4 AND state <> 'Revoked' AND profile <> 'ocsp') FROM stretch",
        params![stretches, tenant, from, width],
    )
}

macro_rules! on_a_later_list {
    () => {
        "EXISTS (SELECT 1 FROM crl_partition p JOIN tenant_ca a ON a.tenant = p.tenant AND a.generation = p.generation \
         WHERE p.tenant = c.tenant AND p.generation = c.generation AND p.number = c.partition \
         AND (p.this_update > c.not_after OR a.state = 'retired'))"
    };
}

/// Certificates that ended before `before` and that no list has to name any more, at most `limit`; their ids. The last list of a CA
/// that was retired names its certificates for ever; foreign ones (generation 0) stand on no list of ours.
pub(crate) fn forgettable(before: Timestamp, limit: u32) -> Statement {
    Statement::new(
        concat!(
            "SELECT c.id FROM certificate c WHERE c.not_after < $1 AND c.issued_at IS NOT NULL \
             AND (c.state IN ('Inactive', 'Active') OR c.generation = 0 OR ",
            on_a_later_list!(),
            ") ORDER BY c.not_after LIMIT $2"
        ),
        params![before, limit],
    )
}

/// The same for what was never issued.
pub(crate) fn forgettable_orphans(before: Timestamp, limit: u32) -> Statement {
    Statement::new(
        concat!(
            "SELECT c.id FROM certificate c WHERE c.state = 'orphaned' AND c.not_after < $1 AND ",
            on_a_later_list!(),
            " ORDER BY c.not_after LIMIT $2"
        ),
        params![before, limit],
    )
}

/// Removes certificates; `ids` is a JSON array. The condition is asked for once more.
pub(crate) fn forget(ids: &str, before: Timestamp) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "DELETE FROM certificate WHERE id IN (SELECT value FROM json_each($1)) AND not_after < $2 AND {ok}",
            postgres: "DELETE FROM certificate WHERE id IN (SELECT json_array_elements_text($1::text::json)) AND not_after < $2 AND {ok}",
        },
        params![ids, before],
    )
}

/// Removes their names.
pub(crate) fn forget_names(ids: &str) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "DELETE FROM certificate_name WHERE id IN (SELECT value FROM json_each($1)) AND {ok}",
            postgres: "DELETE FROM certificate_name WHERE id IN (SELECT json_array_elements_text($1::text::json)) AND {ok}",
        },
        params![ids],
    )
}
