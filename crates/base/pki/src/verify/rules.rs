//! What each certificate of a path must satisfy by itself (tokens.md 4.2, RFC 5280 section 6.1).

use signet_crypto::sign::SignatureAlgorithm;
use signet_model::{Timestamp, log_text};

use super::{PathError, PathFault, Place, Purpose, extensions};
use crate::lint::view::View;
use crate::{CaCertificate, PublicKey, Serial, algorithm, certificate_facts, oid, time};

/// keyUsage: the bits of the first byte.
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;
/// The extensions that are understood when they are critical.
const UNDERSTOOD: [&[u8]; 6] = [
    oid::KEY_USAGE,
    oid::SUBJECT_ALT_NAME,
    oid::BASIC_CONSTRAINTS,
    oid::NAME_CONSTRAINTS,
    oid::CRL_DISTRIBUTION_POINTS,
    oid::EXTENDED_KEY_USAGE,
];

/// The rules of the certificate at the lower end.
pub(super) fn leaf(view: &View<'_>, at: Timestamp, purpose: Purpose) -> Result<(), PathError> {
    let refuse = |fault, detail: String| Err(PathError::of(Place::Leaf, view, fault, detail));
    common(Place::Leaf, view, at)?;
    if let Err(fault) = &view.key {
        return refuse(PathFault::Key, format!("its key: {fault}"));
    }
    if view.is_authority() {
        return refuse(PathFault::Purpose, "it is an authority's (CA:TRUE), not one to be used by itself".to_owned());
    }
    if view.key_usage().is_some_and(|(bits, _)| bits & DIGITAL_SIGNATURE == 0) {
        return refuse(PathFault::Purpose, "its keyUsage lacks digitalSignature".to_owned());
    }
    if !purpose.allowed_by(view.purposes()) {
        return refuse(PathFault::Purpose, format!("its extendedKeyUsage lacks {}", oid::name(purpose.oid())));
    }
    if view.subject.attributes().iter().any(|attribute| attribute.text().is_none()) {
        return refuse(PathFault::Names, "a part of its subject is no text, or not in the encoding that it states".to_owned());
    }
    // A name that is cut at a NUL by one reader and not by another is two names (CVE-2026-47778).
    let in_subject =
        view.subject.attributes().iter().filter_map(|attribute| attribute.text()).any(|text| text.chars().any(char::is_control));
    let in_names = view.names().iter().any(|name| matches!(name.tag, 0x81 | 0x82 | 0x86) && name.body.iter().any(u8::is_ascii_control));
    if in_subject || in_names {
        return refuse(PathFault::Names, "a name in it has control characters".to_owned());
    }
    Ok(())
}

/// The rules of an authority with `below` others between it and the leaf.
pub(super) fn authority(place: Place, view: &View<'_>, at: Timestamp, purpose: Purpose, below: usize) -> Result<(), PathError> {
    let refuse = |fault, detail: String| Err(PathError::of(place, view, fault, detail));
    if view.version != [2] {
        return refuse(PathFault::Version, format!("it is of version {}, and no authority for that", certificate_facts::version(view)));
    }
    common(place, view, at)?;
    if let Err(fault) = &view.key {
        return refuse(PathFault::Key, format!("its key: {fault}"));
    }
    if !view.is_authority() {
        return refuse(PathFault::NotAnAuthority, "its basicConstraints do not say CA:TRUE".to_owned());
    }
    if view.key_usage().is_some_and(|(bits, _)| bits & KEY_CERT_SIGN == 0) {
        return refuse(PathFault::NotAnAuthority, "its keyUsage lacks keyCertSign".to_owned());
    }
    if view.purposes().is_some() && !purpose.allowed_by(view.purposes()) {
        let wanted = oid::name(purpose.oid());
        return refuse(PathFault::Purpose, format!("its extendedKeyUsage lacks {wanted}, so what it issues lacks that too"));
    }
    if certificate_facts::path_len(view).is_some_and(|allowed| usize::try_from(allowed).is_ok_and(|allowed| below > allowed)) {
        return refuse(PathFault::PathLength, format!("its path length does not allow {below} authorities below it"));
    }
    Ok(())
}

/// The rules of a trusted authority, which was checked to be one when it was trusted.
pub(super) fn anchor(number: usize, anchor: &CaCertificate, at: Timestamp, below: usize) -> Result<(), PathError> {
    let refuse = |fault, detail: String| Err(PathError::named(Place::Anchor(number), anchor.subject(), fault, detail));
    if at < anchor.not_before() {
        return refuse(PathFault::NotYetValid, format!("it is valid from {} on", time::rfc3339(anchor.not_before())));
    }
    if at > anchor.not_after() {
        return refuse(PathFault::Expired, format!("it expired at {}", time::rfc3339(anchor.not_after())));
    }
    if anchor.path_len().is_some_and(|allowed| below > usize::from(allowed)) {
        return refuse(PathFault::PathLength, format!("its path length does not allow {below} authorities below it"));
    }
    Ok(())
}

fn common(place: Place, view: &View<'_>, at: Timestamp) -> Result<(), PathError> {
    let refuse = |fault, detail: String| Err(PathError::of(place, view, fault, detail));
    accepted_algorithm(place, view)?;
    if view.inner_algorithm.raw != view.outer_algorithm.raw {
        return refuse(PathFault::Malformed, "the algorithm inside differs from the one outside".to_owned());
    }
    match Serial::from_der_bytes(view.serial) {
        Err(error) => return refuse(PathFault::Malformed, error.to_string()),
        // Two spellings of one number would be two certificates to whoever compares bytes.
        Ok(serial) if serial.to_der_bytes() != view.serial => {
            return refuse(PathFault::Malformed, "its serial number is not as short as it can be".to_owned());
        }
        Ok(_) => {}
    }
    let date = |element, which: &str| {
        time::read(element).map_err(|fault| PathError::of(place, view, PathFault::Malformed, format!("its {which} date: {fault}")))
    };
    let (not_before, not_after) = (date(&view.not_before, "first")?, date(&view.not_after, "last")?);
    if at < not_before {
        return refuse(PathFault::NotYetValid, format!("it is valid from {} on", time::rfc3339(not_before)));
    }
    if at > not_after {
        return refuse(PathFault::Expired, format!("it expired at {}", time::rfc3339(not_after)));
    }
    for (index, extension) in view.extensions.iter().enumerate() {
        if view.extensions.iter().take(index).any(|other| other.oid == extension.oid) {
            return refuse(PathFault::Malformed, format!("the extension {} stands in it twice", oid::name(extension.oid)));
        }
        if !extensions::well_formed(extension.oid, extension.value) {
            return refuse(PathFault::Malformed, format!("the extension {} cannot be read", oid::name(extension.oid)));
        }
        if extension.critical && !UNDERSTOOD.contains(&extension.oid) {
            return refuse(PathFault::CriticalExtension, format!("the critical extension {} is not understood", oid::name(extension.oid)));
        }
    }
    Ok(())
}

/// The algorithm of the signature on a certificate, when it is one that is accepted.
pub(super) fn accepted_algorithm(place: Place, view: &View<'_>) -> Result<SignatureAlgorithm, PathError> {
    algorithm::read(&view.outer_algorithm).map_err(|fault| {
        PathError::of(place, view, PathFault::Signature, format!("it is signed with {}", log_text(&fault.to_string(), 200)))
    })
}

/// What the key policy has against a key.
pub(super) fn refused_key(spki: &[u8]) -> Option<String> {
    PublicKey::judge(spki).err().map(|fault| log_text(&fault.to_string(), 200))
}
