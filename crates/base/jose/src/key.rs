//! An issuer's published keys (RFC 7517, RFC 7518 section 6, RFC 8037): only public signing keys that are strong enough, each
//! with the algorithms that fit it.

use jsonwebtoken::DecodingKey;

use crate::error::JoseError;
use crate::json::{self, Tree};
use crate::{Algorithm, token};

/// Keys of one set that are looked at; issuers publish two or three.
pub const MAX_KEYS: usize = 64;
/// Longest text of a key set, bytes.
pub const MAX_KEY_SET_BYTES: usize = 256 * 1024;
/// Keys that are tried for one token: such that share its `kid`, or fit its algorithm when it has none.
const MOST_TRIED: usize = 4;
/// RSA moduli, bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The usable keys of an issuer.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    /// Keys that were left out, since they are of kinds or sizes that are not used here.
    left_out: usize,
}

#[derive(Clone)]
struct Key {
    id: Option<String>,
    fits: Vec<Algorithm>,
    key: DecodingKey,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySet({} keys, {} left out)", self.keys.len(), self.left_out)
    }
}

impl KeySet {
    /// Reads a JWK set. Keys of unknown kinds, for other uses, too weak ones and such that hold private parts are left out, as
    /// RFC 7517 section 5 says; a set without any usable key is taken too, and verifies nothing.
    ///
    /// # Errors
    /// [`JoseError::KeySet`] when the text is no JWK set or is beyond the limits.
    pub fn parse(text: &[u8]) -> Result<Self, JoseError> {
        let refused = |why: &str| JoseError::KeySet(why.to_owned());
        if text.len() > MAX_KEY_SET_BYTES {
            return Err(refused("is longer than 256 KiB"));
        }
        let tree = json::parse(text).map_err(|fault| JoseError::KeySet(fault.to_string()))?;
        let listed = tree.member("keys").and_then(Tree::list).ok_or_else(|| refused("has no array `keys`"))?;
        if listed.len() > MAX_KEYS {
            return Err(refused("holds more than 64 keys"));
        }
        let keys: Vec<Key> = listed.iter().filter_map(usable).collect();
        let left_out = listed.len().saturating_sub(keys.len());
        Ok(Self { keys, left_out })
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys of the set are of kinds or sizes that are not used here.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether one of the keys that the token may have been signed with has signed it.
    pub(crate) fn check(&self, kid: Option<&str>, algorithm: Algorithm, signed: &[u8], signature: &str) -> Result<(), JoseError> {
        let shown = || kid.map_or_else(|| "(none named)".to_owned(), token::shown);
        let named = || self.keys.iter().filter(|key| kid.is_none() || key.id.as_deref() == kid);
        let mut fitting = named().filter(|key| key.fits.contains(&algorithm)).take(MOST_TRIED).peekable();
        if fitting.peek().is_none() {
            return Err(if kid.is_some() && named().next().is_some() {
                JoseError::KeyMismatch { algorithm: algorithm.as_str(), kid: shown() }
            } else {
                JoseError::KeyUnknown { kid: shown(), algorithm: algorithm.as_str() }
            });
        }
        for key in fitting {
            // An error is a key that the arithmetic cannot use, such as a point off its curve: no signature of it is good.
            if jsonwebtoken::crypto::verify(signature, signed, &key.key, algorithm.foreign()).unwrap_or(false) {
                return Ok(());
            }
        }
        Err(JoseError::Signature(shown()))
    }
}

/// The key, if it is a public signing key of a kind that is used here.
fn usable(jwk: &Tree) -> Option<Key> {
    const PRIVATE: [&str; 2] = ["d", "k"];
    if PRIVATE.iter().any(|member| jwk.member(member).is_some()) {
        return None;
    }
    let for_signing = match jwk.member("use") {
        None => true,
        Some(purpose) => purpose.text() == Some("sig"),
    };
    let verifies = match jwk.member("key_ops") {
        None => true,
        Some(operations) => operations.list()?.iter().any(|operation| operation.text() == Some("verify")),
    };
    if !for_signing || !verifies {
        return None;
    }
    let id = match jwk.member("kid") {
        None => None,
        Some(id) => Some(id.text()?.to_owned()),
    };
    let (key, mut fits) = parameters(jwk)?;
    if let Some(pinned) = jwk.member("alg") {
        let pinned = Algorithm::named(pinned.text()?)?;
        fits.retain(|algorithm| *algorithm == pinned);
    }
    (!fits.is_empty()).then_some(Key { id, fits, key })
}

/// The key proper and the algorithms of its kind.
fn parameters(jwk: &Tree) -> Option<(DecodingKey, Vec<Algorithm>)> {
    let text = |member: &str| jwk.member(member).and_then(Tree::text);
    let bytes = |member: &str| token::base64(text(member)?);
    match text("kty")? {
        "RSA" => {
            use Algorithm::{Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let strong = RSA_BITS.contains(&bit_length(&modulus)) && good_exponent(&exponent);
            strong.then(|| (DecodingKey::from_rsa_raw_components(&modulus, &exponent), vec![Rs256, Rs384, Rs512, Ps256, Ps384, Ps512]))
        }
        "EC" => {
            let (algorithm, length) = match text("crv")? {
                "P-256" => (Algorithm::Es256, 32),
                "P-384" => (Algorithm::Es384, 48),
                _ => return None,
            };
            if bytes("x")?.len() != length || bytes("y")?.len() != length {
                return None;
            }
            Some((DecodingKey::from_ec_components(text("x")?, text("y")?).ok()?, vec![algorithm]))
        }
        "OKP" if text("crv") == Some("Ed25519") && bytes("x")?.len() == 32 => {
            Some((DecodingKey::from_ed_components(text("x")?).ok()?, vec![Algorithm::EdDsa]))
        }
        _ => None,
    }
}

fn bit_length(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0);
    let leading = significant.clone().next().map_or(0, |byte| usize::try_from(byte.leading_zeros()).unwrap_or(0));
    significant.count().saturating_mul(8).saturating_sub(leading)
}

/// Odd, at least 65537 and at most 32 bits long: a longer one only makes verification slow.
fn good_exponent(exponent: &[u8]) -> bool {
    let bits = bit_length(exponent);
    (17..=32).contains(&bits) && exponent.last().is_some_and(|byte| byte % 2 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_lengths_ignore_leading_zeros() {
        assert_eq!([bit_length(&[]), bit_length(&[0, 0]), bit_length(&[0, 1]), bit_length(&[0x80, 0])], [0, 0, 1, 16]);
        assert!(good_exponent(&[1, 0, 1]) && good_exponent(&[0, 1, 0, 1]));
        assert!(!good_exponent(&[3]) && !good_exponent(&[1, 0, 0]) && !good_exponent(&[1, 0, 0, 0, 1]) && !good_exponent(&[]));
    }

    #[test]
    fn keys_of_other_kinds_and_uses_are_left_out() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let okp = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#);
        let set = |keys: &[String]| KeySet::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap();
        let good = ["", r#","use":"sig""#, r#","key_ops":["verify"],"kid":"a""#, r#","alg":"EdDSA""#].map(okp);
        assert_eq!(set(&good).len(), 4);
        let bad = [
            okp(r#","use":"enc""#),
            okp(r#","key_ops":["sign"]"#),
            okp(r#","alg":"RS256""#),
            okp(r#","alg":"none""#),
            okp(r#","d":"AA""#),
            okp(r#","kid":7"#),
            r#"{"kty":"OKP","crv":"Ed448","x":"AA"}"#.to_owned(),
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(),
            r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(),
            r#"{"kty":"RSA","n":"w7Zdfmece8iaB0kiTY8pCtiBtzbptJmP28nSWwtdjRu0f2GFpajvWE4VhfJAjEsOcwYzay7XGN0b-X84BfC8hmCTOj2b2eHT7NsZegFPKRUQzJ9wW8ipn_aDJWMGDuB1XyqT1E7DYqjUCEOD1b4FLpy_xPn6oV_TYOfQ9fZdbE0","e":"AQAB"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#.to_owned(),
            "7".to_owned(),
        ];
        let left = set(&bad);
        assert_eq!((left.len(), left.left_out(), left.is_empty()), (0, bad.len(), true));
    }

    #[test]
    fn what_is_no_set_is_refused_with_a_reason() {
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, r#"{"keys":[{"kty":"RSA","kty":"EC"}]}"#] {
            assert!(matches!(KeySet::parse(bad.as_bytes()), Err(JoseError::KeySet(_))), "{bad}");
        }
        let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS + 1].join(","));
        assert!(KeySet::parse(many.as_bytes()).is_err());
        assert!(KeySet::parse(&vec![b' '; MAX_KEY_SET_BYTES + 1]).is_err());
    }
}
