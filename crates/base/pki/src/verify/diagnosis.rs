//! What is truly wrong with a chain that does not hold: the path builder says of nearly everything that the issuer is unknown, so
//! the path is walked once more, link by link, until one does not fit.

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::verify_signature;
use signet_model::{Timestamp, log_text};

use super::{PathError, PathFault, PathVerifier, Place, Purpose, rules};
use crate::lint::view::View;
use crate::signed::Signed;
use crate::{Name, certificate_facts, tlv};

/// Finds the fault for which `error` stands. At most each certificate that came along is looked at once for each step of the path.
pub(super) fn diagnose(
    verifier: &PathVerifier,
    (leaf_view, leaf): (&View<'_>, &CertificateDer<'_>),
    intermediates: &[CertificateDer<'_>],
    (at, purpose): (Timestamp, Purpose),
    error: &webpki::Error,
) -> PathError {
    let mut walk = Walk { verifier, intermediates, at, purpose, used: Vec::new(), fault: None };
    walk.step(Place::Leaf, leaf_view, leaf);
    walk.fault.unwrap_or_else(|| {
        let detail = match fault_of(error) {
            PathFault::Names => "its names are outside the name constraints of an authority above it".to_owned(),
            _ => format!("the chain does not hold: {error}"),
        };
        PathError::of(Place::Leaf, leaf_view, fault_of(error), detail)
    })
}

struct Walk<'a> {
    verifier: &'a PathVerifier,
    intermediates: &'a [CertificateDer<'a>],
    at: Timestamp,
    purpose: Purpose,
    /// The certificates of the path so far, which are not used twice.
    used: Vec<usize>,
    fault: Option<PathError>,
}

impl Walk<'_> {
    /// Looks for the issuer of `lower`; notes the fault of the path that leads furthest.
    fn step(&mut self, place: Place, lower: &View<'_>, der: &CertificateDer<'_>) {
        let issuer = lower.issuer.canonical();
        let mut link_fault = None;
        for (number, anchor) in self.verifier.anchors.iter().enumerate() {
            let anchor = anchor.certificate();
            if anchor.subject().canonical() != issuer {
                continue;
            }
            match link(place, lower, der, Place::Anchor(number), anchor.subject(), anchor.spki()) {
                Ok(()) => {
                    // The rules may hold: then the builder's own words are all that is known.
                    self.fault = rules::anchor(number, anchor, self.at, self.used.len()).err().or(self.fault.take());
                    return;
                }
                Err(error) => link_fault = Some(error),
            }
        }
        let mut unreadable = None;
        for (number, candidate) in self.intermediates.iter().enumerate().filter(|(number, _)| !self.used.contains(number)) {
            let place_above = Place::Intermediate(number);
            let view = match certificate_facts::bounded(candidate) {
                Ok(view) => view,
                Err(error) => {
                    unreadable = Some(PathError::unreadable(place_above, &error));
                    continue;
                }
            };
            if view.subject.canonical() != issuer {
                continue;
            }
            match link(place, lower, der, place_above, &view.subject, view.spki.raw) {
                Ok(()) => {
                    match rules::authority(place_above, &view, self.at, self.purpose, self.used.len()) {
                        Err(error) => self.fault = Some(error),
                        Ok(()) => {
                            self.used.push(number);
                            self.step(place_above, &view, candidate);
                        }
                    }
                    return;
                }
                Err(error) => link_fault = Some(error),
            }
        }
        self.fault = Some(link_fault.or(unreadable).unwrap_or_else(|| PathError::unknown_issuer(place, lower)));
    }
}

/// Whether the key of `issuer` signed `lower`, in words if not.
pub(super) fn link(
    place: Place,
    lower: &View<'_>,
    der: &CertificateDer<'_>,
    place_above: Place,
    issuer: &Name,
    issuer_spki: &[u8],
) -> Result<(), PathError> {
    let algorithm = rules::accepted_algorithm(place, lower)?;
    if let Some(refused) = rules::refused_key(issuer_spki) {
        return Err(PathError::named(place_above, issuer, PathFault::Key, format!("its key: {refused}")));
    }
    let signed = Signed::read(der, "the certificate").map_err(|error| PathError::unreadable(place, &error))?;
    if verify_signature(issuer_spki, algorithm, signed.tbs.raw, signed.signature).is_err() {
        let named = certificate_facts::authority_key_identifier(lower);
        let named = named.map_or_else(String::new, |identifier| format!("; it names the key {}", tlv::hex(identifier)));
        let detail =
            format!("it was not signed by the key of {place_above} of the name of its issuer, {}{named}", log_text(&issuer.go_text(), 200));
        return Err(PathError::of(place, lower, PathFault::OtherKey, detail));
    }
    if lower.issuer.der() != issuer.der() {
        let detail = format!("its issuer's name is that of {place_above}, {}, in another encoding", log_text(&issuer.go_text(), 200));
        return Err(PathError::of(place, lower, PathFault::UnknownIssuer, detail));
    }
    Ok(())
}

/// What the path builder means, where the walk found nothing.
fn fault_of(error: &webpki::Error) -> PathFault {
    use webpki::Error as E;
    match error {
        E::NameConstraintViolation | E::UnsupportedNameType | E::MalformedNameConstraint | E::InvalidNetworkMaskConstraint => {
            PathFault::Names
        }
        E::MaximumPathBuildCallsExceeded
        | E::MaximumPathDepthExceeded
        | E::MaximumSignatureChecksExceeded
        | E::MaximumNameConstraintComparisonsExceeded => PathFault::TooLong,
        E::CertExpired { .. } => PathFault::Expired,
        E::CertNotValidYet { .. } => PathFault::NotYetValid,
        E::PathLenConstraintViolated => PathFault::PathLength,
        E::EndEntityUsedAsCa => PathFault::NotAnAuthority,
        E::EmptyEkuExtension | E::RequiredEkuNotFoundContext(_) | E::CaUsedAsEndEntity => PathFault::Purpose,
        E::UnsupportedCriticalExtension => PathFault::CriticalExtension,
        E::UnknownIssuer => PathFault::UnknownIssuer,
        // The enumeration is open; what is left is about encoding.
        _ => PathFault::Malformed,
    }
}
