//! Tokens that were verified before: known by a keyed hash, for as long as whoever asks finds that what they lean on
//! has not changed.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use signet_crypto::sha256_parts;
use signet_model::{Caller, Entropy, Timestamp};
use zeroize::Zeroizing;

use super::issuer::Issuer;

/// Tokens that are remembered, when they are short; the estimate for the table's first size.
const USUAL_TOKENS: usize = 10_000;
/// Bytes of tokens that are remembered in all; what is kept of a token is of the order of its length.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The keyed hash of a token.
pub(super) type Hash = [u8; 32];

/// A token that was verified.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) caller: Caller,
    /// Whether everything that the token allows stands in it, so that asking its issuer is of no use.
    pub(super) complete: bool,
    pub(super) expires_at: Timestamp,
    pub(super) issuer: Arc<Issuer>,
    /// The key set that it was verified with.
    pub(super) fingerprint: [u8; 32],
    /// Length of the token, bytes.
    pub(super) length: usize,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Hash, Known> for ByLength {
    fn weight(&self, _hash: &Hash, known: &Known) -> u64 {
        u64::try_from(known.length).unwrap_or(u64::MAX).max(1)
    }
}

/// The memory. Its key lives as long as the process, so hashes mean nothing outside of it.
pub(super) struct Memory {
    key: Zeroizing<[u8; 32]>,
    known: Cache<Hash, Known, ByLength>,
}

impl Memory {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(key.as_mut());
        Self { key, known: Cache::with_weighter(USUAL_TOKENS, MOST_BYTES, ByLength) }
    }

    /// The keyed hash of these parts. The key is of one length and the hash is never shown, so plain concatenation is enough.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> Hash {
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len().saturating_add(1));
        all.push(self.key.as_ref());
        all.extend_from_slice(parts);
        sha256_parts(&all)
    }

    pub(super) fn recall(&self, hash: &Hash) -> Option<Known> {
        self.known.get(hash)
    }

    pub(super) fn forget(&self, hash: &Hash) {
        self.known.remove(hash);
    }

    pub(super) fn remember(&self, hash: Hash, known: Known) {
        self.known.insert(hash, known);
    }
}
