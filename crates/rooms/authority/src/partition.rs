//! Which CRL a certificate stands on. A process reserves a partition of a CA before it issues there, puts at most so many
//! certificates into it, and then reserves the next: so no CRL grows beyond its bound, whatever fails and however many processes
//! issue at once.

use parking_lot::Mutex;
use quick_cache::sync::Cache;
use signet_db::{Statement, params};
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, Refusal, Scope, TenantId, Timestamp};
use tokio::sync::Mutex as Turn;

use crate::ca::Issuer;
use crate::custody::CaKey;
use crate::sql::vault;
use crate::{AuthorityRoom, sql};

/// Reserved partitions that are remembered. One that is forgotten stays as full as it is.
const MOST_REMEMBERED: usize = 100_000;
/// Reservations that may be under way at once; of one CA one is.
const TURNS: usize = 64;

/// A reserved partition and the places that are left in it.
#[derive(Clone, Copy, Debug)]
struct Reserved {
    number: i64,
    left: u32,
}

/// The partitions that this process has reserved.
pub(crate) struct Partitions {
    reserved: Cache<(TenantId, i64), std::sync::Arc<Mutex<Reserved>>>,
    turns: Vec<Turn<()>>,
}

impl Partitions {
    pub(crate) fn new() -> Self {
        Self { reserved: Cache::new(MOST_REMEMBERED), turns: (0..TURNS).map(|_| Turn::new(())).collect() }
    }

    /// A place in what is reserved.
    fn place(&self, key: &(TenantId, i64)) -> Option<i64> {
        let reserved = self.reserved.get(key)?;
        let mut reserved = reserved.lock();
        reserved.left = reserved.left.checked_sub(1)?;
        Some(reserved.number)
    }

    fn turn(&self, key: &(TenantId, i64)) -> Option<&Turn<()>> {
        let sum = key.0.as_str().bytes().fold(key.1.unsigned_abs(), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        self.turns.get(usize::try_from(sum % 64).unwrap_or_default())
    }
}

impl AuthorityRoom {
    /// The partition that the next certificate of this CA goes into.
    pub(crate) async fn next_place(&self, scope: &Scope, issuer: &Issuer) -> Result<i64, Refusal> {
        if let CaKey::Vault(key) = &issuer.key {
            return self.place_in_vault(scope, issuer, key).await;
        }
        let key = (issuer.tenant.clone(), issuer.generation);
        if let Some(number) = self.partitions.place(&key) {
            return Ok(number);
        }
        let _turn = match self.partitions.turn(&key) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if let Some(number) = self.partitions.place(&key) {
            return Ok(number);
        }
        let size = self.config.partition_size;
        let number = self
            .ledger
            .decide(|| async {
                let last = sql::one(&self.db, last(&key.0, key.1), |row| row.opt_int(0)).await?.flatten();
                let number = last.map_or(0, |last| last.saturating_add(1));
                let now = scope.now();
                let record =
                    AuditRecord::new(scope, "crl.reserve", format!("{}/{}/{number}", key.0, key.1)).with("certificates", size.to_string());
                let write = insert(&key.0, key.1, number, size, &self.config.revocation_url, now);
                Ok(Decided::commit(Change::new(record).expecting(Expect::write(write, 1)), number))
            })
            .await?;
        // One place is taken by who asked.
        let left = size.saturating_sub(1);
        self.partitions.reserved.insert(key, std::sync::Arc::new(Mutex::new(Reserved { number, left })));
        Ok(number)
    }
}

impl AuthorityRoom {
    /// Makes the partition behind `full`, or the first one; or takes the one that another process has made meanwhile.
    pub(crate) async fn reserve_partition(
        &self,
        scope: &Scope,
        tenant: &TenantId,
        generation: i64,
        full: Option<i64>,
    ) -> Result<i64, Refusal> {
        let size = self.config.partition_size;
        self.ledger
            .decide(|| async {
                let usable = vault::last_partition(tenant, generation, &self.config.revocation_url);
                let usable = sql::one(&self.db, usable, |row| row.int(0)).await?;
                if let Some(there) = usable.filter(|there| full.is_none_or(|full| *there > full)) {
                    return Ok(Decided::Same(there));
                }
                let found = sql::one(&self.db, last(tenant, generation), |row| row.opt_int(0)).await?.flatten();
                let number = found.map_or(0, |last| last.saturating_add(1));
                let record = AuditRecord::new(scope, "crl.reserve", format!("{tenant}/{generation}/{number}"))
                    .with("certificates", size.to_string());
                let write = insert(tenant, generation, number, size, &self.config.revocation_url, scope.now());
                Ok(Decided::commit(Change::new(record).expecting(Expect::write(write, 1)), number))
            })
            .await
    }
}

fn last(tenant: &TenantId, generation: i64) -> Statement {
    Statement::new("SELECT max(number) FROM crl_partition WHERE tenant = $1 AND generation = $2", params![tenant, generation])
}

fn insert(tenant: &TenantId, generation: i64, number: i64, certificates: u32, base: &str, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO crl_partition (tenant, generation, number, certificates, changed, published, crl_number, base, created_at, version) \
         SELECT $1, $2, $3, $4, 0, 0, 0, $5, $6, 1 WHERE {ok} ON CONFLICT DO NOTHING",
        params![tenant, generation, number, certificates, base, now],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_partition_gives_its_places_and_no_more() {
        let partitions = Partitions::new();
        let key = ("acme".parse().unwrap(), 1);
        assert_eq!(partitions.place(&key), None);
        partitions.reserved.insert(key.clone(), std::sync::Arc::new(Mutex::new(Reserved { number: 4, left: 2 })));
        let places: Vec<_> = (0..4).map(|_| partitions.place(&key)).collect();
        assert_eq!(places, [Some(4), Some(4), None, None]);
        assert_eq!(partitions.place(&("acme".parse().unwrap(), 2)), None, "another generation has its own");
        assert!(partitions.turn(&key).is_some());
    }
}
