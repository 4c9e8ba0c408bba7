//! Tables `crl_partition` and `crl`.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{TenantId, Timestamp};

use crate::rotation::CaState;

/// Which CRL: of a tenant, of a generation of its CA, by number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PartitionKey {
    pub(crate) tenant: TenantId,
    pub(crate) generation: i64,
    pub(crate) number: i64,
}

/// What the table holds of a partition and of its CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Grows with each change of a member.
    pub(crate) changed: i64,
    /// What of that the stored CRL holds.
    pub(crate) published: i64,
    /// The stored CRL's number; 0: there is none.
    pub(crate) crl_number: i64,
    /// The stored CRL's date.
    pub(crate) this_update: Option<Timestamp>,
    /// Until when it holds.
    pub(crate) next_update: Option<Timestamp>,
    /// Where the CA stands.
    pub(crate) ca: CaState,
    /// Below which address its members look for the CRL; none in one from before that was recorded.
    pub(crate) base: Option<String>,
}

/// The partition, if there is one and its CA has a certificate.
pub(crate) fn find(key: &PartitionKey) -> Statement {
    Statement::new(
        "SELECT p.changed, p.published, p.crl_number, p.this_update, p.next_update, a.state, p.base FROM crl_partition p \
         JOIN tenant_ca a ON a.tenant = p.tenant AND a.generation = p.generation AND a.certificate IS NOT NULL \
         WHERE p.tenant = $1 AND p.generation = $2 AND p.number = $3",
        params![&key.tenant, key.generation, key.number],
    )
}

pub(crate) fn read(row: &Row) -> Result<Partition, DbError> {
    Ok(Partition {
        changed: row.int(0)?,
        published: row.int(1)?,
        crl_number: row.int(2)?,
        this_update: row.opt_time(3)?,
        next_update: row.opt_time(4)?,
        ca: super::parsed(row, 5)?,
        base: row.opt_text(6)?.map(str::to_owned),
    })
}

/// The stored CRL: its number and its bytes.
pub(crate) fn stored(key: &PartitionKey) -> Statement {
    Statement::new(
        "SELECT crl_number, der FROM crl WHERE tenant = $1 AND generation = $2 AND number = $3",
        params![&key.tenant, key.generation, key.number],
    )
}

/// What stands on the partition's CRL: every member that is revoked, suspended or orphaned and that has not expired before
/// `expired_before`. No limit: a CRL that leaves something out would be a lie; the partition's size is the bound.
pub(crate) fn listed(key: &PartitionKey, expired_before: Timestamp) -> Statement {
    Statement::new(
        "SELECT serial, state, state_since, revocation_reason FROM certificate WHERE tenant = $1 AND generation = $2 \
         AND partition = $3 AND state IN ('Revoked', 'Suspended', 'orphaned') AND not_after >= $4",
        params![&key.tenant, key.generation, key.number, expired_before],
    )
}

/// When the last member expires.
pub(crate) fn last_expiry(key: &PartitionKey) -> Statement {
    Statement::new(
        "SELECT max(not_after) FROM certificate WHERE tenant = $1 AND generation = $2 AND partition = $3",
        params![&key.tenant, key.generation, key.number],
    )
}

/// A member that could still be used, or come to be. A CA's last CRL must leave none; its own OCSP responders, whose certificates
/// are short-lived and are not asked about (RFC 6960 section 4.2.2.2.1), go on for their few days.
pub(crate) fn unrevoked(key: &PartitionKey, now: Timestamp) -> Statement {
    Statement::new(
        "SELECT id FROM certificate WHERE tenant = $1 AND generation = $2 AND partition = $3 \
         AND state IN ('intended', 'Inactive', 'Active', 'Suspended') AND not_after >= $4 AND profile <> 'ocsp' LIMIT 1",
        params![&key.tenant, key.generation, key.number, now],
    )
}

/// A CRL that was signed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    pub(crate) published: i64,
    pub(crate) crl_number: i64,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    pub(crate) der: &'a [u8],
}

/// The compare-and-set of the next CRL: the number that was read must still be the last one, and the CA must still sign.
pub(crate) fn publish(key: &PartitionKey, former_number: i64, signed: &Signed<'_>) -> Statement {
    Statement::new(
        "UPDATE crl_partition SET published = $1, crl_number = $2, this_update = $3, next_update = $4, version = version + 1 \
         WHERE tenant = $5 AND generation = $6 AND number = $7 AND crl_number = $8 AND {ok} AND EXISTS (SELECT 1 FROM tenant_ca a \
         WHERE a.tenant = crl_partition.tenant AND a.generation = crl_partition.generation \
         AND a.state IN ('active', 'superseded', 'tainted', 'retiring'))",
        params![
            signed.published,
            signed.crl_number,
            signed.this_update,
            signed.next_update,
            &key.tenant,
            key.generation,
            key.number,
            former_number
        ],
    )
}

/// Stores the bytes in place of the former ones.
pub(crate) fn store(key: &PartitionKey, signed: &Signed<'_>) -> Statement {
    Statement::new(
        "INSERT INTO crl (tenant, generation, number, crl_number, der) SELECT $1, $2, $3, $4, $5 WHERE {ok} \
         ON CONFLICT (tenant, generation, number) DO UPDATE SET crl_number = excluded.crl_number, der = excluded.der",
        params![&key.tenant, key.generation, key.number, signed.crl_number, signed.der.to_vec()],
    )
}

/// Behind this one; none: from the first.
fn place(after: Option<&PartitionKey>) -> (&str, i64, i64) {
    after.map_or(("", 0, 0), |key| (key.tenant.as_str(), key.generation, key.number))
}

/// The next partitions behind `after` with changes that no CRL holds yet. The order of a CROSS JOIN binds SQLite: the few partitions
/// first, not the many CAs.
pub(crate) fn changed(after: Option<&PartitionKey>, limit: u32) -> Statement {
    let (tenant, generation, number) = place(after);
    Statement::new(
        "SELECT p.tenant, p.generation, p.number FROM crl_partition p CROSS JOIN tenant_ca a \
         WHERE a.tenant = p.tenant AND a.generation = p.generation AND p.changed <> p.published AND (p.tenant, p.generation, p.number) > ($1, $2, $3) \
         AND a.state IN ('active', 'superseded', 'tainted', 'retiring') ORDER BY p.tenant, p.generation, p.number LIMIT $4",
        params![tenant, generation, number, limit],
    )
}

/// The next partitions behind `after` whose CRL ends before `before`, the most urgent first.
pub(crate) fn due(before: Timestamp, after: Option<&(Timestamp, PartitionKey)>, limit: u32) -> Statement {
    let (tenant, generation, number) = place(after.map(|(_, key)| key));
    let end = after.map_or(Timestamp::from_micros(i64::MIN), |(end, _)| *end);
    Statement::new(
        "SELECT p.tenant, p.generation, p.number, p.next_update FROM crl_partition p CROSS JOIN tenant_ca a \
         WHERE a.tenant = p.tenant AND a.generation = p.generation AND p.next_update < $1 AND p.next_update IS NOT NULL AND (p.next_update, p.tenant, p.generation, p.number) > ($2, $3, $4, $5) \
         AND a.state IN ('active', 'superseded', 'tainted', 'retiring') \
         ORDER BY p.next_update, p.tenant, p.generation, p.number LIMIT $6",
        params![before, end, tenant, generation, number, limit],
    )
}

pub(crate) fn read_due(row: &Row) -> Result<(Timestamp, PartitionKey), DbError> {
    Ok((row.time(3)?, read_key(row)?))
}

pub(crate) fn read_key(row: &Row) -> Result<PartitionKey, DbError> {
    Ok(PartitionKey { tenant: super::parsed(row, 0)?, generation: row.int(1)?, number: row.int(2)? })
}

/// Every partition of a generation behind `after`.
pub(crate) fn of_generation(tenant: &TenantId, generation: i64, after: i64, limit: u32) -> Statement {
    Statement::new(
        "SELECT tenant, generation, number FROM crl_partition WHERE tenant = $1 AND generation = $2 AND number > $3 \
         ORDER BY number LIMIT $4",
        params![tenant, generation, after, limit],
    )
}

/// When the first of the needed CRLs ends.
pub(crate) fn first_end() -> Statement {
    Statement::new("SELECT min(next_update) FROM crl_partition WHERE next_update IS NOT NULL", params![])
}

/// Upkeep: partitions whose members all ended before `ended_before`, and whose CRL is newer or the last one of its CA, need no CRL of
/// their own accord any more. One that is asked for is signed all the same, as long as there is a key.
pub(crate) fn rest(ended_before: Timestamp) -> Statement {
    Statement::new(
        "UPDATE crl_partition SET next_update = NULL WHERE next_update IS NOT NULL \
         AND ((changed = published AND this_update >= $1) OR EXISTS (SELECT 1 FROM tenant_ca a WHERE a.tenant = crl_partition.tenant \
         AND a.generation = crl_partition.generation AND a.state = 'retired')) AND NOT EXISTS \
         (SELECT 1 FROM certificate c WHERE c.tenant = crl_partition.tenant AND c.generation = crl_partition.generation \
         AND c.partition = crl_partition.number AND c.not_after >= $2)",
        params![ended_before, ended_before],
    )
}
