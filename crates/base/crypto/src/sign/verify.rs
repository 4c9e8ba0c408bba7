//! Signatures of others: which algorithms certificates and requests may be signed with, and the check itself.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA512_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

use super::{Algorithm, Ed25519Public, SignError};

/// SubjectPublicKeyInfo of P-256 up to the point, for points of 65 bytes.
pub const P256_SPKI_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];
/// The same of P-384, for points of 97 bytes.
pub const P384_SPKI_HEAD: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62,
    0x00,
];

/// A signature algorithm of X.509 that is accepted from others (RFC 5280 section 4.1.1.2). SHA-1 and MD5 have no place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// ECDSA with SHA-256 (RFC 5758).
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
    /// RSA PKCS#1 v1.5 with SHA-256 (RFC 4055).
    RsaPkcs1Sha256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RsaPkcs1Sha512,
    /// RSA PSS with SHA-256 and a salt as long as the digest.
    RsaPssSha256,
    /// RSA PSS with SHA-384 and a salt as long as the digest.
    RsaPssSha384,
    /// RSA PSS with SHA-512 and a salt as long as the digest.
    RsaPssSha512,
}

impl From<Algorithm> for SignatureAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519,
            Algorithm::EcdsaP256 => Self::EcdsaSha256,
            Algorithm::EcdsaP384 => Self::EcdsaSha384,
            Algorithm::RsaPkcs1Sha256 => Self::RsaPkcs1Sha256,
        }
    }
}

/// Checks a signature over `message` by the key in `spki_der`: P-256 or P-384 with an uncompressed point, Ed25519, RSA of 2048
/// bits or more.
///
/// # Errors
/// [`SignError::NotAKey`] when the key is of another kind or does not fit the algorithm, [`SignError::BadSignature`] when it
/// did not make the signature.
pub fn verify_signature(spki_der: &[u8], algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Result<(), SignError> {
    use SignatureAlgorithm as S;
    // AWS-LC takes a bare point faster than the structure around it.
    let p256 = || spki_der.strip_prefix(P256_SPKI_HEAD);
    let ec = |p256_algorithm: &'static dyn VerificationAlgorithm, p384_algorithm: &'static dyn VerificationAlgorithm| match p256() {
        Some(point) => Ok((p256_algorithm, point)),
        None => match spki_der.strip_prefix(P384_SPKI_HEAD) {
            Some(point) => Ok((p384_algorithm, point)),
            None => Err(SignError::NotAKey("public key of P-256 or P-384, as ECDSA needs it")),
        },
    };
    let rsa = |rsa_algorithm: &'static dyn VerificationAlgorithm| Ok((rsa_algorithm, spki_der));
    let ed25519;
    let (verification, key) = match algorithm {
        S::Ed25519 => {
            ed25519 = Ed25519Public::from_spki_der(spki_der)?.raw();
            Ok((&ED25519 as &'static dyn VerificationAlgorithm, &ed25519[..]))
        }
        S::EcdsaSha256 => ec(&ECDSA_P256_SHA256_ASN1, &ECDSA_P384_SHA256_ASN1),
        S::EcdsaSha384 => ec(&ECDSA_P256_SHA384_ASN1, &ECDSA_P384_SHA384_ASN1),
        S::EcdsaSha512 => ec(&ECDSA_P256_SHA512_ASN1, &ECDSA_P384_SHA512_ASN1),
        S::RsaPkcs1Sha256 => rsa(&RSA_PKCS1_2048_8192_SHA256),
        S::RsaPkcs1Sha384 => rsa(&RSA_PKCS1_2048_8192_SHA384),
        S::RsaPkcs1Sha512 => rsa(&RSA_PKCS1_2048_8192_SHA512),
        S::RsaPssSha256 => rsa(&RSA_PSS_2048_8192_SHA256),
        S::RsaPssSha384 => rsa(&RSA_PSS_2048_8192_SHA384),
        S::RsaPssSha512 => rsa(&RSA_PSS_2048_8192_SHA512),
    }?;
    UnparsedPublicKey::new(verification, key).verify(message, signature).map_err(|_| SignError::BadSignature)
}

/// The uncompressed form of a compressed point on P-256 (33 bytes) or P-384 (49 bytes) as a SubjectPublicKeyInfo.
///
/// # Errors
/// [`SignError::NotAKey`] when no point has that coordinate.
pub fn decompress_point(point: &[u8]) -> Result<Vec<u8>, SignError> {
    use aws_lc_rs::encoding::AsDer as _;
    const WANTED: SignError = SignError::NotAKey("compressed point on P-256 or P-384");
    let algorithm: &'static dyn VerificationAlgorithm = match point.len() {
        33 => &ECDSA_P256_SHA256_ASN1,
        49 => &ECDSA_P384_SHA384_ASN1,
        _ => return Err(WANTED),
    };
    let parsed = UnparsedPublicKey::new(algorithm, point).parse().map_err(|_| WANTED)?;
    Ok(parsed.as_der().map_err(|_| WANTED)?.as_ref().to_vec())
}

/// Whether the key in `spki_der` is one that AWS-LC can use: its point lies on its curve, its modulus is a number of RSA.
pub fn usable_public_key(spki_der: &[u8]) -> bool {
    let (algorithm, key): (&'static dyn VerificationAlgorithm, &[u8]) = if let Some(point) = spki_der.strip_prefix(P256_SPKI_HEAD) {
        (&ECDSA_P256_SHA256_ASN1, point)
    } else if let Some(point) = spki_der.strip_prefix(P384_SPKI_HEAD) {
        (&ECDSA_P384_SHA384_ASN1, point)
    } else if Ed25519Public::from_spki_der(spki_der).is_ok() {
        return true;
    } else {
        (&RSA_PKCS1_2048_8192_SHA256, spki_der)
    };
    UnparsedPublicKey::new(algorithm, key).parse().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use crate::sign::{KeyType, Signer as _, SigningKey};

    #[test]
    fn a_key_of_another_kind_verifies_nothing() {
        let keys = [KeyType::P256, KeyType::P384, KeyType::Ed25519].map(|kind| SigningKey::generate(kind, &SystemEntropy).unwrap());
        for signer in &keys {
            let signature = signer.sign(b"m").unwrap();
            for other in &keys {
                let same = other.public_key_spki_der() == signer.public_key_spki_der();
                let verified = verify_signature(&other.public_key_spki_der(), signer.algorithm().into(), b"m", &signature);
                assert_eq!(verified.is_ok(), same);
            }
            assert!(verify_signature(&signer.public_key_spki_der(), SignatureAlgorithm::RsaPkcs1Sha256, b"m", &signature).is_err());
        }
    }

    #[test]
    fn a_compressed_point_becomes_the_same_key() {
        for (kind, head) in [(KeyType::P256, P256_SPKI_HEAD), (KeyType::P384, P384_SPKI_HEAD)] {
            let spki = SigningKey::generate(kind, &SystemEntropy).unwrap().public_key_spki_der();
            let point = spki.strip_prefix(head).unwrap();
            let half = (point.len() - 1) / 2;
            let sign = 2 + (point[point.len() - 1] & 1);
            let compressed = [&[sign], &point[1..=half]].concat();
            assert_eq!(decompress_point(&compressed).unwrap(), spki);
            assert!(usable_public_key(&spki));
            let mut wrong = spki.clone();
            *wrong.last_mut().unwrap() ^= 1;
            assert!(!usable_public_key(&wrong), "not on the curve");
        }
        assert!(decompress_point(&[2; 32]).is_err(), "no length of a point");
        assert!(decompress_point(&[]).is_err());
    }
}
