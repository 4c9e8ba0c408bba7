//! The to-be-signed certificate as a value of our own (RFC 5280 section 4.1.2): filled by the profiles in `authority`, encoded
//! once, signed by any [`Signer`] over exactly these bytes.

use std::time::Duration;

use der::asn1::{Any, BitString, ObjectIdentifier, OctetString, SetOfVec};
use der::{DateTime, Decode as _, Encode, Sequence, Tag};
use rustls_pki_types::CertificateDer;
use signet_crypto::sha256;
use signet_crypto::sign::{Algorithm, Signer};
use signet_model::{Entropy, Timestamp};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::Version;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::name::{RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::Time;

use crate::PkiError;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// Upper bound of a common name in characters (RFC 5280 appendix A.1, ub-common-name).
const LONGEST_COMMON_NAME: usize = 64;

/// From when to when a certificate holds. Certificates carry whole seconds; fractions are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: Timestamp,
    /// The last instant.
    pub not_after: Timestamp,
}

impl Validity {
    /// `days` from now, and one hour back for peers whose clocks are behind.
    pub fn days(now: Timestamp, days: u32) -> Self {
        let back = i64::try_from(HOUR.as_micros()).unwrap_or(0);
        Self { not_before: Timestamp::from_micros(now.micros().saturating_sub(back)), not_after: now.plus(DAY.saturating_mul(days)) }
    }

    /// Of a data directory's own authority: 10 years.
    pub fn authority(now: Timestamp) -> Self {
        Self::days(now, 3652)
    }

    /// Of a server certificate: 90 days.
    pub fn server_leaf(now: Timestamp) -> Self {
        Self::days(now, 90)
    }
}

/// The fields that a profile decides; version, serial number and algorithm follow by themselves.
pub(crate) struct ToBeSigned {
    pub(crate) issuer: RdnSequence,
    pub(crate) validity: Validity,
    pub(crate) subject: RdnSequence,
    pub(crate) spki: SubjectPublicKeyInfoOwned,
    pub(crate) extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial: SerialNumber,
    signature: AlgorithmIdentifier<Any>,
    issuer: RdnSequence,
    validity: Period,
    subject: RdnSequence,
    spki: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

#[derive(Sequence)]
struct Period {
    not_before: Time,
    not_after: Time,
}

#[derive(Sequence)]
struct Signed {
    tbs: Any,
    algorithm: AlgorithmIdentifier<Any>,
    signature: BitString,
}

impl ToBeSigned {
    /// Encodes, signs, and puts both together.
    pub(crate) fn sign(self, signer: &dyn Signer, entropy: &dyn Entropy) -> Result<CertificateDer<'static>, PkiError> {
        let algorithm = algorithm_identifier(signer.algorithm());
        let tbs = TbsCertificate {
            version: Version::V3,
            serial: serial_number(entropy)?,
            signature: algorithm.clone(),
            issuer: self.issuer,
            validity: Period { not_before: time(self.validity.not_before)?, not_after: time(self.validity.not_after)? },
            subject: self.subject,
            spki: self.spki,
            extensions: self.extensions,
        };
        let tbs = tbs.to_der().map_err(PkiError::encode)?;
        let signature = signer.sign(&tbs)?;
        let signed = Signed {
            tbs: Any::from_der(&tbs).map_err(PkiError::encode)?,
            algorithm,
            signature: BitString::from_bytes(&signature).map_err(PkiError::encode)?,
        };
        Ok(signed.to_der().map_err(PkiError::encode)?.into())
    }
}

fn algorithm_identifier(algorithm: Algorithm) -> AlgorithmIdentifier<Any> {
    // Parameters are absent for all but RSA, where they are NULL (RFC 8410 section 3, RFC 5758 section 3.2, RFC 4055 section 5).
    let (oid, parameters) = match algorithm {
        Algorithm::Ed25519 => (const_oid::db::rfc8410::ID_ED_25519, None),
        Algorithm::EcdsaP256 => (const_oid::db::rfc5912::ECDSA_WITH_SHA_256, None),
        Algorithm::EcdsaP384 => (const_oid::db::rfc5912::ECDSA_WITH_SHA_384, None),
        Algorithm::RsaPkcs1Sha256 => (const_oid::db::rfc5912::SHA_256_WITH_RSA_ENCRYPTION, Some(Any::null())),
    };
    AlgorithmIdentifier { oid, parameters }
}

/// 16 bytes, 126 of whose bits are random: the top bit clear so that the number is positive, the next one set so that it
/// is never zero or shorter (RFC 5280 section 4.1.2.2).
fn serial_number(entropy: &dyn Entropy) -> Result<SerialNumber, PkiError> {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    let [first, ..] = &mut bytes;
    *first = (*first & 0x3f) | 0x40;
    SerialNumber::new(&bytes).map_err(PkiError::encode)
}

/// UTCTime up to 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
fn time(at: Timestamp) -> Result<Time, PkiError> {
    let seconds = u64::try_from(at.micros().div_euclid(1_000_000)).map_err(|_| PkiError::encode("a time before 1970"))?;
    Ok(Time::from(DateTime::from_unix_duration(Duration::from_secs(seconds)).map_err(PkiError::encode)?))
}

/// A name with nothing but `CN`, as UTF8String.
pub(crate) fn common_name(text: &str) -> Result<RdnSequence, PkiError> {
    if text.is_empty() || text.chars().count() > LONGEST_COMMON_NAME || text.chars().any(char::is_control) {
        return Err(PkiError::Name(format!("a common name is 1 to {LONGEST_COMMON_NAME} characters without control characters")));
    }
    let value = Any::new(Tag::Utf8String, text.as_bytes()).map_err(PkiError::encode)?;
    let attribute = AttributeTypeAndValue { oid: const_oid::db::rfc4519::COMMON_NAME, value };
    let mut part = RelativeDistinguishedName::from(SetOfVec::new());
    part.insert(attribute).map_err(PkiError::encode)?;
    let mut name = RdnSequence::default();
    name.push(part);
    Ok(name)
}

/// An extension with its value encoded.
pub(crate) fn extension(oid: ObjectIdentifier, critical: bool, value: &impl Encode) -> Result<Extension, PkiError> {
    let value = value.to_der().map_err(PkiError::encode)?;
    Ok(Extension { extn_id: oid, critical, extn_value: OctetString::new(value).map_err(PkiError::encode)? })
}

/// The key identifier of a public key: the first 160 bits of SHA-256 over its bits (RFC 7093 section 2, method 1).
pub(crate) fn key_identifier(spki: &SubjectPublicKeyInfoOwned) -> Result<OctetString, PkiError> {
    let digest = sha256(spki.subject_public_key.raw_bytes());
    let (identifier, _) = digest.split_at(20);
    OctetString::new(identifier).map_err(PkiError::encode)
}

/// Reads a SubjectPublicKeyInfo.
pub(crate) fn public_key(der: &[u8]) -> Result<SubjectPublicKeyInfoOwned, PkiError> {
    SubjectPublicKeyInfoOwned::from_der(der).map_err(|e| PkiError::malformed("the public key", e))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn serial_numbers_are_positive_and_16_bytes_whatever_is_drawn() {
        for drawn in [0, 1, 0x7f, 0x80, 0xff] {
            let der = serial_number(&Constant(drawn)).unwrap().to_der().unwrap();
            assert_eq!(der[..2], [0x02, 16], "{drawn}");
            assert_eq!(der[2] & 0xc0, 0x40, "{drawn}");
        }
    }

    #[test]
    fn times_change_form_with_the_year_2050() {
        let at = |text: &str| time(text.parse().unwrap()).unwrap();
        assert!(matches!(at("2049-12-31T23:59:59.900000Z"), Time::UtcTime(_)));
        assert!(matches!(at("2050-01-01T00:00:00Z"), Time::GeneralTime(_)));
        assert!(time(Timestamp::from_micros(-1)).is_err());
    }

    #[test]
    fn a_common_name_is_bounded() {
        assert!(common_name(&"x".repeat(64)).is_ok());
        assert!(common_name(&"x".repeat(65)).is_err() && common_name("").is_err() && common_name("a\nb").is_err());
    }
}
