//! What is asked (RFC 6960 section 4.1), and of which issuer.

use signet_crypto::{sha1_identifier, sha256};

use super::NONCE;
use crate::tlv::{self, Element, Reader};
use crate::{PkiError, oid};

/// The longest request in bytes.
pub const LONGEST_OCSP_REQUEST: usize = 10_000;
/// The most certificates that one request may ask about.
pub const MOST_CERT_IDS: usize = 20;
/// The most extensions of a request.
const MOST_EXTENSIONS: usize = 16;
/// The longest nonce in bytes (RFC 9654 section 2.1).
const LONGEST_NONCE: usize = 128;

const WHAT: &str = "the OCSP request";
const SHA1: &[u8] = &[0x2b, 0x0e, 0x03, 0x02, 0x1a];
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// What the issuer was hashed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertIdHash {
    /// SHA-1, which nearly every client sends. It names an issuer and proves nothing, so its weakness does no harm here.
    Sha1,
    /// SHA-256.
    Sha256,
    /// Anything else: such an issuer is unknown.
    Other,
}

/// Which certificate is meant: hashes of its issuer's name and key, and its serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    raw: Vec<u8>,
    hash: CertIdHash,
    issuer_name_hash: Vec<u8>,
    issuer_key_hash: Vec<u8>,
    serial: Vec<u8>,
}

impl CertId {
    fn read(element: &Element<'_>) -> Result<Self, PkiError> {
        let mut fields = element.inner();
        let mut algorithm = fields.expect(tlv::SEQUENCE, WHAT)?.inner();
        let hash = match algorithm.expect(tlv::OID, WHAT)?.body {
            SHA1 => CertIdHash::Sha1,
            SHA256 => CertIdHash::Sha256,
            _ => CertIdHash::Other,
        };
        let issuer_name_hash = fields.expect(tlv::OCTET_STRING, WHAT)?.body.to_vec();
        let issuer_key_hash = fields.expect(tlv::OCTET_STRING, WHAT)?.body.to_vec();
        let serial = fields.expect(tlv::INTEGER, WHAT)?.body.to_vec();
        fields.end(WHAT)?;
        if serial.is_empty() {
            return Err(PkiError::malformed(WHAT, "a serial number without bytes"));
        }
        Ok(Self { raw: element.raw.to_vec(), hash, issuer_name_hash, issuer_key_hash, serial })
    }

    /// What the issuer was hashed with.
    pub fn hash(&self) -> CertIdHash {
        self.hash
    }

    /// The hash of the issuer's name in DER.
    pub fn issuer_name_hash(&self) -> &[u8] {
        &self.issuer_name_hash
    }

    /// The hash of the bits of the issuer's public key.
    pub fn issuer_key_hash(&self) -> &[u8] {
        &self.issuer_key_hash
    }

    /// The value of the serial number's INTEGER, as it was sent: of any length.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// All of it in DER, as the answer repeats it.
    pub(super) fn der(&self) -> &[u8] {
        &self.raw
    }
}

/// An issuer as requests name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerHashes {
    name_sha1: [u8; 20],
    key_sha1: [u8; 20],
    name_sha256: [u8; 32],
    key_sha256: [u8; 32],
}

impl IssuerHashes {
    /// Of the issuer's name in DER and the bits of its public key (without tag, length and the octet of unused bits).
    pub fn of(name_der: &[u8], key_bits: &[u8]) -> Self {
        Self {
            name_sha1: sha1_identifier(name_der),
            key_sha1: sha1_identifier(key_bits),
            name_sha256: sha256(name_der),
            key_sha256: sha256(key_bits),
        }
    }

    /// Whether `id` means a certificate of this issuer.
    pub fn matches(&self, id: &CertId) -> bool {
        match id.hash {
            CertIdHash::Sha1 => id.issuer_name_hash == self.name_sha1 && id.issuer_key_hash == self.key_sha1,
            CertIdHash::Sha256 => id.issuer_name_hash == self.name_sha256 && id.issuer_key_hash == self.key_sha256,
            CertIdHash::Other => false,
        }
    }

    /// SHA-1 of the key's bits, to look an issuer up by.
    pub fn key_sha1(&self) -> &[u8; 20] {
        &self.key_sha1
    }

    /// SHA-256 of the key's bits, to look an issuer up by.
    pub fn key_sha256(&self) -> &[u8; 32] {
        &self.key_sha256
    }
}

/// A request for the state of certificates. A signature on it is passed over: who asks does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    certs: Vec<CertId>,
    nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// Reads a request in DER: at most 10,000 bytes, 1 to 20 certificates, a nonce of 1 to 128 bytes.
    ///
    /// # Errors
    /// [`PkiError::Malformed`]; the answer is [`OcspError::MalformedRequest`](super::OcspError::MalformedRequest).
    pub fn parse(der: &[u8]) -> Result<Self, PkiError> {
        if der.len() > LONGEST_OCSP_REQUEST {
            return Err(PkiError::malformed(WHAT, format!("it is longer than {LONGEST_OCSP_REQUEST} bytes")));
        }
        let mut outer = Reader::only(der, tlv::SEQUENCE, WHAT)?.inner();
        let mut fields = outer.expect(tlv::SEQUENCE, WHAT)?.inner();
        outer.optional(tlv::context(0))?;
        outer.end(WHAT)?;
        if let Some(version) = fields.optional(tlv::context(0))?
            && Reader::only(version.body, tlv::INTEGER, WHAT)?.body != [0]
        {
            return Err(PkiError::malformed(WHAT, "a version that does not exist"));
        }
        fields.optional(tlv::context(1))?;
        let mut list = fields.expect(tlv::SEQUENCE, WHAT)?.inner();
        let mut request = Self { certs: Vec::new(), nonce: None };
        while !list.is_empty() {
            if request.certs.len() == MOST_CERT_IDS {
                return Err(PkiError::malformed(WHAT, format!("it asks about more than {MOST_CERT_IDS} certificates")));
            }
            let mut single = list.expect(tlv::SEQUENCE, WHAT)?.inner();
            request.certs.push(CertId::read(&single.expect(tlv::SEQUENCE, WHAT)?)?);
            if let Some(extensions) = single.optional(tlv::context(0))? {
                read_extensions(&extensions, |_, _| Ok(false))?;
            }
            single.end(WHAT)?;
        }
        if request.certs.is_empty() {
            return Err(PkiError::malformed(WHAT, "it asks about nothing"));
        }
        if let Some(extensions) = fields.optional(tlv::context(2))? {
            read_extensions(&extensions, |oid, value| match oid {
                NONCE => {
                    let nonce = Reader::only(value, tlv::OCTET_STRING, "the nonce")?.body;
                    if nonce.is_empty() || nonce.len() > LONGEST_NONCE || request.nonce.is_some() {
                        return Err(PkiError::malformed("the nonce", format!("it stands once and has 1 to {LONGEST_NONCE} bytes")));
                    }
                    request.nonce = Some(nonce.to_vec());
                    Ok(true)
                }
                _ => Ok(false),
            })?;
        }
        fields.end(WHAT)?;
        Ok(request)
    }

    /// The certificates that it asks about, in its order; at least one.
    pub fn certs(&self) -> &[CertId] {
        &self.certs
    }

    /// What the answer must repeat so that the client knows it to be fresh.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }
}

/// Hands each extension to `understand`. One that is critical and not understood makes the request unusable.
fn read_extensions(field: &Element<'_>, mut understand: impl FnMut(&[u8], &[u8]) -> Result<bool, PkiError>) -> Result<(), PkiError> {
    let mut list = Reader::only(field.body, tlv::SEQUENCE, WHAT)?.inner();
    let mut count = 0_usize;
    while !list.is_empty() {
        count = count.saturating_add(1);
        if count > MOST_EXTENSIONS {
            return Err(PkiError::malformed(WHAT, format!("it has more than {MOST_EXTENSIONS} extensions")));
        }
        let mut extension = list.expect(tlv::SEQUENCE, WHAT)?.inner();
        let id = extension.expect(tlv::OID, WHAT)?.body;
        let critical = extension.optional(tlv::BOOLEAN)?.is_some_and(|flag| flag.body != [0]);
        let value = extension.expect(tlv::OCTET_STRING, WHAT)?.body;
        extension.end(WHAT)?;
        if !understand(id, value)? && critical {
            return Err(PkiError::malformed(WHAT, format!("the critical extension {} is not understood", oid::name(id))));
        }
    }
    Ok(())
}
