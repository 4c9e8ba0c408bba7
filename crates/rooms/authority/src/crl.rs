//! Certificate revocation lists (RFC 5280 section 5, `enrolment.md` 14.1): full lists, one per partition of a CA's generation.
//!
//! A list is signed when it is asked for and is not the newest truth, or past half of its period; the publisher does the same by
//! itself. Its content is read after the counter of changes and before a compare-and-set of its number, so over all replicas a
//! higher number never says less than a lower one. Numbers are milliseconds since the epoch where that is higher than the last
//! number and one: they go on rising after a restore from a backup.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use signet_crypto::sign::Signer;
use signet_ledger::{Change, CommitError, Expect};
use signet_model::{AuditRecord, Refusal, Timestamp, kinds};
use signet_pki::{CrlEntry, CrlRequest, IssuerFacts, RevocationReason, Serial};

use crate::custody::CaKey;
use crate::keyed_locks::KeyedLocks;
use crate::reasons::CA_UNAVAILABLE;
use crate::rotation::CaState;
use crate::sql::partition::{self, Partition, PartitionKey, Signed};
use crate::sql::vault;
use crate::status::{Status, Verdict};
use crate::vault_issue::ListOrder;
use crate::{AuthorityRoom, addresses, internal, sql};

/// A list is signed anew when half of this has passed, changed or not.
pub(crate) const PERIOD: Duration = Duration::from_secs(6 * 3_600);
/// How long a list holds: the time that verifiers go on if nothing can be published.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 3_600);
/// An entry stays on the list for so long after its certificate's end, so that a clock that is an hour off drops none too early.
const CLOCK_MARGIN: Duration = Duration::from_secs(24 * 3_600);
/// How far a list's date may be ahead of this replica's clock: the clocks of two replicas differ a little.
const CLOCK_JITTER: Duration = Duration::from_secs(60);
/// How far beyond its last certificate's end the last list of a CA reaches.
const FINAL_MARGIN: Duration = Duration::from_secs(30 * 86_400);
/// Bytes of lists that are kept in memory; what is not there is read from the database.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// The estimate for the cache's first size.
const USUAL_LISTS: usize = 1_000;
/// How often a list is built when other replicas publish at the same moment.
const ATTEMPTS: u32 = 5;
/// How long whoever asks waits for a list that says nothing new; then the last one is served, and the publisher goes on.
const RENEWAL_WAIT: Duration = Duration::from_secs(2);
/// How long whoever asks waits for a list that says something new; of those who wait for a slow key one after the other asks it.
const NEWS_WAIT: Duration = Duration::from_secs(10);

/// A list that is stored.
#[derive(Debug)]
pub(crate) struct PublishedCrl {
    /// Its number.
    pub(crate) number: i64,
    /// Its date.
    pub(crate) this_update: Timestamp,
    /// Until when it holds.
    pub(crate) next_update: Timestamp,
    /// Its bytes.
    pub(crate) der: Bytes,
}

/// A list as it is served.
#[derive(Clone, Debug)]
pub(crate) struct ServedCrl {
    /// The list.
    pub(crate) crl: Arc<PublishedCrl>,
    /// Whether a newer one was due and could not be had: this one says the same and still holds.
    pub(crate) not_renewed: bool,
}

impl ServedCrl {
    fn good(crl: Arc<PublishedCrl>) -> Self {
        Self { crl, not_renewed: false }
    }
}

#[derive(Clone)]
struct ByLength;

impl Weighter<PartitionKey, Arc<PublishedCrl>> for ByLength {
    fn weight(&self, _key: &PartitionKey, crl: &Arc<PublishedCrl>) -> u64 {
        u64::try_from(crl.der.len()).unwrap_or(u64::MAX).max(1)
    }
}

/// Lists in memory, and who signs one at present.
pub(crate) struct Crls {
    kept: Cache<PartitionKey, Arc<PublishedCrl>, ByLength>,
    signing: KeyedLocks<PartitionKey>,
}

impl Crls {
    pub(crate) fn new() -> Self {
        Self { kept: Cache::with_weighter(USUAL_LISTS, MOST_BYTES, ByLength), signing: KeyedLocks::new() }
    }
}

/// Why a list is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It goes on.
    Regular,
    /// The CA ends: nothing will be signed after it.
    Final,
}

impl AuthorityRoom {
    /// The list of a partition as it is to be served now; none when there is no such partition, or its CA ended without one.
    ///
    /// A list that is only due to be renewed and cannot be (the key is sealed or slow, the disk is full) is served as long as it
    /// holds. One that lacks a change is not: no list is better than one that calls a revoked certificate good.
    ///
    /// # Errors
    /// The database, or the CA's key, and no list is stored that still holds and says what is true.
    pub(crate) async fn crl(&self, key: &PartitionKey) -> Result<Option<ServedCrl>, Refusal> {
        let found = match sql::one(&self.db, partition::find(key), partition::read).await {
            Ok(found) => found,
            // Without a database nothing new is known here: the last list holds as long as it says.
            Err(refusal) => {
                let kept = self.revocation.crls.kept.get(key).filter(|crl| crl.next_update > self.clock.now());
                return kept.map(|crl| Some(self.not_renewed(crl))).ok_or(refusal);
            }
        };
        let Some(found) = found else { return Ok(None) };
        if !self.wants_signing(&found) {
            return Ok(self.stored_crl(key, &found).await?.map(ServedCrl::good));
        }
        let holds = found.next_update.is_some_and(|end| end > self.clock.now());
        let says_all = found.crl_number > 0 && found.changed == found.published && holds;
        let publishing = self.publish_at_least(key, Purpose::Regular, found.changed);
        let wait = if says_all { RENEWAL_WAIT } else { NEWS_WAIT };
        let slow = || Refusal::new(&CA_UNAVAILABLE, "the key of the CA does not sign in time");
        let published = tokio::time::timeout(wait, publishing).await.unwrap_or_else(|_| Err(slow()));
        match published {
            Ok(crl) => Ok(crl.map(ServedCrl::good)),
            Err(refusal) => {
                self.revocation.metrics.crl_failed(&refusal);
                if !says_all {
                    return Err(refusal);
                }
                Ok(self.stored_crl(key, &found).await?.map(|crl| self.not_renewed(crl)))
            }
        }
    }

    fn not_renewed(&self, crl: Arc<PublishedCrl>) -> ServedCrl {
        self.revocation.metrics.crl_not_renewed();
        ServedCrl { crl, not_renewed: true }
    }

    /// Signs and stores the next list of a partition if it needs one, or in any case where the CA ends. Gives the newest one; none
    /// when there is no such partition.
    ///
    /// # Errors
    /// The database, the CA's key; for the last list of a CA: a member can still be used.
    pub(crate) async fn publish_crl(&self, key: &PartitionKey, purpose: Purpose) -> Result<Option<Arc<PublishedCrl>>, Refusal> {
        self.publish_at_least(key, purpose, i64::MAX).await
    }

    /// The same, content with a list that holds the changes up to `wanted`, however many came since. Whoever loses to another
    /// replica twice finds such a list: the second winner has read the counter after the first one published.
    async fn publish_at_least(&self, key: &PartitionKey, purpose: Purpose, wanted: i64) -> Result<Option<Arc<PublishedCrl>>, Refusal> {
        let _one_at_a_time = self.revocation.crls.signing.lock(key.clone()).await;
        let mut wanted = wanted;
        for _ in 0..ATTEMPTS {
            let Some(found) = sql::one(&self.db, partition::find(key), partition::read).await? else { return Ok(None) };
            wanted = wanted.min(found.changed);
            let enough = found.crl_number > 0 && found.published >= wanted && !self.is_old(&found);
            if purpose == Purpose::Regular && (enough || !self.wants_signing(&found)) {
                return self.stored_crl(key, &found).await;
            }
            if let Some(crl) = self.sign_and_store(key, &found, purpose).await? {
                return Ok(Some(crl));
            }
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, "other replicas kept publishing the same CRL"))
    }

    /// Whether a newer list has to be signed: there is none, it is not the truth, or it is past half of its period. Of a CA that signs
    /// no more the stored one stays.
    fn wants_signing(&self, found: &Partition) -> bool {
        found.ca.signs_status() && (found.crl_number == 0 || found.changed != found.published || self.is_old(found))
    }

    /// Whether half of the period has passed. A date ahead of the clock is a clock that was wrong: verifiers refuse such a list.
    fn is_old(&self, found: &Partition) -> bool {
        let now = self.clock.now();
        found.this_update.is_none_or(|made| made > now.plus(CLOCK_JITTER) || now.since(made) >= half_of_period())
    }

    /// None where the CA ended before it signed a list of this partition.
    async fn stored_crl(&self, key: &PartitionKey, found: &Partition) -> Result<Option<Arc<PublishedCrl>>, Refusal> {
        if let Some(kept) = self.revocation.crls.kept.get(key).filter(|kept| kept.number == found.crl_number) {
            return Ok(Some(kept));
        }
        let read = |row: &signet_db::Row| Ok((row.int(0)?, Bytes::copy_from_slice(row.bytes(1)?)));
        let Some((number, der)) = sql::one(&self.db, partition::stored(key), read).await? else { return Ok(None) };
        let (this_update, next_update) = (found.this_update.unwrap_or(Timestamp::EPOCH), found.next_update);
        // A partition at rest keeps its last list; when that ends follows from its date.
        let next_update = next_update.unwrap_or_else(|| this_update.plus(LIFETIME));
        let crl = Arc::new(PublishedCrl { number, this_update, next_update, der });
        // Read after the counters, so it may be a newer one than they say; it is kept under its own number then.
        self.revocation.crls.kept.insert(key.clone(), Arc::clone(&crl));
        Ok(Some(crl))
    }

    /// One attempt; none when another replica was faster.
    async fn sign_and_store(&self, key: &PartitionKey, found: &Partition, purpose: Purpose) -> Result<Option<Arc<PublishedCrl>>, Refusal> {
        let issuer = self.status_ca(&key.tenant, key.generation).await?;
        let now = whole_second(self.clock.now());
        let entries = sql::all(&self.db, partition::listed(key, expired_before(found, now)), read_entry).await?;
        let next_update = match purpose {
            Purpose::Regular if !reaches_the_end(found) => now.plus(LIFETIME),
            Purpose::Regular | Purpose::Final => self.final_end(key, now).await?,
        };
        let base = found.base.as_deref().unwrap_or(&self.config.revocation_url);
        let url = addresses::crl(base, &key.tenant, key.generation, key.number);
        let number = found.crl_number.saturating_add(1).max(now.millis());
        let listed = entries.len();
        let number = u64::try_from(number).map_err(|error| internal(&error))?;
        let revoked = match &issuer.key {
            CaKey::Software(_) => Vec::new(),
            CaKey::Vault(_) => revoked_serials(&entries)?,
        };
        let (der, next_update) = match &issuer.key {
            CaKey::Software(signer) => {
                (list_signed_here(&url, &issuer.facts, signer.as_ref(), number, (now, next_update), entries)?, next_update)
            }
            CaKey::Vault(in_vault) => {
                let order = ListOrder { url: &url, number, period: next_update.since(now), entries: &entries };
                self.list_in_vault(in_vault, &issuer, &order).await?
            }
        };
        let number = i64::try_from(number).map_err(|error| internal(&error))?;
        let signed = Signed { published: found.changed, crl_number: number, this_update: now, next_update, der: &der };
        let record = AuditRecord::new(&self.own_scope("crl", &key.tenant), "crl.publish", object(key))
            .with("number", number.to_string())
            .with("listed", listed.to_string())
            .with("next_update", next_update.to_string());
        let mut change = Change::new(record)
            .expecting(Expect::write(partition::publish(key, found.crl_number, &signed), 1))
            .effecting(partition::store(key, &signed));
        for serial in &revoked {
            change = change.effecting(vault::enqueue(&key.tenant, key.generation, serial, now));
        }
        if purpose == Purpose::Final {
            change = change.expecting(Expect::guard(partition::unrevoked(key, now), 0));
        }
        match self.ledger.commit(change).await {
            Ok(_) => {}
            Err(CommitError::Conflict) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        self.revocation.metrics.crl_published();
        let crl = Arc::new(PublishedCrl { number, this_update: now, next_update, der: der.into() });
        self.revocation.crls.kept.insert(key.clone(), Arc::clone(&crl));
        Ok(Some(crl))
    }

    /// The end of the last list of a CA: beyond the end of the last certificate on it.
    async fn final_end(&self, key: &PartitionKey, now: Timestamp) -> Result<Timestamp, Refusal> {
        let last = sql::one(&self.db, partition::last_expiry(key), |row| row.opt_time(0)).await?.flatten();
        Ok(last.unwrap_or(now).max(now.plus(LIFETIME)).plus(FINAL_MARGIN))
    }
}

/// A list signed by a key in this process.
fn list_signed_here(
    url: &str,
    issuer: &IssuerFacts,
    signer: &dyn Signer,
    number: u64,
    (this_update, next_update): (Timestamp, Timestamp),
    entries: Vec<CrlEntry>,
) -> Result<Vec<u8>, Refusal> {
    let request = CrlRequest { issuer, number, this_update, next_update, idp_url: Some(url), only_user_certs: true, entries };
    let linted = request.lint().map_err(|error| internal(&error))?;
    linted.sign(signer).map_err(|error| internal(&error))
}

/// Whether the stored list is the last one of a CA that is being ended: what is signed after it, because something was settled late,
/// reaches as far.
fn reaches_the_end(found: &Partition) -> bool {
    let beyond = |made: Timestamp, end: Timestamp| end > made.plus(LIFETIME);
    found.ca == CaState::Retiring && found.this_update.zip(found.next_update).is_some_and(|(made, end)| beyond(made, end))
}

/// The numbers that a mount revokes too: all but those on hold, which it knows no way back from.
fn revoked_serials(entries: &[CrlEntry]) -> Result<Vec<String>, Refusal> {
    let gone = entries.iter().filter(|entry| entry.reason != Some(RevocationReason::CertificateHold));
    gone.map(|entry| Ok(Serial::from_der_bytes(&entry.serial)?.colon_hex())).collect()
}

/// How records name a partition.
fn object(key: &PartitionKey) -> String {
    format!("crl/{}/{}/{}", key.tenant, key.generation, key.number)
}

/// Half of the period: the age at which a list is signed anew.
pub(crate) fn half_of_period() -> Duration {
    PERIOD.checked_div(2).unwrap_or(PERIOD)
}

/// Entries whose certificate ended before this are dropped: those that have expired for good by the clock, and of these only those
/// that stood on a list dated after their end (RFC 5280 section 3.3).
fn expired_before(found: &Partition, now: Timestamp) -> Timestamp {
    let margin = i64::try_from(CLOCK_MARGIN.as_micros()).unwrap_or(i64::MAX);
    let surely = Timestamp::from_micros(now.micros().saturating_sub(margin));
    found.this_update.map_or(Timestamp::from_micros(i64::MIN), |former| former.min(surely))
}

/// Lists carry whole seconds.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis().div_euclid(1_000).saturating_mul(1_000))
}

fn read_entry(row: &signet_db::Row) -> Result<CrlEntry, signet_db::DbError> {
    let status = Status { state: sql::parsed(row, 1)?, since: row.time(2)?, reason: sql::opt_parsed(row, 3)? };
    let serial = row.bytes(0)?.to_vec();
    match status.verdict() {
        Verdict::Revoked { at, reason } => Ok(CrlEntry { serial, at, reason }),
        // The statement reads what is revoked only; were it not so, leaving it out quietly would be the one wrong answer.
        Verdict::Good | Verdict::Unknown => Err(sql::damaged(1, &"a state that is on no CRL")),
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;
    use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
    use signet_pki::{Name, PublicKey, Validity};

    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn partition(this_update: Option<i64>) -> Partition {
        let this_update = this_update.map(Timestamp::from_micros);
        Partition { changed: 0, published: 0, crl_number: 1, this_update, next_update: None, ca: CaState::Active, base: None }
    }

    #[test]
    fn an_entry_is_dropped_only_after_a_list_dated_behind_its_end_and_a_days_margin() {
        let now = Timestamp::from_micros(100 * DAY);
        let drops = |former: Option<i64>, not_after: i64| Timestamp::from_micros(not_after) < expired_before(&partition(former), now);
        assert!(!drops(None, -DAY), "nothing was ever listed");
        assert!(!drops(Some(100 * DAY), 100 * DAY + 1), "unexpired");
        assert!(!drops(Some(90 * DAY), 95 * DAY), "expired, and the last list is older than that");
        assert!(drops(Some(98 * DAY), 97 * DAY), "expired, and listed after that");
        assert!(!drops(Some(100 * DAY), 99 * DAY), "within the margin");
        assert!(!drops(Some(400 * DAY), 100 * DAY), "the clock was a year ahead when the last list was signed");
    }

    #[test]
    fn the_longest_list_is_below_one_megabyte() {
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let public = PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap();
        // Behind 2049 dates are longer, and a serial number of 20 bytes that begins with a bit takes one more.
        let at = Timestamp::from_micros(85 * 365 * DAY);
        let validity = Validity { not_before: at, not_after: at.plus(LIFETIME.saturating_mul(100)) };
        let issuer = IssuerFacts::self_signed(Name::common(&"a".repeat(63)).unwrap(), &public, validity);
        let entry = |number: u32| {
            let serial = [&[0x7f; 16][..], &number.to_be_bytes()].concat();
            CrlEntry { serial, at, reason: Some(RevocationReason::CertificateHold) }
        };
        let entries = (0..crate::room::MOST_OF_PARTITION).map(entry).collect();
        let url = format!("http://{}/crl/{}/1000000/1000000.crl", "h".repeat(255), "a".repeat(63));
        let list = list_signed_here(&url, &issuer, &key, u64::MAX >> 1, (at, at.plus(LIFETIME)), entries).unwrap();
        assert!(list.len() < 1_000_000 && list.len() > 900_000, "{} bytes", list.len());
    }

    #[test]
    fn what_is_settled_while_a_ca_ends_takes_nothing_from_its_last_list() {
        let of = |ca, days: i64| {
            let made = Timestamp::from_micros(100 * DAY);
            Partition { next_update: Some(Timestamp::from_micros((100 + days) * DAY)), ca, ..partition(Some(made.micros())) }
        };
        assert!(reaches_the_end(&of(CaState::Retiring, 400)));
        assert!(!reaches_the_end(&of(CaState::Retiring, 1)), "its last list is not signed yet");
        assert!(!reaches_the_end(&of(CaState::Tainted, 400)));
    }

    #[test]
    fn a_list_is_dated_by_whole_seconds() {
        assert_eq!(whole_second(Timestamp::from_micros(1_999_999)), Timestamp::from_micros(1_000_000));
        assert_eq!(whole_second(Timestamp::from_micros(-1)), Timestamp::from_micros(-1_000_000));
    }
}
