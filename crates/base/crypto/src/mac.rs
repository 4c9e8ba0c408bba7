//! HMAC-SHA-256 (RFC 2104, FIPS 198-1) under a key that lives in this process only.

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use signet_model::Entropy;
use zeroize::Zeroizing;

/// Bytes of a key: as many as SHA-256 yields.
const KEY_BYTES: usize = 32;

/// A key for [`MacKey::of`]. It is never written anywhere, so what it made means nothing after the process.
pub struct MacKey(Key);

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey(..)")
    }
}

impl MacKey {
    /// A new key from `entropy`.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        entropy.fill(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(Key::new(HMAC_SHA256, bytes))
    }

    /// The MAC of the parts. Each goes in behind its length, so that no two lists of parts are the same bytes.
    pub fn of(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut mac = [0; 32];
        // Both are 32 bytes.
        for (to, from) in mac.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha_256_of_the_parts_behind_their_lengths() {
        let key = [7; KEY_BYTES];
        let whole = [&2_u64.to_be_bytes()[..], b"ab", &0_u64.to_be_bytes(), &1_u64.to_be_bytes(), b"c"].concat();
        let expected = aws_lc_rs::hmac::sign(&Key::new(HMAC_SHA256, &key), &whole);
        assert_eq!(&MacKey::from_bytes(&key).of(&[b"ab", b"", b"c"])[..], expected.as_ref());
    }

    #[test]
    fn neither_another_cut_nor_another_key_gives_the_same() {
        let (one, other) = (MacKey::from_bytes(&[1; KEY_BYTES]), MacKey::from_bytes(&[2; KEY_BYTES]));
        let lists: [&[&[u8]]; 5] = [&[b"ab", b"c"], &[b"a", b"bc"], &[b"abc"], &[b"abc", b""], &[]];
        let mut seen = std::collections::HashSet::new();
        for key in [one, other] {
            for list in lists {
                assert!(seen.insert(key.of(list)), "{list:?}");
            }
        }
    }
}
