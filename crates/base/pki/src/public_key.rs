//! Public keys that may be certified: parsed from SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), judged by the key policy, and
//! brought into one form, so that a key has one fingerprint.

use std::fmt;

use signet_crypto::sha256;
use signet_crypto::sign::{Algorithm, Ed25519Public, P256_SPKI_HEAD, P384_SPKI_HEAD, decompress_point, usable_public_key};

use crate::tlv::{self, Element, Reader};
use crate::weak_key::{Published, fault_of_modulus, published};
use crate::{PkiError, oid};

/// The fewest bits of an RSA modulus.
pub const FEWEST_RSA_BITS: usize = 2048;
/// The most bits of an RSA modulus; larger ones cost each verifier more than they give.
pub const MOST_RSA_BITS: usize = 4096;
/// The smallest exponent of RSA.
const SMALLEST_EXPONENT: u64 = 65_537;
/// The most bits of an exponent: AWS-LC verifies no larger ones.
const MOST_EXPONENT_BITS: usize = 33;

const ID_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ID_RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ID_RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const ID_ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const CURVE_P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const CURVE_P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
}

impl KeyKind {
    /// What a key of this kind signs certificates with.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::EcdsaP256,
            Self::P384 => Algorithm::EcdsaP384,
            Self::Ed25519 => Algorithm::Ed25519,
            Self::Rsa { .. } => Algorithm::RsaPkcs1Sha256,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("p256"),
            Self::P384 => f.write_str("p384"),
            Self::Ed25519 => f.write_str("ed25519"),
            Self::Rsa { bits } => write!(f, "rsa{bits}"),
        }
    }
}

/// What the key policy finds wrong with a key. Each fault is a lint rule of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyFault {
    #[error("{0}")]
    Damaged(String),
    #[error("a key of the kind {0}")]
    Kind(String),
    #[error("{0}")]
    Parameters(&'static str),
    #[error("a curve by explicit parameters; name it (`openssl ec -param_enc named_curve`)")]
    ExplicitCurve,
    #[error("a key on the curve {0}; use P-256 or P-384")]
    Curve(String),
    #[error("a point in a form that is neither uncompressed nor compressed")]
    PointForm,
    #[error("its point does not lie on the curve")]
    Point,
    #[error("its point is of small order: anybody can sign")]
    SmallOrder,
    #[error("its private half is a small number, or printed in an RFC")]
    Published,
    #[error("RSA of {0} bits; use {FEWEST_RSA_BITS} to {MOST_RSA_BITS}")]
    RsaTooShort(usize),
    #[error("RSA of {0} bits; use {FEWEST_RSA_BITS} to {MOST_RSA_BITS}")]
    RsaTooLong(usize),
    #[error("RSA with the exponent {0}; use 65537")]
    RsaExponent(String),
    #[error("RSA with an exponent of {0} bits; use 65537")]
    RsaLargeExponent(usize),
    #[error("its modulus {0}")]
    RsaModulus(&'static str),
    #[error("it was made by a chip with the ROCA fault (CVE-2017-15361)")]
    Roca,
    #[error("its primes are so close to each other that Fermat's method finds them")]
    ClosePrimes,
}

impl From<KeyFault> for PkiError {
    fn from(fault: KeyFault) -> Self {
        use KeyFault as F;
        let text = fault.to_string();
        match fault {
            F::Damaged(detail) => Self::Malformed { what: WHAT, detail },
            F::Kind(_) | F::Parameters(_) | F::ExplicitCurve | F::Curve(_) | F::PointForm | F::RsaTooLong(_) | F::RsaLargeExponent(_) => {
                Self::UnsupportedPublicKey(text)
            }
            F::Point
            | F::SmallOrder
            | F::Published
            | F::RsaTooShort(_)
            | F::RsaExponent(_)
            | F::RsaModulus(_)
            | F::Roca
            | F::ClosePrimes => Self::WeakKey(text),
        }
    }
}

impl From<PkiError> for KeyFault {
    fn from(error: PkiError) -> Self {
        match error {
            PkiError::Malformed { detail, .. } => Self::Damaged(detail),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// A public key that the key policy lets into certificates. Its SubjectPublicKeyInfo is in one form: curves by name, points
/// uncompressed; so the fingerprint of a key that came with a compressed point is that of the same key uncompressed.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    spki: Vec<u8>,
    kind: KeyKind,
}

impl PublicKey {
    /// Reads and judges a DER SubjectPublicKeyInfo: form, size, exponent and known faults first, then whether it is a key at all.
    ///
    /// # Errors
    /// [`PkiError::UnsupportedPublicKey`] for another kind, form or curve, [`PkiError::WeakKey`] for one that others can use.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PkiError> {
        Ok(Self::judge(der)?)
    }

    /// The same with the fault by name.
    pub(crate) fn judge(der: &[u8]) -> Result<Self, KeyFault> {
        let key = Self::screened(der)?;
        // A modulus that passed is a number; a point may still lie beside its curve.
        match key.kind {
            KeyKind::P256 | KeyKind::P384 if !usable_public_key(&key.spki) => Err(KeyFault::Point),
            KeyKind::P256 | KeyKind::P384 | KeyKind::Ed25519 | KeyKind::Rsa { .. } => Ok(key),
        }
    }

    /// The same without arithmetic on points, for a key whose signature is verified next: that does it.
    pub(crate) fn screened(der: &[u8]) -> Result<Self, KeyFault> {
        if let Some(point) = der.strip_prefix(P256_SPKI_HEAD) {
            return Self::point(point, der, KeyKind::P256);
        }
        let (algorithm, bits) = split(der)?;
        let mut algorithm = algorithm.inner();
        let oid = algorithm.expect(tlv::OID, WHAT)?;
        let parameters = if algorithm.is_empty() { None } else { Some(algorithm.any()?) };
        algorithm.end(WHAT)?;
        match oid.body {
            ID_EC => Self::elliptic(parameters, bits),
            ID_RSA => Self::rsa(parameters, bits, der),
            ID_ED25519 if parameters.is_some() => Err(KeyFault::Parameters("Ed25519 with parameters")),
            ID_ED25519 => Self::ed25519(bits, der),
            ID_RSA_PSS => Err(KeyFault::Kind("RSA for PSS only; use rsaEncryption".to_owned())),
            other => Err(KeyFault::Kind(oid::name(other))),
        }
    }

    fn elliptic(parameters: Option<Element<'_>>, bits: &[u8]) -> Result<Self, KeyFault> {
        let (kind, head, coordinate) = match parameters {
            Some(Element { tag: tlv::OID, body: CURVE_P256, .. }) => (KeyKind::P256, P256_SPKI_HEAD, 32),
            Some(Element { tag: tlv::OID, body: CURVE_P384, .. }) => (KeyKind::P384, P384_SPKI_HEAD, 48),
            Some(Element { tag: tlv::OID, body, .. }) => return Err(KeyFault::Curve(oid::name(body))),
            Some(Element { tag: tlv::SEQUENCE, .. }) => return Err(KeyFault::ExplicitCurve),
            Some(_) | None => return Err(KeyFault::Parameters("an elliptic key without the name of its curve")),
        };
        match bits {
            [4, point @ ..] if point.len() == coordinate << 1 => Self::point(bits, &[head, bits].concat(), kind),
            [2 | 3, x @ ..] if x.len() == coordinate => {
                let spki = decompress_point(bits).map_err(|_| KeyFault::Point)?;
                Self::point(spki.get(head.len()..).unwrap_or_default(), &spki, kind)
            }
            // The point at infinity.
            [0] => Err(KeyFault::Point),
            _ => Err(KeyFault::PointForm),
        }
    }

    fn point(point: &[u8], spki: &[u8], kind: KeyKind) -> Result<Self, KeyFault> {
        let (list, length) = if kind == KeyKind::P256 { (Published::P256, 65) } else { (Published::P384, 97) };
        match point {
            [4, x @ ..] if published(list, x) => Err(KeyFault::Published),
            [4, ..] if point.len() == length => Ok(Self { spki: spki.to_vec(), kind }),
            _ => Err(KeyFault::PointForm),
        }
    }

    fn ed25519(bits: &[u8], der: &[u8]) -> Result<Self, KeyFault> {
        let raw = <[u8; 32]>::try_from(bits).map_err(|_| KeyFault::Parameters("an Ed25519 key that is not 32 bytes"))?;
        if published(Published::Ed25519, &raw) {
            return Err(KeyFault::Published);
        }
        Ed25519Public::from_raw(raw).map_err(|_| KeyFault::SmallOrder)?;
        Ok(Self { spki: der.to_vec(), kind: KeyKind::Ed25519 })
    }

    fn rsa(parameters: Option<Element<'_>>, bits: &[u8], der: &[u8]) -> Result<Self, KeyFault> {
        match parameters {
            Some(Element { tag: tlv::NULL, body: [], .. }) => {}
            Some(_) | None => return Err(KeyFault::Parameters("an RSA key whose parameters are not NULL")),
        }
        let mut numbers = Reader::only(bits, tlv::SEQUENCE, WHAT)?.inner();
        let (modulus, exponent) = (numbers.expect(tlv::INTEGER, WHAT)?, numbers.expect(tlv::INTEGER, WHAT)?);
        numbers.end(WHAT)?;
        let (modulus, exponent) = (positive(modulus.body)?, positive(exponent.body)?);
        let size = bit_length(modulus);
        if size < FEWEST_RSA_BITS {
            return Err(KeyFault::RsaTooShort(size));
        }
        if size > MOST_RSA_BITS {
            return Err(KeyFault::RsaTooLong(size));
        }
        let value = exponent.iter().take(8).fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        if exponent.len() <= 8 && (value < SMALLEST_EXPONENT || value & 1 == 0) {
            return Err(KeyFault::RsaExponent(value.to_string()));
        }
        if bit_length(exponent) > MOST_EXPONENT_BITS {
            return Err(KeyFault::RsaLargeExponent(bit_length(exponent)));
        }
        match fault_of_modulus(modulus) {
            Some(fault) => Err(fault),
            None => Ok(Self { spki: der.to_vec(), kind: KeyKind::Rsa { bits: size } }),
        }
    }

    /// The SubjectPublicKeyInfo in DER, with an uncompressed point.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`PublicKey::spki_der`]: the fingerprint of the key.
    pub fn spki_sha256(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// Its kind.
    pub fn key_type(&self) -> KeyKind {
        self.kind
    }

    /// The bits of the key, as identifiers are made of them.
    pub fn bits(&self) -> &[u8] {
        match self.kind {
            KeyKind::P256 => self.spki.get(P256_SPKI_HEAD.len()..).unwrap_or_default(),
            // The structure was read when the key was made.
            KeyKind::P384 | KeyKind::Ed25519 | KeyKind::Rsa { .. } => split(&self.spki).map(|(_, bits)| bits).unwrap_or_default(),
        }
    }

    /// The key identifier that our certificates have.
    pub fn key_identifier(&self) -> [u8; 20] {
        key_identifier(self.bits())
    }
}

/// The identifier of a key with these bits: the first 160 bits of their SHA-256 (RFC 7093 section 2, method 1).
pub(crate) fn key_identifier(bits: &[u8]) -> [u8; 20] {
    let digest = sha256(bits);
    let mut identifier = [0; 20];
    identifier.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    identifier
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, sha256:{})", self.kind, tlv::hex(&self.spki_sha256()))
    }
}

const WHAT: &str = "the public key";

/// The algorithm and the bits of a SubjectPublicKeyInfo.
pub(crate) fn split(der: &[u8]) -> Result<(Element<'_>, &[u8]), PkiError> {
    let mut inner = Reader::only(der, tlv::SEQUENCE, WHAT)?.inner();
    let algorithm = inner.expect(tlv::SEQUENCE, WHAT)?;
    let bits = inner.expect(tlv::BIT_STRING, WHAT)?;
    inner.end(WHAT)?;
    match bits.body {
        [0, bits @ ..] => Ok((algorithm, bits)),
        _ => Err(PkiError::malformed(WHAT, "its bits do not end with a whole byte")),
    }
}

/// The bytes of a positive INTEGER without its sign byte.
fn positive(body: &[u8]) -> Result<&[u8], PkiError> {
    match body {
        [0, next, ..] if next & 0x80 == 0 => Err(PkiError::malformed(WHAT, "a number is not as short as it can be")),
        [0, rest @ ..] if !rest.is_empty() => Ok(rest),
        [first, ..] if first & 0x80 == 0 => Ok(body),
        _ => Err(PkiError::malformed(WHAT, "a number is not positive")),
    }
}

fn bit_length(number: &[u8]) -> usize {
    let leading = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() << 3).saturating_sub(usize::try_from(leading).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;
    use signet_crypto::sign::{KeyType, Signer as _, SigningKey};

    use super::*;
    use crate::tlv::nested;

    fn spki(kind: KeyType) -> Vec<u8> {
        SigningKey::generate(kind, &SystemEntropy).unwrap().public_key_spki_der()
    }

    /// An elliptic key with any parameters and any point.
    fn elliptic(parameters: &[u8], point: &[u8]) -> Vec<u8> {
        nested(tlv::SEQUENCE, |key| {
            key.nested(tlv::SEQUENCE, |algorithm| {
                algorithm.element(tlv::OID, ID_EC);
                algorithm.raw(parameters);
            });
            key.bit_string(point);
        })
    }

    #[test]
    fn keys_of_each_kind_pass_with_their_own_bytes() {
        for (kind, wanted) in
            [(KeyType::P256, "p256"), (KeyType::P384, "p384"), (KeyType::Ed25519, "ed25519"), (KeyType::Rsa2048, "rsa2048")]
        {
            let der = spki(kind);
            let key = PublicKey::from_spki_der(&der).unwrap();
            assert_eq!((key.spki_der(), key.key_type().to_string().as_str()), (&der[..], wanted));
            assert_eq!(key.key_type().algorithm(), kind.algorithm());
            assert!(der.ends_with(key.bits()) && !key.bits().is_empty());
        }
    }

    #[test]
    fn weak_keys_are_named_by_their_fault() {
        let file = |name: &str| std::fs::read(format!("{}/tests/data/{name}.spki", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for (name, code, word) in [
            ("rsa-512", "key.weak", "512 bits"),
            ("rsa-4099", "key.unsupported", "4099 bits"),
            ("rsa-exponent-3", "key.weak", "exponent 3"),
            ("rsa-exponent-huge", "key.unsupported", "41 bits"),
            ("rsa-roca", "key.weak", "ROCA"),
            ("rsa-close-primes", "key.weak", "Fermat"),
            ("rsa-small-factor", "key.weak", "factor"),
        ] {
            let error = PublicKey::from_spki_der(&file(name)).unwrap_err();
            assert_eq!(error.reason().code, code, "{name}: {error}");
            assert!(error.to_string().contains(word), "{name}: {error}");
        }
    }

    #[test]
    fn forms_of_elliptic_keys_are_told_apart() {
        let p256 = tlv::element(tlv::OID, CURVE_P256);
        let whole = spki(KeyType::P256);
        let point = whole.strip_prefix(P256_SPKI_HEAD).unwrap();
        let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
        let read = PublicKey::from_spki_der(&elliptic(&p256, &compressed)).unwrap();
        assert_eq!(read.spki_der(), whole, "the point is normalised");
        let mut beside = point.to_vec();
        beside[64] ^= 1;
        let hybrid = [&[6 + (point[64] & 1)], &point[1..]].concat();
        let secp256k1 = tlv::element(tlv::OID, &[0x2b, 0x81, 0x04, 0x00, 0x0a]);
        let explicit = tlv::element(tlv::SEQUENCE, &[0x02, 1, 1]);
        for (parameters, point, code) in [
            (&p256, &beside[..], "key.weak"),
            (&p256, &hybrid, "key.unsupported"),
            (&p256, &[0], "key.weak"),
            (&p256, &point[..64], "key.unsupported"),
            (&secp256k1, point, "key.unsupported"),
            (&explicit, point, "key.unsupported"),
            (&vec![tlv::NULL, 0], point, "key.unsupported"),
            (&Vec::new(), point, "key.unsupported"),
        ] {
            let error = PublicKey::from_spki_der(&elliptic(parameters, point)).unwrap_err();
            assert_eq!(error.reason().code, code, "{error}");
        }
    }

    #[test]
    fn published_keys_are_refused() {
        let mut scalar = vec![0; 32];
        scalar[31] = 5;
        let head = [0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20];
        let tail = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        let five = SigningKey::from_private_der(&signet_crypto::Secret::from([&head[..], &scalar, &tail].concat())).unwrap();
        assert!(matches!(PublicKey::from_spki_der(&five.public_key_spki_der()), Err(PkiError::WeakKey(_))));
        let raw = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda,
            0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ];
        let rfc8032 = Ed25519Public::from_raw(raw).unwrap().to_spki_der();
        assert!(matches!(PublicKey::from_spki_der(&rfc8032), Err(PkiError::WeakKey(_))));
        let mut zero = rfc8032;
        zero.truncate(12);
        zero.extend([0; 32]);
        assert!(matches!(PublicKey::from_spki_der(&zero), Err(PkiError::WeakKey(_))), "of small order");
    }

    #[test]
    fn damaged_keys_are_refused() {
        let good = spki(KeyType::P384);
        for cut in 0..good.len() {
            assert!(PublicKey::from_spki_der(&good[..cut]).is_err(), "{cut}");
        }
        assert!(PublicKey::from_spki_der(&[&good[..], &[0]].concat()).is_err());
    }
}
