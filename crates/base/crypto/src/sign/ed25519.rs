//! Ed25519 (RFC 8032) keys: PKCS#8 in and out (RFC 8410), public keys raw, as SubjectPublicKeyInfo or PEM.

use std::fmt;

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::der::pem;
use signet_model::Entropy;
use zeroize::Zeroizing;

use super::{Algorithm, SignError, Signer};
use crate::Secret;

/// PrivateKeyInfo up to the 32 bytes of the seed (RFC 8410 section 7, version 1, which OpenSSL reads).
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// SubjectPublicKeyInfo up to the 32 bytes of the key (RFC 8410 section 4).
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_LABEL: &str = "PUBLIC KEY";
/// A PEM text longer than this is not a public key of 32 bytes.
const LONGEST_PEM: usize = 4096;

/// The y coordinates of points of small order: under such a "key" anybody can sign (the last byte without its sign bit).
const SMALL_ORDER: [[u8; 32]; 7] = [
    edge(0x00, 0x00, 0x00),
    edge(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
        0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    edge(0xec, 0xff, 0x7f),
    edge(0xed, 0xff, 0x7f),
    edge(0xee, 0xff, 0x7f),
];

/// A little-endian number of 32 bytes whose bytes between the ends are all the same.
const fn edge(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    let [low, .., high] = &mut bytes;
    *low = first;
    *high = last;
    bytes
}

/// An Ed25519 private key in memory.
pub struct Ed25519Key {
    pair: Ed25519KeyPair,
    pkcs8: Secret,
    public: Ed25519Public,
}

impl Ed25519Key {
    /// A new key whose seed comes from `entropy`.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when AWS-LC refuses the seed.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, SignError> {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The key of a PKCS#8 PrivateKeyInfo, version 1 or 2 (RFC 5958, RFC 8410).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] when it is anything else.
    pub fn from_pkcs8(pkcs8: &Secret) -> Result<Self, SignError> {
        const WANTED: SignError = SignError::NotAKey("PKCS#8 private key of Ed25519");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| WANTED)?;
        let seed = pair.seed().and_then(|seed| seed.as_be_bytes()).map_err(|_| WANTED)?;
        Self::with_seed(pair, seed.as_ref()).ok_or(WANTED)
    }

    fn from_seed(seed: &[u8; 32]) -> Result<Self, SignError> {
        const WANTED: SignError = SignError::NotAKey("seed of Ed25519");
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| WANTED)?;
        Self::with_seed(pair, seed).ok_or(WANTED)
    }

    fn with_seed(pair: Ed25519KeyPair, seed: &[u8]) -> Option<Self> {
        let public = Ed25519Public(pair.public_key().as_ref().try_into().ok()?);
        // One allocation of the final size, so that no part of the key stays behind in a smaller one.
        let mut pkcs8 = Vec::with_capacity(PKCS8_HEAD.len().saturating_add(seed.len()));
        pkcs8.extend_from_slice(&PKCS8_HEAD);
        pkcs8.extend_from_slice(seed);
        Some(Self { pair, pkcs8: Secret::from(pkcs8), public })
    }

    /// PKCS#8 PrivateKeyInfo, version 1.
    pub fn to_pkcs8(&self) -> Secret {
        self.pkcs8.duplicate()
    }

    /// The public half.
    pub fn public(&self) -> Ed25519Public {
        self.public
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Key").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Signer for Ed25519Key {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    fn public_key_spki_der(&self) -> Vec<u8> {
        self.public.to_spki_der()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair.try_sign(message).map(|signature| signature.as_ref().to_vec()).map_err(|_| SignError::Failed)
    }
}

/// An Ed25519 public key that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ed25519Public([u8; 32]);

impl Ed25519Public {
    /// The key of these 32 bytes (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// [`SignError::NotAKey`] for a point of small order, under which anybody can sign.
    pub fn from_raw(raw: [u8; 32]) -> Result<Self, SignError> {
        let mut unsigned = raw;
        if let Some(last) = unsigned.last_mut() {
            *last &= 0x7f;
        }
        if SMALL_ORDER.contains(&unsigned) { Err(SignError::NotAKey("usable Ed25519 public key")) } else { Ok(Self(raw)) }
    }

    /// The key of a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] for any other key or form.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, SignError> {
        let raw = der.strip_prefix(&SPKI_HEAD).and_then(|rest| rest.try_into().ok());
        Self::from_raw(raw.ok_or(SignError::NotAKey("public key of Ed25519"))?)
    }

    /// The key of a PEM text `PUBLIC KEY`. A byte order mark and CRLF are accepted.
    ///
    /// # Errors
    /// [`SignError::NotAKey`] for anything else.
    pub fn from_pem(text: &str) -> Result<Self, SignError> {
        const WANTED: SignError = SignError::NotAKey("PEM public key of Ed25519");
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.len() > LONGEST_PEM {
            return Err(WANTED);
        }
        match pem::decode_vec(text.as_bytes()) {
            Ok((PEM_LABEL, der)) => Self::from_spki_der(&der),
            _ => Err(WANTED),
        }
    }

    /// DER SubjectPublicKeyInfo.
    pub fn to_spki_der(&self) -> Vec<u8> {
        [&SPKI_HEAD[..], &self.0].concat()
    }

    /// PEM with the label `PUBLIC KEY`.
    pub fn to_pem(&self) -> String {
        // 44 bytes are 60 characters: one line, so no encoder and no error of one.
        format!("-----BEGIN {PEM_LABEL}-----\n{}\n-----END {PEM_LABEL}-----\n", STANDARD.encode(self.to_spki_der()))
    }

    /// The 32 bytes.
    pub fn raw(&self) -> [u8; 32] {
        self.0
    }

    /// Whether `signature` was made over `message` with this key's private half.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for Ed25519Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Public({})", STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes().chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    #[test]
    fn it_gives_the_vectors_of_rfc_8032() {
        // Section 7.1, tests 1 to 3: seed, public key, message, signature.
        for [seed, public, message, signature] in [
            [
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ],
            [
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ],
            [
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ],
        ] {
            let key = Ed25519Key::from_seed(&unhex(seed).try_into().unwrap()).unwrap();
            assert_eq!(key.public().raw().to_vec(), unhex(public));
            assert_eq!(key.sign(&unhex(message)).unwrap(), unhex(signature));
            assert!(key.public().verify(&unhex(message), &unhex(signature)));
        }
    }

    #[test]
    fn a_key_survives_pkcs8_and_its_public_half_spki_and_pem() {
        let key = Ed25519Key::generate(&SystemEntropy).unwrap();
        let read = Ed25519Key::from_pkcs8(&key.to_pkcs8()).unwrap();
        assert_eq!(read.public(), key.public());
        assert!(read.to_pkcs8().ct_eq(&key.to_pkcs8()));
        let public = key.public();
        assert_eq!(Ed25519Public::from_raw(public.raw()), Ok(public));
        assert_eq!(Ed25519Public::from_spki_der(&key.public_key_spki_der()), Ok(public));
        let pem = public.to_pem();
        for text in [pem.clone(), pem.replace('\n', "\r\n"), format!("\u{feff}{pem}"), format!("\n{pem}\n"), pem.trim_end().to_owned()] {
            assert_eq!(Ed25519Public::from_pem(&text), Ok(public), "{text:?}");
        }
    }

    #[test]
    fn a_signature_is_refused_for_one_flipped_bit_and_for_another_key() {
        let (key, other) = (Ed25519Key::generate(&SystemEntropy).unwrap(), Ed25519Key::generate(&SystemEntropy).unwrap());
        let signature = key.sign(b"message").unwrap();
        assert!(key.public().verify(b"message", &signature));
        assert!(!other.public().verify(b"message", &signature) && !key.public().verify(b"massage", &signature));
        for bit in 0..signature.len() * 8 {
            let mut forged = signature.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.public().verify(b"message", &forged), "bit {bit}");
        }
        assert!(!key.public().verify(b"message", &[]) && !key.public().verify(b"message", &signature[..63]));
    }

    #[test]
    fn keys_under_which_anybody_can_sign_are_refused() {
        for mut raw in SMALL_ORDER {
            assert!(Ed25519Public::from_raw(raw).is_err(), "{raw:?}");
            raw[31] |= 0x80;
            assert!(Ed25519Public::from_raw(raw).is_err(), "{raw:?}");
        }
        // The two of order 8 are each other's negative: together they are the field's prime, 2^255 - 19.
        let mut carry = 0;
        let sum: Vec<u8> = SMALL_ORDER[2]
            .iter()
            .zip(SMALL_ORDER[3])
            .map(|(a, b)| {
                carry += u16::from(*a) + u16::from(b);
                let byte = carry as u8;
                carry >>= 8;
                byte
            })
            .collect();
        assert_eq!(sum, SMALL_ORDER[5]);
    }

    #[test]
    fn other_keys_and_forms_are_refused() {
        let p256 = crate::sign::P256Key::generate(&SystemEntropy).unwrap();
        assert!(Ed25519Key::from_pkcs8(&p256.to_pkcs8()).is_err());
        assert!(Ed25519Key::from_pkcs8(&Secret::from("")).is_err());
        assert!(Ed25519Public::from_spki_der(&p256.public_key_spki_der()).is_err());
        let key = Ed25519Key::generate(&SystemEntropy).unwrap();
        let mut longer = key.public_key_spki_der();
        longer.push(0);
        assert!(Ed25519Public::from_spki_der(&longer).is_err());
        for text in
            [String::new(), "-----BEGIN PUBLIC KEY-----".to_owned(), key.public().to_pem().replace("PUBLIC", "PRIVATE"), "x".repeat(5000)]
        {
            assert!(Ed25519Public::from_pem(&text).is_err(), "{text}");
        }
        assert!(!format!("{key:?}").contains("pkcs8"));
    }
}
