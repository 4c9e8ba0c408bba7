//! A certificate that was found to be an authority's, with what issuing under it needs.

use der::{Decode as _, Encode as _};
use rustls_pki_types::CertificateDer;
use signet_crypto::sign::Signer;
use signet_model::Timestamp;
use x509_cert::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};

use crate::pem;
use crate::public_key::{key_identifier, split};
use crate::signed::Signed;
use crate::{LeafFacts, Name, PkiError};

/// The certificate of an authority: it says CA:TRUE, and keyCertSign if it has a keyUsage.
#[derive(Clone, Debug)]
pub struct CaCertificate {
    der: CertificateDer<'static>,
    subject: Name,
    key_identifier: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    path_len: Option<u8>,
    spki: Vec<u8>,
}

impl CaCertificate {
    /// Reads and checks a CA certificate.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it is no certificate, [`PkiError::NotAnAuthority`] when it may not issue.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, PkiError> {
        let parsed = parse(&der)?;
        let tbs = parsed.tbs_certificate();
        let path_len = match extension::<BasicConstraints>(&parsed)? {
            Some(constraints) if constraints.ca => constraints.path_len_constraint,
            _ => return Err(PkiError::NotAnAuthority("its basicConstraints do not say CA:TRUE")),
        };
        if extension::<KeyUsage>(&parsed)?.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(PkiError::NotAnAuthority("its keyUsage lacks keyCertSign"));
        }
        let key_identifier = match extension::<SubjectKeyIdentifier>(&parsed)? {
            Some(identifier) => identifier.0.as_bytes().to_vec(),
            None => key_identifier(tbs.subject_public_key_info().subject_public_key.raw_bytes()).to_vec(),
        };
        let facts = LeafFacts::of(&parsed)?;
        let spki = tbs.subject_public_key_info().to_der().map_err(PkiError::encode)?;
        let subject = Name::from_der(&tbs.subject().to_der().map_err(PkiError::encode)?)?;
        Ok(Self { der, subject, key_identifier, not_before: facts.not_before, not_after: facts.not_after, path_len, spki })
    }

    /// The same from a PEM text; its first certificate counts.
    ///
    /// # Errors
    /// As [`CaCertificate::from_der`] and [`pem::certificates`].
    pub fn from_pem(text: &[u8]) -> Result<Self, PkiError> {
        let first = pem::certificates(text)?.into_iter().next();
        Self::from_der(first.ok_or_else(|| PkiError::NoCertificate { found: "nothing".to_owned() })?)
    }

    /// The certificate itself.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// The certificate as PEM.
    pub fn to_pem(&self) -> String {
        pem::write_certificate(&self.der)
    }

    /// The key identifier that certificates issued under it name.
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// Its subject, which is the issuer of what it issues.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// From when it holds.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Until when it holds.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// How many authorities may stand below it; none when it does not say.
    pub fn path_len(&self) -> Option<u8> {
        self.path_len
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The bits of the key, as OCSP names an issuer by.
    pub fn key_bits(&self) -> &[u8] {
        // The structure was read when this was made.
        split(&self.spki).map(|(_, bits)| bits).unwrap_or_default()
    }

    /// Checks that `signer` holds this certificate's key.
    ///
    /// # Errors
    /// [`PkiError::KeyMismatch`] with both fingerprints.
    pub fn check_signer(&self, signer: &dyn Signer) -> Result<(), PkiError> {
        pem::same_key(&self.spki, &signer.public_key_spki_der())
    }

    /// Checks that `issuer`'s key signed this certificate; nothing else of a chain.
    ///
    /// # Errors
    /// [`PkiError::Sign`] when it did not, [`PkiError::Malformed`] for an algorithm that is not accepted.
    pub fn check_signed_by(&self, issuer: &Self) -> Result<(), PkiError> {
        const WHAT: &str = "the certificate";
        Signed::read(&self.der, WHAT)?.verify(&issuer.spki, WHAT)
    }
}

/// Reads a certificate, strictly.
pub(crate) fn parse(der: &CertificateDer<'_>) -> Result<Certificate, PkiError> {
    Certificate::from_der(der).map_err(|e| PkiError::malformed("the certificate", e))
}

/// An extension's value, if the certificate has it.
pub(crate) fn extension<'a, T: der::Decode<'a, Error = der::Error> + const_oid::AssociatedOid>(
    certificate: &'a Certificate,
) -> Result<Option<T>, PkiError> {
    let found = certificate.tbs_certificate().get_extension::<T>().map_err(|e| PkiError::malformed("an extension", e))?;
    Ok(found.map(|(_, value)| value))
}
