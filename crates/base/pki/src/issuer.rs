//! What a certificate needs of its issuer, encoded once for all the certificates that it issues.

use signet_crypto::sign::Algorithm;
use signet_model::Timestamp;

use crate::tlv::{self, Writer};
use crate::{CaCertificate, Name, PkiError, PublicKey, Validity, oid};

/// An issuer's name, key and limits, with the parts that stand in each of its certificates.
#[derive(Clone, Debug)]
pub struct IssuerFacts {
    name: Name,
    key_identifier: Vec<u8>,
    spki_sha256: [u8; 32],
    algorithm: Algorithm,
    validity: Validity,
    path_len: Option<u8>,
    self_signed: bool,
    authority_key_identifier: Vec<u8>,
}

impl IssuerFacts {
    /// The facts of a CA certificate. Its key must be one that the key policy lets pass.
    ///
    /// # Errors
    /// [`PkiError::WeakKey`] or [`PkiError::UnsupportedPublicKey`].
    pub fn of(ca: &CaCertificate) -> Result<Self, PkiError> {
        let key = PublicKey::from_spki_der(ca.spki())?;
        let validity = Validity { not_before: ca.not_before(), not_after: ca.not_after() };
        Ok(Self::new(ca.subject().clone(), ca.key_identifier().to_vec(), &key, validity, ca.path_len(), false))
    }

    /// The facts of an authority that is about to sign its own certificate.
    pub fn self_signed(name: Name, key: &PublicKey, validity: Validity) -> Self {
        Self::new(name, key.key_identifier().to_vec(), key, validity, None, true)
    }

    fn new(name: Name, key_identifier: Vec<u8>, key: &PublicKey, validity: Validity, path_len: Option<u8>, self_signed: bool) -> Self {
        let authority_key_identifier = extension(oid::AUTHORITY_KEY_IDENTIFIER, false, |value| {
            value.nested(tlv::SEQUENCE, |authority| authority.element(tlv::context_primitive(0), &key_identifier));
        });
        let (spki_sha256, algorithm) = (key.spki_sha256(), key.key_type().algorithm());
        Self { name, key_identifier, spki_sha256, algorithm, validity, path_len, self_signed, authority_key_identifier }
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The identifier of its key, which its certificates name.
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// SHA-256 of its SubjectPublicKeyInfo.
    pub fn spki_sha256(&self) -> [u8; 32] {
        self.spki_sha256
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// From when it holds.
    pub fn not_before(&self) -> Timestamp {
        self.validity.not_before
    }

    /// Until when it holds.
    pub fn not_after(&self) -> Timestamp {
        self.validity.not_after
    }

    /// How many authorities may stand below it.
    pub fn path_len(&self) -> Option<u8> {
        self.path_len
    }

    /// Whether the certificate to be made is its own.
    pub fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    /// The authorityKeyIdentifier of its certificates as an encoded extension.
    pub(crate) fn authority_key_identifier(&self) -> &[u8] {
        &self.authority_key_identifier
    }
}

/// An encoded extension whose value `fill` writes.
pub(crate) fn extension(oid: &[u8], critical: bool, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64);
    write_extension(&mut writer, oid, critical, fill);
    writer.finish()
}

/// Adds an extension whose value `fill` writes.
pub(crate) fn write_extension(writer: &mut Writer, oid: &[u8], critical: bool, fill: impl FnOnce(&mut Writer)) {
    writer.nested(tlv::SEQUENCE, |extension| {
        extension.element(tlv::OID, oid);
        if critical {
            extension.element(tlv::BOOLEAN, &[0xff]);
        }
        extension.nested(tlv::OCTET_STRING, fill);
    });
}
