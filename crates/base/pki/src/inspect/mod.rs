//! Explains any file that has to do with certificates, as `signet cert show` prints it: PEM with several objects, a DER certificate,
//! request, revocation list or PKCS#7 file. What is faulty is explained as far as it can be read, and its faults are named. Nothing is
//! verified but a request's own signature, and no secret is shown.

mod certificate;
mod list;
mod request;

use serde::Serialize;
use signet_crypto::sha256;

pub use certificate::{CertificateShown, ConstraintsShown, ExtensionShown, KeyShown};
pub use list::{ListShown, PointShown, RevokedShown};
pub use request::{RequestShown, SignatureShown};

use crate::pem::{self, Object};
use crate::tlv::{self, Reader, hex};
use crate::{Crl, LONGEST_CERTIFICATE, LONGEST_CRL, LONGEST_CSR, Pkcs7, PkiError};

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// Its objects, in the order of the file.
    pub objects: Vec<Shown>,
}

/// One object of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shown {
    /// A certificate.
    Certificate(Box<CertificateShown>),
    /// A certificate request.
    CertificateRequest(Box<RequestShown>),
    /// A revocation list.
    RevocationList(Box<ListShown>),
    /// PKCS#7, with the certificates in it.
    Pkcs7 {
        /// How many have signed its content; none in the degenerate form.
        signers: usize,
        /// Its certificates.
        certificates: Vec<Shown>,
    },
    /// A private key. Nothing of it is shown but the fingerprint of its public half.
    PrivateKey {
        /// Whether it needs a passphrase.
        encrypted: bool,
        /// SHA-256 of the SubjectPublicKeyInfo, hexadecimal; none for an encrypted key or an unknown kind.
        public_sha256: Option<String>,
    },
    /// Something else, or damaged beyond reading.
    Other {
        /// The label of its PEM block.
        label: Option<String>,
        /// What it is, or what keeps it from being read.
        fault: String,
    },
}

/// Explains a file.
///
/// # Errors
/// [`PkiError::Malformed`] when it is neither PEM nor any of these objects in DER or base64 of it, or is too long; [`PkiError::Encoding`] for UTF-16.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, PkiError> {
    // DER begins with the tag of a SEQUENCE, which is the digit 0 in a text: no PEM file has it there before a length byte.
    if matches!(bytes, [0x30, 0x80..=0x84, ..]) {
        return Ok(Inspection { objects: vec![der(bytes)?] });
    }
    let objects = pem::objects(bytes)?;
    if objects.is_empty() {
        if let Some(bytes) = pem::bare_base64(bytes) {
            return Ok(Inspection { objects: vec![der(&bytes)?] });
        }
        let found = "it is neither PEM nor a certificate, request, revocation list or PKCS#7 file in DER";
        return Err(PkiError::malformed("the file", found));
    }
    Ok(Inspection { objects: objects.into_iter().map(block).collect() })
}

fn block(object: Object) -> Shown {
    let Object { label, der: bytes, encrypted } = object;
    let other = |fault: String| Shown::Other { label: Some(label.clone()), fault };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        // An encrypted key of the old form has headers in its body.
        Err(_) if encrypted => return Shown::PrivateKey { encrypted: true, public_sha256: None },
        Err(error) => return other(error.to_string()),
    };
    if label.ends_with("PRIVATE KEY") {
        let public = if encrypted { None } else { pem::PrivateKey::from_pkcs8(bytes.as_slice().into()).public_key_spki().ok() };
        return Shown::PrivateKey { encrypted, public_sha256: public.map(|spki| hex(&sha256(&spki))) };
    }
    let shown = match label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => certificate::show(&bytes),
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => request::show(&bytes),
        "X509 CRL" => list_of(&bytes),
        "PKCS7" | "CMS" => pkcs7(&bytes),
        _ => return other("not an object that is explained here".to_owned()),
    };
    shown.unwrap_or_else(|error| other(error.to_string()))
}

/// An object of which only the bytes are known.
fn der(bytes: &[u8]) -> Result<Shown, PkiError> {
    let longest = LONGEST_CRL.max(LONGEST_CSR).max(LONGEST_CERTIFICATE);
    if bytes.len() > longest {
        return Err(PkiError::malformed("the file", format!("it is longer than {longest} bytes")));
    }
    // Only PKCS#7 is read with indefinite lengths.
    if bytes.get(1) == Some(&0x80) {
        return pkcs7(bytes);
    }
    let mut outer = Reader::only(bytes, tlv::SEQUENCE, "the file")?.inner();
    if outer.peek() == Some(tlv::OID) {
        return pkcs7(bytes);
    }
    // All others sign a SEQUENCE, and its first elements tell which it is.
    let mut content = outer.expect(tlv::SEQUENCE, "the file")?.inner();
    match content.peek() {
        Some(tlv::INTEGER) => {
            let number = content.any()?.body;
            let next = content.expect(tlv::SEQUENCE, "the file")?;
            match (number, content.peek()) {
                // A name and a key follow the version of a request; a key's SEQUENCE begins with another one.
                ([0], Some(tlv::SEQUENCE)) if next.inner().peek() != Some(tlv::OID) => request::show(bytes),
                ([1], Some(tlv::SEQUENCE)) if is_list(content) => list_of(bytes),
                _ => certificate::show(bytes),
            }
        }
        Some(tlv::SEQUENCE) => list_of(bytes),
        _ => certificate::show(bytes),
    }
}

/// Whether a time follows the issuer, where a certificate of version 1 has a SEQUENCE of two.
fn is_list(mut content: Reader<'_>) -> bool {
    content.any().is_ok() && matches!(content.peek(), Some(tlv::UTC_TIME | tlv::GENERALIZED_TIME))
}

fn list_of(bytes: &[u8]) -> Result<Shown, PkiError> {
    Ok(Shown::RevocationList(Box::new(list::show(&Crl::parse(bytes)?, bytes))))
}

fn pkcs7(bytes: &[u8]) -> Result<Shown, PkiError> {
    let read = Pkcs7::parse(bytes)?;
    let one = |der: &rustls_pki_types::CertificateDer<'_>| {
        certificate::show(der).unwrap_or_else(|error| Shown::Other { label: None, fault: error.to_string() })
    };
    Ok(Shown::Pkcs7 { signers: read.signers(), certificates: read.certificates().iter().map(one).collect() })
}
