//! What a certificate of anybody says, read strictly and within bounds, never verified: for imports, for what a key server returns,
//! for the search by names.

use serde::Serialize;
use signet_crypto::sha256;
use signet_model::{Timestamp, log_text};

use crate::lint::view::View;
use crate::subject_name::address_of;
use crate::tlv::{self, Element, Reader};
use crate::{IssuerName, Name, PkiError, PublicKey, Serial, oid, time};

/// The longest certificate in bytes that is read.
pub const LONGEST_CERTIFICATE: usize = 64 * 1024;
/// The most addresses of one kind that are read from a certificate.
const MOST_ADDRESSES: usize = 16;
/// The longest name or address that is kept, in characters.
const LONGEST_TEXT: usize = 1024;

/// A name that a certificate has beside its subject, whatever its kind. Control characters are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct FoundName {
    /// `dns`, `ip`, `uri`, `email`, `directory`, `registered-id`, `other` with its identifier, or the tag's number.
    pub kind: String,
    /// The name; in hexadecimal when it is no text.
    pub value: String,
}

/// What one certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// 1 or 3; 2 is not used by anybody.
    pub version: u8,
    /// Whose it is.
    pub subject: Name,
    /// Who issued it.
    pub issuer: Name,
    /// Who issued it, as certificates are looked up by.
    pub issuer_name: IssuerName,
    /// Its serial number.
    pub serial: Serial,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when it holds.
    pub not_after: Timestamp,
    /// Its public key, or what the key policy has against it.
    pub key: Result<PublicKey, PkiError>,
    /// SHA-256 of its SubjectPublicKeyInfo; of a compressed point, with the point uncompressed.
    pub spki_sha256: [u8; 32],
    /// SHA-256 of the whole certificate.
    pub fingerprint: [u8; 32],
    /// The names beside its subject.
    pub names: Vec<FoundName>,
    /// The identifier of its key.
    pub subject_key_identifier: Option<Vec<u8>>,
    /// The identifier of the key that issued it.
    pub authority_key_identifier: Option<Vec<u8>>,
    /// Whether it says CA:TRUE.
    pub is_ca: bool,
    /// How many authorities may stand below it.
    pub path_len: Option<u32>,
    /// Where its revocation list is.
    pub crl_urls: Vec<String>,
    /// Where its OCSP responder is.
    pub ocsp_urls: Vec<String>,
}

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it is none, is longer than [`LONGEST_CERTIFICATE`], or has a date that is not allowed, naming
    /// what is wrong with it: a fraction of a second, no seconds, an offset. [`PkiError::Serial`] for a number of more than 20 bytes.
    pub fn read(der: &[u8]) -> Result<Self, PkiError> {
        let view = bounded(der)?;
        let date = |element: &Element<'_>, what| time::read(element).map_err(|fault| PkiError::malformed(what, fault));
        let key = view.key.clone().map_err(PkiError::from);
        Ok(Self {
            version: version(&view),
            issuer_name: view.issuer.canonical(),
            serial: Serial::from_der_bytes(view.serial)?,
            not_before: date(&view.not_before, "the first date of the certificate")?,
            not_after: date(&view.not_after, "the last date of the certificate")?,
            spki_sha256: key.as_ref().map_or_else(|_| sha256(view.spki.raw), PublicKey::spki_sha256),
            fingerprint: sha256(der),
            names: names(&view),
            subject_key_identifier: subject_key_identifier(&view).map(<[u8]>::to_vec),
            authority_key_identifier: authority_key_identifier(&view).map(<[u8]>::to_vec),
            is_ca: view.is_authority(),
            path_len: path_len(&view),
            crl_urls: crl_urls(&view),
            ocsp_urls: access(&view, oid::ACCESS_OCSP),
            subject: view.subject,
            issuer: view.issuer,
            key,
        })
    }
}

/// The parts of a certificate that is not too long.
pub(crate) fn bounded(der: &[u8]) -> Result<View<'_>, PkiError> {
    if der.len() > LONGEST_CERTIFICATE {
        return Err(PkiError::malformed("the certificate", format!("it is longer than {LONGEST_CERTIFICATE} bytes")));
    }
    View::read(der, None)
}

/// The version as people count it.
pub(crate) fn version(view: &View<'_>) -> u8 {
    view.version.first().map_or(1, |version| version.saturating_add(1))
}

/// The path length, when it is a number that fits.
pub(crate) fn path_len(view: &View<'_>) -> Option<u32> {
    let (_, length) = view.constraints()?;
    let length = length?;
    // More than four bytes is further than any path goes.
    let fits = length.len() <= 4 && length.first().is_some_and(|first| first & 0x80 == 0);
    let value = length.iter().fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
    Some(if fits { value } else { u32::MAX })
}

pub(crate) fn subject_key_identifier<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    Reader::only(view.extension(oid::SUBJECT_KEY_IDENTIFIER)?.value, tlv::OCTET_STRING, "").ok().map(|identifier| identifier.body)
}

pub(crate) fn authority_key_identifier<'a>(view: &View<'a>) -> Option<&'a [u8]> {
    let mut fields = Reader::only(view.extension(oid::AUTHORITY_KEY_IDENTIFIER)?.value, tlv::SEQUENCE, "").ok()?.inner();
    fields.optional(tlv::context_primitive(0)).ok()?.map(|identifier| identifier.body)
}

/// The names of subjectAltName.
pub(crate) fn names(view: &View<'_>) -> Vec<FoundName> {
    view.names().iter().map(name).collect()
}

/// A `GeneralName` as text.
pub(crate) fn name(name: &Element<'_>) -> FoundName {
    let text = |bytes: &[u8]| log_text(&String::from_utf8_lossy(bytes), LONGEST_TEXT);
    let hex = |bytes: &[u8]| tlv::hex(bytes.get(..bytes.len().min(LONGEST_TEXT)).unwrap_or_default());
    let (kind, value) = match name.tag {
        0x81 => ("email".to_owned(), text(name.body)),
        0x82 => ("dns".to_owned(), text(name.body)),
        0x86 => ("uri".to_owned(), text(name.body)),
        0x87 => ("ip".to_owned(), address_of(name.body).map_or_else(|| hex(name.body), |address| address.to_string())),
        0x88 => ("registered-id".to_owned(), tlv::oid_text(name.body)),
        0xa4 => {
            let directory = Name::from_der(name.body).map(|name| log_text(&name.go_text(), LONGEST_TEXT));
            ("directory".to_owned(), directory.unwrap_or_else(|_| hex(name.body)))
        }
        0xa0 => {
            let mut fields = name.inner();
            let id = fields.expect(tlv::OID, "").map_or_else(|_| "without identifier".to_owned(), |id| tlv::oid_text(id.body));
            // The value is text often enough (user principal names).
            let value = fields.any().ok().and_then(|value| value.inner().any().ok());
            let value = value.map(|value| std::str::from_utf8(value.body).map_or_else(|_| hex(value.body), |_| text(value.body)));
            (format!("other {id}"), value.unwrap_or_default())
        }
        other => (format!("{other:#04x}"), hex(name.body)),
    };
    FoundName { kind, value }
}

/// The addresses of cRLDistributionPoints.
pub(crate) fn crl_urls(view: &View<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    let Some(points) = view.extension(oid::CRL_DISTRIBUTION_POINTS) else { return urls };
    let Ok(points) = Reader::only(points.value, tlv::SEQUENCE, "") else { return urls };
    let mut points = points.inner();
    while let Ok(point) = points.expect(tlv::SEQUENCE, "") {
        let name = point.inner().optional(tlv::context(0)).ok().flatten();
        let full = name.and_then(|name| name.inner().optional(tlv::context(0)).ok().flatten());
        let mut names = full.map_or_else(|| Reader::new(&[]), |full| full.inner());
        while let Ok(name) = names.any() {
            push_url(&mut urls, &name);
        }
    }
    urls
}

/// The addresses of authorityInfoAccess for one method.
pub(crate) fn access(view: &View<'_>, method: &[u8]) -> Vec<String> {
    let mut urls = Vec::new();
    let Some(access) = view.extension(oid::AUTHORITY_INFO_ACCESS) else { return urls };
    let Ok(list) = Reader::only(access.value, tlv::SEQUENCE, "") else { return urls };
    let mut list = list.inner();
    while let Ok(description) = list.expect(tlv::SEQUENCE, "") {
        let mut fields = description.inner();
        if let (Ok(found), Ok(place)) = (fields.expect(tlv::OID, ""), fields.any())
            && found.body == method
        {
            push_url(&mut urls, &place);
        }
    }
    urls
}

fn push_url(urls: &mut Vec<String>, found: &Element<'_>) {
    if found.tag == tlv::context_primitive(6) && urls.len() < MOST_ADDRESSES {
        urls.push(name(found).value);
    }
}
