//! Table `platform_ca`.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::Timestamp;

use super::damaged;

/// A generation of the platform CA as stored. No `Debug`: the key in it is sealed, and nobody has to see even that.
#[derive(Clone)]
pub(crate) struct StoredPlatform {
    pub(crate) generation: i64,
    pub(crate) certificate: Vec<u8>,
    /// The certificates above it, the nearest first.
    pub(crate) chain: Vec<Vec<u8>>,
    /// Sealed; none while it lies in a file.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) subject: String,
    pub(crate) ski: Vec<u8>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) created_at: Timestamp,
}

const COLUMNS: &str = "SELECT generation, certificate, chain, key, subject, ski, not_before, not_after, created_at FROM platform_ca \
                       WHERE state = 'active'";

/// The active one.
pub(crate) fn active() -> Statement {
    Statement::new(COLUMNS, Vec::new())
}

/// One of any state.
pub(crate) fn find(generation: i64) -> Statement {
    Statement::new(
        "SELECT generation, certificate, chain, key, subject, ski, not_before, not_after, created_at FROM platform_ca WHERE generation = $1",
        params![generation],
    )
}

/// Makes it the active one.
pub(crate) fn insert(ca: &StoredPlatform) -> Statement {
    Statement::new(
        "INSERT INTO platform_ca (generation, state, subject, certificate, chain, key, ski, not_before, not_after, created_at, version) \
         SELECT $1, 'active', $2, $3, $4, $5, $6, $7, $8, $9, 1 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            ca.generation,
            &ca.subject,
            &ca.certificate[..],
            framed(&ca.chain),
            Value::from(ca.key.as_deref()),
            &ca.ski[..],
            ca.not_before,
            ca.not_after,
            ca.created_at
        ],
    )
}

/// The compare-and-set of a renewed certificate over the same key, or of another chain above it.
pub(crate) fn renew(was: &StoredPlatform, ca: &StoredPlatform) -> Statement {
    Statement::new(
        "UPDATE platform_ca SET certificate = $1, chain = $2, not_before = $3, not_after = $4, version = version + 1 \
         WHERE generation = $5 AND state = 'active' AND certificate = $6 AND {ok}",
        params![&ca.certificate[..], framed(&ca.chain), ca.not_before, ca.not_after, was.generation, &was.certificate[..]],
    )
}

/// Puts another one in the place of one that has issued nothing.
pub(crate) fn replace_unused(was: &StoredPlatform, ca: &StoredPlatform) -> Statement {
    Statement::new(
        "UPDATE platform_ca SET subject = $1, certificate = $2, chain = $3, key = $4, ski = $5, not_before = $6, not_after = $7, \
         version = version + 1 WHERE generation = $8 AND state = 'active' AND certificate = $9 \
         AND NOT EXISTS (SELECT 1 FROM tenant_ca t WHERE t.platform_generation = platform_ca.generation) AND {ok}",
        params![
            &ca.subject,
            &ca.certificate[..],
            framed(&ca.chain),
            Value::from(ca.key.as_deref()),
            &ca.ski[..],
            ca.not_before,
            ca.not_after,
            was.generation,
            &was.certificate[..]
        ],
    )
}

pub(crate) fn read(row: &Row) -> Result<StoredPlatform, DbError> {
    Ok(StoredPlatform {
        generation: row.int(0)?,
        certificate: row.bytes(1)?.to_vec(),
        chain: unframed(row.bytes(2)?).ok_or_else(|| damaged(2, &"a chain is cut off"))?,
        key: row.opt_bytes(3)?.map(<[u8]>::to_vec),
        subject: row.text(4)?.to_owned(),
        ski: row.bytes(5)?.to_vec(),
        not_before: row.time(6)?,
        not_after: row.time(7)?,
        created_at: row.time(8)?,
    })
}

/// Certificates in one column: each behind its length in four bytes.
fn framed(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for certificate in certificates {
        bytes.extend(u32::try_from(certificate.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(certificate);
    }
    bytes
}

fn unframed(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut certificates = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (certificate, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        certificates.push(certificate.to_vec());
        bytes = rest;
    }
    Some(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_survives_its_column_and_a_cut_one_is_told() {
        let chain = vec![vec![1; 300], Vec::new(), vec![2]];
        let stored = framed(&chain);
        assert_eq!(unframed(&stored), Some(chain));
        assert_eq!(unframed(&[]), Some(Vec::new()));
        for cut in [1, 3, 5, 303, stored.len() - 1] {
            assert_eq!(unframed(&stored[..cut]), None, "{cut}");
        }
    }
}
