//! How often a password may be guessed: a bucket for each credential, tenant and source, emptied by what turned out wrong and
//! refilled by time (GCRA, as ATM Forum TM 4.0 section 4.4.2 defines it).
//!
//! A right password costs nothing, so nobody is limited by being many. A bucket that is empty ends bcrypt for its name, yet a
//! right password that this process remembers still passes: whoever empties it shuts nobody out who was in a moment ago. Those
//! tries at the memory are counted by buckets of their own, or an empty bucket would allow to guess at full speed.
//!
//! A bucket is one number in a table of fixed size, at a place that a secret of this process chooses; so a flood of names makes
//! nothing grow, and nobody can aim at another's bucket. Limits hold for one process: `n` replicas allow `n` times as much.

use std::hash::{DefaultHasher, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use signet_crypto::Secret;
use signet_model::Entropy;
use tokio::time::Instant;

/// Places of each of the six tables, 8 bytes each: 3 MiB. Two names share one with a chance of one in so many; a power of two.
const PLACES: usize = 65_536;
/// The bits of a hash that name a place.
const PLACE_MASK: u64 = PLACES as u64 - 1;
/// How many times as often a name whose bucket is empty may be tried at the memory as at bcrypt.
const PROBES: u32 = 10;
/// One more try at the memory after so long at the latest.
const SLOWEST_PROBES: Duration = Duration::from_millis(50);
/// Longest time until one may try again that is ever told.
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// How much a bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Wrong passwords in a row until it is empty; at least 1.
    pub burst: u32,
    /// How long until one more is allowed.
    pub refill: Duration,
}

/// How many wrong passwords are allowed, by what they have in common. What turns out right is given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitConfig {
    /// With one tenant and username, whether there is such a credential or not.
    pub credential: Quota,
    /// With one tenant.
    pub tenant: Quota,
    /// From one address: IPv4, or the first 64 bits of IPv6. The bus tells no source.
    pub source: Quota,
}

impl Default for LimitConfig {
    fn default() -> Self {
        Self {
            credential: Quota { burst: 200, refill: Duration::from_secs(10) },
            tenant: Quota { burst: 20_000, refill: Duration::from_millis(10) },
            source: Quota { burst: 2_000, refill: Duration::from_millis(100) },
        }
    }
}

/// What a limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dimension {
    Credential,
    Tenant,
    Source,
}

impl Dimension {
    /// The word in metrics and messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Tenant => "tenant",
            Self::Source => "source",
        }
    }
}

/// A bucket was empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limited {
    /// Whose it is.
    pub(crate) by: Dimension,
    /// When it is worth trying again.
    pub(crate) retry_after: Duration,
}

/// Where the buckets of one attempt are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    credential: usize,
    tenant: usize,
    source: Option<usize>,
}

/// Wrong passwords of this process.
pub(crate) struct Limits {
    secret: Secret,
    epoch: Instant,
    attempts: Tier,
    probes: Tier,
}

impl Limits {
    pub(crate) fn new(config: LimitConfig, entropy: &dyn Entropy) -> Self {
        let mut secret = vec![0; 32];
        entropy.fill(&mut secret);
        let probes = |quota: Quota| {
            let refill = quota.refill.checked_div(PROBES).unwrap_or(quota.refill);
            Quota { burst: quota.burst.saturating_mul(PROBES), refill: refill.min(SLOWEST_PROBES) }
        };
        let LimitConfig { credential, tenant, source } = config;
        let attempts = Tier::new(config);
        let probes = Tier::new(LimitConfig { credential: probes(credential), tenant: probes(tenant), source: probes(source) });
        Self { secret: Secret::from(secret), epoch: Instant::now(), attempts, probes }
    }

    /// Where an attempt is counted. Names are taken byte by byte as they were given, which is how they are compared with what
    /// there is: another spelling is another name, and nobody's.
    pub(crate) fn places(&self, tenant: &str, username: &str, source: Option<IpAddr>) -> Places {
        Places {
            credential: self.place(&[tenant.as_bytes(), username.as_bytes()]),
            tenant: self.place(&[tenant.as_bytes()]),
            source: source.map(|address| self.source_place(address)),
        }
    }

    /// Whether the attempt may go on to bcrypt, with nothing taken yet.
    pub(crate) fn look(&self, places: &Places, now: Instant) -> Result<(), Limited> {
        self.attempts.look(places, self.time(now))
    }

    /// Whether the attempt may be looked at in any way, with nothing taken yet.
    pub(crate) fn look_at_all(&self, places: &Places, now: Instant) -> Result<(), Limited> {
        let Err(limited) = self.look(places, now) else { return Ok(()) };
        self.probes.look(places, self.time(now)).map_err(|_| limited)
    }

    /// Takes one attempt at bcrypt from each bucket, or from none.
    pub(crate) fn attempt(self: &Arc<Self>, places: Places, now: Instant) -> Result<Toll, Limited> {
        self.attempts.take(&places, self.time(now))?;
        Ok(Toll(Some(Paid { limits: Arc::clone(self), places, tier: |limits| &limits.attempts })))
    }

    /// Takes one try at the memory, for an attempt that is limited.
    pub(crate) fn probe(self: &Arc<Self>, places: Places, now: Instant) -> Result<Toll, Limited> {
        self.probes.take(&places, self.time(now))?;
        Ok(Toll(Some(Paid { limits: Arc::clone(self), places, tier: |limits| &limits.probes })))
    }

    fn source_place(&self, address: IpAddr) -> usize {
        match address.to_canonical() {
            IpAddr::V4(address) => self.place(&[&address.octets()]),
            // Whoever has one address of IPv6 has 2^64 of them.
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                self.place(&[&[a, b, c, d, e, f, g, h]])
            }
        }
    }

    fn place(&self, parts: &[&[u8]]) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write(self.secret.expose());
        for part in parts {
            hasher.write_usize(part.len());
            hasher.write(part);
        }
        usize::try_from(hasher.finish() & PLACE_MASK).unwrap_or(0)
    }

    /// Nanoseconds since this was made: 584 years fit.
    fn time(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.epoch))
    }
}

/// What was taken for one try; given back when dropped, since the password was right or was not looked at, unless it is kept.
pub(crate) struct Toll(Option<Paid>);

struct Paid {
    limits: Arc<Limits>,
    places: Places,
    tier: fn(&Limits) -> &Tier,
}

impl Toll {
    /// The password was wrong.
    pub(crate) fn keep(mut self) {
        self.0.take();
    }

    /// None, for tests of what asks for one.
    #[cfg(test)]
    pub(crate) fn free() -> Self {
        Self(None)
    }
}

impl Drop for Toll {
    fn drop(&mut self) {
        if let Some(Paid { limits, places, tier }) = self.0.take() {
            tier(&limits).give_back(&places);
        }
    }
}

/// Buckets of every dimension, for one kind of try.
struct Tier {
    credential: Buckets,
    tenant: Buckets,
    source: Buckets,
}

impl Tier {
    fn new(config: LimitConfig) -> Self {
        let LimitConfig { credential, tenant, source } = config;
        Self { credential: Buckets::new(credential), tenant: Buckets::new(tenant), source: Buckets::new(source) }
    }

    /// The buckets that an attempt is counted in.
    fn of(&self, places: &Places) -> impl Iterator<Item = (Dimension, &Buckets, usize)> {
        let named = [(Dimension::Credential, &self.credential, places.credential), (Dimension::Tenant, &self.tenant, places.tenant)];
        named.into_iter().chain(places.source.map(|place| (Dimension::Source, &self.source, place)))
    }

    fn look(&self, places: &Places, now: u64) -> Result<(), Limited> {
        for (by, buckets, place) in self.of(places) {
            buckets.look(place, now).map_err(|retry_after| Limited { by, retry_after })?;
        }
        Ok(())
    }

    fn take(&self, places: &Places, now: u64) -> Result<(), Limited> {
        for (taken, (by, buckets, place)) in self.of(places).enumerate() {
            if let Err(retry_after) = buckets.take(place, now) {
                self.of(places).take(taken).for_each(|(_, buckets, place)| buckets.give_back(place));
                return Err(Limited { by, retry_after });
            }
        }
        Ok(())
    }

    fn give_back(&self, places: &Places) {
        self.of(places).for_each(|(_, buckets, place)| buckets.give_back(place));
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One quota for many names. What is kept for each is when its bucket will be full again, in nanoseconds; the past means full.
struct Buckets {
    full_again: Box<[AtomicU64]>,
    /// Time that one attempt costs.
    one: u64,
    /// Time that a whole bucket costs.
    whole: u64,
}

impl Buckets {
    fn new(quota: Quota) -> Self {
        let one = nanos(quota.refill).max(1);
        let whole = one.saturating_mul(u64::from(quota.burst.max(1)));
        Self { full_again: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), one, whole }
    }

    /// When the bucket would be full again after one more attempt, or how long until there is room for one.
    fn after_one(&self, full_again: u64, now: u64) -> Result<u64, Duration> {
        let after = full_again.max(now).saturating_add(self.one);
        let bound = now.saturating_add(self.whole);
        if after > bound { Err(Duration::from_nanos(after.saturating_sub(bound)).min(LONGEST_RETRY)) } else { Ok(after) }
    }

    fn look(&self, place: usize, now: u64) -> Result<(), Duration> {
        let Some(bucket) = self.full_again.get(place) else { return Ok(()) };
        self.after_one(bucket.load(Ordering::Relaxed), now).map(drop)
    }

    fn take(&self, place: usize, now: u64) -> Result<(), Duration> {
        let Some(bucket) = self.full_again.get(place) else { return Ok(()) };
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            let after = self.after_one(seen, now)?;
            match bucket.compare_exchange_weak(seen, after, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(meanwhile) => seen = meanwhile,
            }
        }
    }

    /// A bucket that has filled up meanwhile stays as it is: what lies in the past means full.
    fn give_back(&self, place: usize) {
        if let Some(bucket) = self.full_again.get(place) {
            bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_again| Some(full_again.saturating_sub(self.one))).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;

    use super::*;

    const ONE: Quota = Quota { burst: 3, refill: Duration::from_secs(10) };
    const WIDE: Quota = Quota { burst: 1_000_000, refill: Duration::from_millis(1) };

    fn limits(config: LimitConfig) -> Arc<Limits> {
        Arc::new(Limits::new(config, &SystemEntropy))
    }

    fn by_credential() -> Arc<Limits> {
        limits(LimitConfig { credential: ONE, tenant: WIDE, source: WIDE })
    }

    /// A wrong password.
    fn take(limits: &Arc<Limits>, places: &Places, now: Instant) -> Result<(), Limited> {
        limits.attempt(*places, now).map(Toll::keep)
    }

    fn later(limits: &Limits, seconds: f64) -> Instant {
        limits.epoch.checked_add(Duration::from_secs_f64(seconds)).unwrap()
    }

    #[test]
    fn a_bucket_holds_its_burst_and_one_more_after_each_refill() {
        let limits = by_credential();
        let bob = limits.places("acme", "bob", None);
        for _ in 0..3 {
            take(&limits, &bob, later(&limits, 5.0)).unwrap();
        }
        let limited = take(&limits, &bob, later(&limits, 5.0)).unwrap_err();
        assert_eq!(limited, Limited { by: Dimension::Credential, retry_after: Duration::from_secs(10) });
        assert_eq!(limits.look(&bob, later(&limits, 8.0)).unwrap_err().retry_after, Duration::from_secs(7));
        limits.look(&bob, later(&limits, 15.0)).unwrap();
        take(&limits, &bob, later(&limits, 15.0)).unwrap();
        assert!(take(&limits, &bob, later(&limits, 15.0)).is_err());
        for _ in 0..3 {
            take(&limits, &bob, later(&limits, 1_000.0)).unwrap();
        }
        assert!(take(&limits, &bob, later(&limits, 1_000.0)).is_err(), "a long rest is worth no more than a burst");
        limits.look(&limits.places("acme", "eve", None), later(&limits, 1_000.0)).unwrap();
    }

    #[test]
    fn what_is_given_back_can_be_taken_again_and_gives_no_more_than_a_full_bucket() {
        let limits = by_credential();
        let bob = limits.places("acme", "bob", None);
        let now = later(&limits, 1.0);
        for _ in 0..100 {
            drop(limits.attempt(bob, now).unwrap());
        }
        for _ in 0..100 {
            limits.attempts.give_back(&bob);
        }
        for _ in 0..3 {
            take(&limits, &bob, now).unwrap();
        }
        assert!(take(&limits, &bob, now).is_err());
    }

    #[test]
    fn an_attempt_that_one_bucket_refuses_takes_nothing_from_the_others() {
        let limits = limits(LimitConfig { credential: WIDE, tenant: Quota { burst: 5, ..ONE }, source: ONE });
        let source = |address: &str| Some(address.parse().unwrap());
        let now = later(&limits, 1.0);
        let one = limits.places("acme", "a", source("192.0.2.1"));
        for _ in 0..3 {
            take(&limits, &one, now).unwrap();
        }
        for _ in 0..10 {
            assert_eq!(take(&limits, &one, now).unwrap_err().by, Dimension::Source);
        }
        let other = limits.places("acme", "b", source("192.0.2.2"));
        for _ in 0..2 {
            take(&limits, &other, now).unwrap();
        }
        assert_eq!(take(&limits, &other, now).unwrap_err().by, Dimension::Tenant);
        take(&limits, &limits.places("other", "b", source("192.0.2.2")), now).unwrap();
    }

    #[test]
    fn a_source_is_an_address_of_ipv4_or_a_network_of_ipv6() {
        let limits = by_credential();
        let place = |address: &str| limits.places("acme", "bob", Some(address.parse().unwrap())).source;
        assert_eq!(place("192.0.2.1"), place("::ffff:192.0.2.1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
        assert_eq!(place("2001:db8:0:1::1"), place("2001:db8:0:1:ffff::9"));
        assert_ne!(place("2001:db8:0:1::1"), place("2001:db8:0:2::1"));
    }

    #[test]
    fn an_empty_bucket_leaves_a_bounded_number_of_tries_at_the_memory() {
        let limits = by_credential();
        let bob = limits.places("acme", "bob", None);
        let now = later(&limits, 1.0);
        for _ in 0..30 {
            limits.probe(bob, now).unwrap().keep();
        }
        let last = limits.probe(bob, later(&limits, 1.05)).unwrap();
        let refused = limits.probe(bob, later(&limits, 1.05)).err();
        assert_eq!(refused.map(|limited| limited.retry_after), Some(SLOWEST_PROBES));
        drop(last);
        limits.probe(bob, later(&limits, 1.05)).unwrap().keep();
        limits.look_at_all(&bob, later(&limits, 1.05)).unwrap();
        for _ in 0..3 {
            take(&limits, &bob, later(&limits, 1.05)).unwrap();
        }
        let refused = limits.look_at_all(&bob, later(&limits, 1.05)).unwrap_err();
        assert_eq!(refused.by, Dimension::Credential, "with both empty it is not looked at");
        limits.look_at_all(&bob, later(&limits, 1.1)).unwrap();
    }

    #[test]
    fn parallel_attempts_never_take_more_than_there_is() {
        let limits = limits(LimitConfig { credential: Quota { burst: 1_000, ..ONE }, tenant: WIDE, source: WIDE });
        let now = later(&limits, 1.0);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let limits = Arc::clone(&limits);
                std::thread::spawn(move || {
                    let bob = limits.places("acme", "bob", None);
                    (0..1_000).filter(|_| take(&limits, &bob, now).is_ok()).count()
                })
            })
            .collect();
        let taken: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(taken, 1_000);
    }

    #[test]
    fn the_defaults_leave_room_for_what_kaa_promises() {
        let limits = limits(LimitConfig::default());
        let bob = limits.places("acme", "bob", Some("192.0.2.1".parse().unwrap()));
        for _ in 0..175 {
            take(&limits, &bob, later(&limits, 0.0)).unwrap();
        }
    }
}
