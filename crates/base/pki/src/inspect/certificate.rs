//! A certificate as people read it.

use serde::Serialize;
use signet_crypto::sha256;
use signet_model::log_text;

use super::Shown;
use crate::certificate_facts::{self, FoundName};
use crate::lint::view::View;
use crate::public_key::KeyFault;
use crate::tlv::{Element, hex};
use crate::{Name, PkiError, PublicKey, Serial, algorithm, oid, time};

/// The bits of keyUsage, from the first one.
const KEY_USAGES: [&str; 8] =
    ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly"];
/// The longest subject or issuer that is shown, in characters.
const LONGEST_NAME: usize = 1024;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyShown {
    /// `p256`, `p384`, `ed25519`, `rsa2048` and the like; none for a key that the key policy refuses.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// SHA-256 of the SubjectPublicKeyInfo, hexadecimal; of a compressed point, with the point uncompressed.
    pub sha256: String,
    /// What the key policy has against it.
    pub fault: Option<String>,
}

/// basicConstraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ConstraintsShown {
    /// CA:TRUE.
    pub ca: bool,
    /// How many authorities may stand below it.
    pub path_len: Option<u32>,
}

/// One extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExtensionShown {
    /// Its name; the dotted identifier of one that is not known.
    pub name: String,
    /// Whether it must be understood.
    pub critical: bool,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateShown {
    /// 1 or 3.
    pub version: u8,
    /// Its subject.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// Its serial number, decimal.
    pub serial: Option<String>,
    /// The same, hexadecimal.
    pub serial_hex: String,
    /// The same, hexadecimal with colons.
    pub serial_colon: Option<String>,
    /// From when it holds; as it stands there when that is no date.
    pub not_before: String,
    /// Until when it holds; as it stands there when that is no date.
    pub not_after: String,
    /// Its key.
    pub key: KeyShown,
    /// What it is signed with.
    pub signature_algorithm: String,
    /// SHA-256 of the whole certificate, hexadecimal.
    pub sha256: String,
    /// The names beside its subject.
    pub names: Vec<FoundName>,
    /// Whether it is an authority's.
    pub basic_constraints: Option<ConstraintsShown>,
    /// What its key may be used for.
    pub key_usage: Vec<&'static str>,
    /// What it may be used for; the dotted identifier of a purpose that is not known.
    pub purposes: Vec<String>,
    /// Where its revocation list is.
    pub crl_urls: Vec<String>,
    /// Where its OCSP responder is.
    pub ocsp_urls: Vec<String>,
    /// Where its issuer's certificate is.
    pub ca_issuers_urls: Vec<String>,
    /// That it will never be revoked (RFC 9608).
    pub no_rev_avail: bool,
    /// The identifier of its key, hexadecimal.
    pub subject_key_identifier: Option<String>,
    /// The identifier of the key that issued it, hexadecimal.
    pub authority_key_identifier: Option<String>,
    /// All extensions, in their order.
    pub extensions: Vec<ExtensionShown>,
    /// What is wrong with it at first sight; `signet cert lint` says more.
    pub faults: Vec<String>,
}

/// Explains a certificate in DER.
pub(super) fn show(der: &[u8]) -> Result<Shown, PkiError> {
    let view = certificate_facts::bounded(der)?;
    let mut faults = Vec::new();
    let serial = Serial::from_der_bytes(view.serial).map_err(|error| faults.push(error.to_string())).ok();
    let not_before = date(&view.not_before, "the first date", &mut faults);
    let not_after = date(&view.not_after, "the last date", &mut faults);
    let key = key(view.spki.raw, &view.key);
    faults.extend(key.fault.iter().map(|fault| format!("the key: {fault}")));
    if view.inner_algorithm.raw != view.outer_algorithm.raw {
        faults.push("the algorithm inside differs from the one outside".to_owned());
    }
    if let Err(fault) = algorithm::read(&view.outer_algorithm) {
        faults.push(format!("it is signed with {fault}"));
    }
    for (index, extension) in view.extensions.iter().enumerate() {
        if view.extensions.iter().take(index).any(|other| other.oid == extension.oid) {
            faults.push(format!("the extension {} stands in it twice", oid::name(extension.oid)));
        }
    }
    let identifier = |bytes: Option<&[u8]>| bytes.map(hex);
    Ok(Shown::Certificate(Box::new(CertificateShown {
        version: certificate_facts::version(&view),
        subject: name(&view.subject),
        issuer: name(&view.issuer),
        serial_hex: serial.as_ref().map_or_else(|| hex(view.serial), Serial::hex),
        serial_colon: serial.as_ref().map(Serial::colon_hex),
        serial: serial.as_ref().map(Serial::decimal),
        not_before,
        not_after,
        key,
        signature_algorithm: algorithm::name(&view.outer_algorithm),
        sha256: hex(&sha256(der)),
        names: certificate_facts::names(&view),
        basic_constraints: view.constraints().map(|(ca, _)| ConstraintsShown { ca, path_len: certificate_facts::path_len(&view) }),
        key_usage: key_usage(&view),
        purposes: view.purposes().unwrap_or_default().iter().map(|purpose| oid::name(purpose)).collect(),
        crl_urls: certificate_facts::crl_urls(&view),
        ocsp_urls: certificate_facts::access(&view, oid::ACCESS_OCSP),
        ca_issuers_urls: certificate_facts::access(&view, oid::ACCESS_CA_ISSUERS),
        no_rev_avail: view.extension(oid::NO_REV_AVAIL).is_some(),
        subject_key_identifier: identifier(certificate_facts::subject_key_identifier(&view)),
        authority_key_identifier: identifier(certificate_facts::authority_key_identifier(&view)),
        extensions: view
            .extensions
            .iter()
            .map(|extension| ExtensionShown { name: oid::name(extension.oid), critical: extension.critical })
            .collect(),
        faults,
    })))
}

/// A name in one line, without control characters.
pub(super) fn name(name: &Name) -> String {
    log_text(&name.go_text(), LONGEST_NAME)
}

/// A public key, judged by the key policy or not.
pub(super) fn key(spki: &[u8], judged: &Result<PublicKey, KeyFault>) -> KeyShown {
    match judged {
        Ok(key) => KeyShown { kind: Some(key.key_type().to_string()), sha256: hex(&key.spki_sha256()), fault: None },
        Err(fault) => KeyShown { kind: None, sha256: hex(&sha256(spki)), fault: Some(log_text(&fault.to_string(), 200)) },
    }
}

/// A date as people read it, or as it stands there with its fault among `faults`.
fn date(element: &Element<'_>, which: &str, faults: &mut Vec<String>) -> String {
    match time::read(element) {
        Ok(at) => time::rfc3339(at),
        Err(fault) => {
            let text = log_text(&String::from_utf8_lossy(element.body), 64);
            faults.push(format!("{which}, {text}: {fault}"));
            text
        }
    }
}

fn key_usage(view: &View<'_>) -> Vec<&'static str> {
    let Some((bits, decipher_only)) = view.key_usage() else { return Vec::new() };
    let mut usages: Vec<_> = (0_u32..).zip(KEY_USAGES).filter(|(bit, _)| bits & (0x80 >> bit) != 0).map(|(_, name)| name).collect();
    if decipher_only {
        usages.push("decipherOnly");
    }
    usages
}
