//! Which passwords were right a moment ago: what a reconnect storm is answered from in place of bcrypt.
//!
//! Only the hash computation is remembered, and only a right password. Tenant, identity, state and stored hash are read from the
//! database by every check, so nothing that was taken back is let in, whoever took it back. There is no memory of wrong
//! passwords: it would tell by its speed which ones others have tried.

use std::time::Duration;

use quick_cache::sync::Cache;
use signet_crypto::MacKey;
use signet_model::{CredentialId, Entropy, TenantId};
use tokio::time::Instant;

/// A password of a credential under a key of this process, or an attempt to give one.
pub(crate) type Digest = [u8; 32];

/// How long and how many right passwords are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerdictConfig {
    /// How long after bcrypt said so; zero remembers nothing.
    pub lifetime: Duration,
    /// How many, each at about 100 bytes; the ones not asked for make room. Zero remembers nothing.
    pub most: usize,
}

impl VerdictConfig {
    /// Longest lifetime: a password in memory is what a stolen memory is worth.
    pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);
}

impl Default for VerdictConfig {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(300), most: 100_000 }
    }
}

/// The memory of right passwords of this process.
pub(crate) struct Verdicts {
    key: MacKey,
    lifetime: Duration,
    /// Right passwords, and when bcrypt said so. A use does not prolong it.
    right: Cache<Digest, Instant>,
}

impl Verdicts {
    pub(crate) fn new(config: VerdictConfig, entropy: &dyn Entropy) -> Self {
        let lifetime = if config.most == 0 { Duration::ZERO } else { config.lifetime };
        Self { key: MacKey::generate(entropy), lifetime, right: Cache::new(config.most.max(1)) }
    }

    /// What a password of a credential is remembered under. Another stored hash is another digest: a changed password is not met
    /// by the memory of the old one.
    pub(crate) fn digest(&self, tenant: &TenantId, credential: &CredentialId, password: &[u8], stored_hash: &str) -> Digest {
        self.key.of(&[b"verdict", tenant.as_str().as_bytes(), credential.as_str().as_bytes(), password, stored_hash.as_bytes()])
    }

    /// What equal attempts share: what was typed, and the hash that it is held against; none for a user that is nobody. Names are
    /// taken as they are written, so that an attempt on nobody is shared in the same way as one on somebody.
    pub(crate) fn attempt(&self, tenant: &str, username: &str, password: &[u8], stored_hash: Option<&str>) -> Digest {
        let (known, hash): (&[u8], _) = match stored_hash {
            Some(hash) => (&[1], hash.as_bytes()),
            None => (&[0], &[]),
        };
        self.key.of(&[b"attempt", tenant.as_bytes(), username.as_bytes(), password, known, hash])
    }

    /// bcrypt said at `now` that the password is right.
    pub(crate) fn remember(&self, digest: Digest, now: Instant) {
        if !self.lifetime.is_zero() {
            self.right.insert(digest, now);
        }
    }

    /// Whether bcrypt said so less than a lifetime ago.
    pub(crate) fn knows(&self, digest: &Digest, now: Instant) -> bool {
        self.right.get(digest).is_some_and(|since| self.lives(since, now))
    }

    /// Lets go of what has outlived its time; reading does not.
    pub(crate) fn forget_old(&self, now: Instant) {
        self.right.retain(|_, since| self.lives(*since, now));
    }

    fn lives(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) < self.lifetime
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.right.len()
    }
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;

    use super::*;

    const HASH: &str = "$2a$04$aaaaaaaaaaaaaaaaaaaaaa";

    fn verdicts(config: VerdictConfig) -> Verdicts {
        Verdicts::new(config, &SystemEntropy)
    }

    fn tenant(text: &str) -> TenantId {
        text.parse().unwrap()
    }

    fn credential(text: &str) -> CredentialId {
        text.parse().unwrap()
    }

    #[test]
    fn a_right_password_is_known_for_its_lifetime_however_often_it_is_used() {
        let verdicts = verdicts(VerdictConfig { lifetime: Duration::from_secs(300), most: 10 });
        let digest = verdicts.digest(&tenant("acme"), &credential("br7si8mg10l7an82que0"), b"pw", HASH);
        let start = Instant::now();
        assert!(!verdicts.knows(&digest, start));
        verdicts.remember(digest, start);
        for seconds in [0, 1, 150, 299] {
            assert!(verdicts.knows(&digest, start + Duration::from_secs(seconds)), "{seconds}");
        }
        assert!(!verdicts.knows(&digest, start + Duration::from_secs(300)), "a use does not prolong it");
        assert_eq!(verdicts.len(), 1);
        verdicts.forget_old(start + Duration::from_secs(300));
        assert_eq!(verdicts.len(), 0);
    }

    #[test]
    fn nothing_is_remembered_without_a_lifetime_and_never_more_than_the_most() {
        let now = Instant::now();
        for off in [VerdictConfig { lifetime: Duration::ZERO, most: 10 }, VerdictConfig { most: 0, ..VerdictConfig::default() }] {
            let off = verdicts(off);
            off.remember([1; 32], now);
            assert!(!off.knows(&[1; 32], now) && off.len() == 0);
        }
        let small = verdicts(VerdictConfig { most: 10, ..VerdictConfig::default() });
        for number in 0..10_000_u16 {
            let mut digest = [0; 32];
            digest[..2].copy_from_slice(&number.to_be_bytes());
            small.remember(digest, now);
        }
        assert!((1..=10).contains(&small.len()), "{}", small.len());
    }

    #[test]
    fn tenant_credential_password_hash_and_process_each_make_another_digest() {
        let (here, there) = (verdicts(VerdictConfig::default()), verdicts(VerdictConfig::default()));
        let (acme, other) = (tenant("acme"), tenant("acm"));
        let (bob, eve) = (credential("br7si8mg10l7an82que0"), credential("br7si8mg10l7an82queg"));
        let all = [
            here.digest(&acme, &bob, b"pw", HASH),
            here.digest(&other, &bob, b"pw", HASH),
            here.digest(&acme, &eve, b"pw", HASH),
            here.digest(&acme, &bob, b"pW", HASH),
            here.digest(&acme, &bob, b"pw", "$2a$05$aaaaaaaaaaaaaaaaaaaaaa"),
            there.digest(&acme, &bob, b"pw", HASH),
            here.attempt("acme", bob.as_str(), b"pw", Some(HASH)),
            here.attempt("acme", bob.as_str(), b"pw", None),
            here.attempt("acme", bob.as_str(), b"pw", Some("")),
            there.attempt("acme", bob.as_str(), b"pw", None),
        ];
        for (number, one) in all.iter().enumerate() {
            assert!(all.iter().skip(number + 1).all(|other| one != other), "{number}");
        }
    }
}
