//! AlgorithmIdentifiers of signatures (RFC 5280 section 4.1.1.2): ours, encoded once, and those that are accepted from others.

use signet_crypto::sign::{Algorithm, SignatureAlgorithm};

use crate::tlv::{self, Element};

const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Names of algorithms that are known and refused.
static REFUSED: &[(&[u8], &str)] = &[
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x02], "RSA with MD2"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], "RSA with MD5"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], "RSA with SHA-1"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0e], "RSA with SHA-224"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], "ECDSA with SHA-1"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01], "ECDSA with SHA-224"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x03], "DSA with SHA-1"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x02], "DSA with SHA-256"),
];

/// Parameters of RSA PSS with SHA-256, SHA-384 and SHA-512, MGF1 with the same digest and a salt as long as it (RFC 4055 section 3.1),
/// up to the digest's number and the salt.
fn pss(digest: u8, salt: u8) -> Vec<u8> {
    let hash = tlv::nested(tlv::SEQUENCE, |hash| {
        hash.element(tlv::OID, &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, digest]);
        hash.element(tlv::NULL, &[]);
    });
    tlv::nested(tlv::SEQUENCE, |parameters| {
        parameters.element(tlv::context(0), &hash);
        parameters.nested(tlv::context(1), |mask| {
            mask.nested(tlv::SEQUENCE, |mask| {
                mask.element(tlv::OID, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08]);
                mask.raw(&hash);
            });
        });
        parameters.nested(tlv::context(2), |length| length.element(tlv::INTEGER, &[salt]));
    })
}

/// Why an algorithm is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AlgorithmFault {
    /// It is known to be too weak.
    #[error("{0}, which is too weak")]
    Weak(&'static str),
    /// Not one of those that are accepted.
    #[error("the algorithm {0}, which is not accepted")]
    Unknown(String),
    /// The right algorithm with parameters that it does not have.
    #[error("wrong parameters of the algorithm: {0}")]
    Parameters(&'static str),
    /// No AlgorithmIdentifier at all.
    #[error("what is no algorithm")]
    Damaged,
}

/// The signature algorithm of an AlgorithmIdentifier.
pub(crate) fn read(identifier: &Element<'_>) -> Result<SignatureAlgorithm, AlgorithmFault> {
    use SignatureAlgorithm as S;
    let mut inner = identifier.inner();
    let oid = inner.expect(tlv::OID, "the algorithm").map_err(|_| AlgorithmFault::Damaged)?.body;
    let parameters = if inner.is_empty() { None } else { Some(inner.any().map_err(|_| AlgorithmFault::Damaged)?) };
    if !inner.is_empty() {
        return Err(AlgorithmFault::Damaged);
    }
    let absent = |algorithm: S| match parameters {
        None => Ok(algorithm),
        Some(_) => Err(AlgorithmFault::Parameters("the algorithm has none (RFC 5758, RFC 8410)")),
    };
    // RFC 4055 section 5: NULL, and absent must be accepted too.
    let null = |algorithm: S| match parameters {
        None | Some(Element { tag: tlv::NULL, body: [], .. }) => Ok(algorithm),
        Some(_) => Err(AlgorithmFault::Parameters("those of RSA are NULL (RFC 4055)")),
    };
    match oid {
        ECDSA_SHA256 => absent(S::EcdsaSha256),
        ECDSA_SHA384 => absent(S::EcdsaSha384),
        ECDSA_SHA512 => absent(S::EcdsaSha512),
        ED25519 => absent(S::Ed25519),
        RSA_SHA256 => null(S::RsaPkcs1Sha256),
        RSA_SHA384 => null(S::RsaPkcs1Sha384),
        RSA_SHA512 => null(S::RsaPkcs1Sha512),
        RSA_PSS => {
            let known = [(1, 32, S::RsaPssSha256), (2, 48, S::RsaPssSha384), (3, 64, S::RsaPssSha512)];
            let raw = parameters.map(|parameters| parameters.raw).unwrap_or_default();
            let found = known.into_iter().find(|(digest, salt, _)| pss(*digest, *salt) == raw);
            found
                .map(|(_, _, algorithm)| algorithm)
                .ok_or(AlgorithmFault::Parameters("use SHA-256, -384 or -512 for digest and mask, and a salt of that length"))
        }
        other => match REFUSED.iter().find(|(oid, _)| *oid == other) {
            Some((_, name)) => Err(AlgorithmFault::Weak(name)),
            None => Err(AlgorithmFault::Unknown(tlv::oid_text(other))),
        },
    }
}

/// What people call the algorithm of an identifier, whether it is accepted or not.
pub(crate) fn name(identifier: &Element<'_>) -> String {
    use SignatureAlgorithm as S;
    match read(identifier) {
        Ok(algorithm) => match algorithm {
            S::Ed25519 => "Ed25519",
            S::EcdsaSha256 => "ECDSA with SHA-256",
            S::EcdsaSha384 => "ECDSA with SHA-384",
            S::EcdsaSha512 => "ECDSA with SHA-512",
            S::RsaPkcs1Sha256 => "RSA with SHA-256",
            S::RsaPkcs1Sha384 => "RSA with SHA-384",
            S::RsaPkcs1Sha512 => "RSA with SHA-512",
            S::RsaPssSha256 => "RSA PSS with SHA-256",
            S::RsaPssSha384 => "RSA PSS with SHA-384",
            S::RsaPssSha512 => "RSA PSS with SHA-512",
        }
        .to_owned(),
        Err(AlgorithmFault::Weak(name)) => name.to_owned(),
        Err(AlgorithmFault::Unknown(oid)) => oid,
        Err(fault @ (AlgorithmFault::Parameters(_) | AlgorithmFault::Damaged)) => fault.to_string(),
    }
}

/// The AlgorithmIdentifier that our signatures have, in DER.
pub(crate) fn identifier(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::Ed25519 => &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70],
        Algorithm::EcdsaP256 => &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
        Algorithm::EcdsaP384 => &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03],
        Algorithm::RsaPkcs1Sha256 => &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlv::Reader;

    #[test]
    fn our_identifiers_read_back() {
        for algorithm in [Algorithm::Ed25519, Algorithm::EcdsaP256, Algorithm::EcdsaP384, Algorithm::RsaPkcs1Sha256] {
            let element = Reader::only(identifier(algorithm), tlv::SEQUENCE, "x").unwrap();
            assert_eq!(read(&element), Ok(algorithm.into()));
        }
    }

    #[test]
    fn pss_is_accepted_with_parameters_of_one_kind_only() {
        let of = |parameters: &[u8]| {
            tlv::nested(tlv::SEQUENCE, |id| {
                id.element(tlv::OID, RSA_PSS);
                id.raw(parameters);
            })
        };
        let read = |der: &[u8]| read(&Reader::only(der, tlv::SEQUENCE, "x").unwrap());
        assert_eq!(read(&of(&pss(2, 48))), Ok(SignatureAlgorithm::RsaPssSha384));
        for parameters in [Vec::new(), vec![0x30, 0], pss(1, 20), pss(2, 32)] {
            assert!(matches!(read(&of(&parameters)), Err(AlgorithmFault::Parameters(_))));
        }
    }

    #[test]
    fn weak_and_foreign_algorithms_are_named() {
        for (oid, wanted) in [
            (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05][..], AlgorithmFault::Weak("RSA with SHA-1")),
            (&[0x2a, 0x03, 0x04], AlgorithmFault::Unknown("1.2.3.4".to_owned())),
        ] {
            let der = tlv::nested(tlv::SEQUENCE, |id| id.element(tlv::OID, oid));
            assert_eq!(read(&Reader::only(&der, tlv::SEQUENCE, "x").unwrap()), Err(wanted));
        }
    }
}
