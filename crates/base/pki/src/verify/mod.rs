//! Path verification (RFC 5280 section 6) by rustls-webpki, with what it leaves out: dates and path lengths of anchors, keyUsage,
//! the key policy, names without control characters. When it fails, the reason names the true fault and the certificate.

mod diagnosis;
mod error;
mod extensions;
mod rules;

use std::cell::Cell;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use signet_model::Timestamp;

pub use error::{PATH_REASONS, PathError, PathFault, Place};

use crate::lint::view::View;
use crate::{CaCertificate, PkiError, certificate_facts, oid};

/// The most certificates of a chain, the leaf among them (tokens.md 4.2).
pub const MOST_CHAIN_CERTIFICATES: usize = 10;
/// The longest chain in bytes.
pub const LONGEST_CHAIN: usize = 64 * 1024;

/// What signatures are accepted with. No SHA-1, no RSA below 2048 bits, no curve but P-256 and P-384.
static ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::aws_lc_rs::ECDSA_P256_SHA256,
    webpki::aws_lc_rs::ECDSA_P256_SHA384,
    webpki::aws_lc_rs::ECDSA_P256_SHA512,
    webpki::aws_lc_rs::ECDSA_P384_SHA256,
    webpki::aws_lc_rs::ECDSA_P384_SHA384,
    webpki::aws_lc_rs::ECDSA_P384_SHA512,
    webpki::aws_lc_rs::ED25519,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// What a certificate is to be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A TLS client (id-kp-clientAuth).
    Client,
    /// A TLS server (id-kp-serverAuth).
    Server,
    /// Signing OCSP answers (id-kp-OCSPSigning), which must be said.
    OcspSigning,
}

impl Purpose {
    fn oid(self) -> &'static [u8] {
        match self {
            Self::Client => oid::CLIENT_AUTH,
            Self::Server => oid::SERVER_AUTH,
            Self::OcspSigning => oid::OCSP_SIGNING,
        }
    }

    /// Whether these purposes of a certificate are enough; without any it may be used for everything but OCSP.
    fn allowed_by(self, purposes: Option<&[&[u8]]>) -> bool {
        match purposes {
            None => self != Self::OcspSigning,
            Some(purposes) => {
                purposes.iter().any(|found| *found == self.oid() || (*found == oid::ANY_PURPOSE && self != Self::OcspSigning))
            }
        }
    }
}

/// One certificate that is trusted as it is.
#[derive(Clone, Debug)]
pub struct Anchor {
    certificate: CaCertificate,
    allow_v1_leaf: bool,
}

impl Anchor {
    /// A trusted authority: a root, or an intermediate one whose own issuer does not matter.
    pub fn new(certificate: CaCertificate) -> Self {
        Self { certificate, allow_v1_leaf: false }
    }

    /// The same, and leaves of version 1 that it issued itself are accepted (tokens.md 4.2): old `openssl x509 -req` makes such.
    #[must_use]
    pub fn with_v1_leaves(self) -> Self {
        Self { allow_v1_leaf: true, ..self }
    }

    /// Its certificate.
    pub fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }
}

/// Verifies chains up to its anchors.
#[derive(Clone, Debug)]
pub struct PathVerifier {
    anchors: Vec<Anchor>,
    trusted: Vec<TrustAnchor<'static>>,
}

/// A chain that holds.
#[derive(Clone, Copy, Debug)]
pub struct VerifiedChain<'a> {
    anchor: &'a CaCertificate,
    intermediates: usize,
    v1_leaf: bool,
}

impl<'a> VerifiedChain<'a> {
    /// The anchor at its end.
    pub fn anchor(&self) -> &'a CaCertificate {
        self.anchor
    }

    /// How many certificates stand between leaf and anchor.
    pub fn intermediates(&self) -> usize {
        self.intermediates
    }

    /// Whether the leaf is of version 1, let pass by its anchor alone; every such acceptance belongs into the audit log.
    pub fn is_v1_leaf(&self) -> bool {
        self.v1_leaf
    }
}

impl PathVerifier {
    /// Anchors of any number; several may share one name.
    ///
    /// # Errors
    /// [`PkiError::NotAnAuthority`] or [`PkiError::Malformed`] for an anchor that can be none.
    pub fn new(anchors: Vec<Anchor>) -> Result<Self, PkiError> {
        let mut trusted = Vec::with_capacity(anchors.len());
        for anchor in &anchors {
            let read = webpki::anchor_from_trusted_cert(anchor.certificate.der());
            trusted.push(read.map_err(|error| PkiError::malformed("the anchor's certificate", error))?.to_owned());
        }
        Ok(Self { anchors, trusted })
    }

    /// Verifies `leaf` at an instant, with the certificates that came along, in any order.
    ///
    /// # Errors
    /// [`PathError`] with the certificate that is to blame and what is wrong with it.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        at: Timestamp,
        purpose: Purpose,
    ) -> Result<VerifiedChain<'_>, PathError> {
        let bytes = intermediates.iter().fold(leaf.len(), |sum, certificate| sum.saturating_add(certificate.len()));
        if intermediates.len() >= MOST_CHAIN_CERTIFICATES || bytes > LONGEST_CHAIN {
            return Err(PathError::too_long());
        }
        let view = certificate_facts::bounded(leaf).map_err(|error| PathError::unreadable(Place::Leaf, &error))?;
        rules::leaf(&view, at, purpose)?;
        if view.version != [2] {
            return self.verify_v1(&view, leaf, at);
        }
        self.search(leaf, intermediates, at, purpose)
            .map_err(|error| diagnosis::diagnose(self, (&view, leaf), intermediates, (at, purpose), &error))
    }

    /// Leaves of version 1, which the path builder refuses: one link, to an anchor that lets them pass.
    fn verify_v1(&self, view: &View<'_>, leaf: &CertificateDer<'_>, at: Timestamp) -> Result<VerifiedChain<'_>, PathError> {
        let mut refused =
            PathError::of(Place::Leaf, view, PathFault::Version, format!("it is of version {}", certificate_facts::version(view)));
        for (number, anchor) in self.anchors.iter().enumerate().filter(|(_, anchor)| anchor.allow_v1_leaf) {
            match v1_link(view, leaf, number, &anchor.certificate, at) {
                Ok(()) => return Ok(VerifiedChain { anchor: &anchor.certificate, intermediates: 0, v1_leaf: true }),
                Err(error) if error.fault() != PathFault::UnknownIssuer => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }

    fn search(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        at: Timestamp,
        purpose: Purpose,
    ) -> Result<VerifiedChain<'_>, webpki::Error> {
        let seconds = u64::try_from(at.micros().div_euclid(1_000_000)).map_err(|_| webpki::Error::BadDerTime)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let accepted = Cell::new(None);
        let judge = |path: &webpki::VerifiedPath<'_>| {
            let between: Vec<CertificateDer<'_>> = path.intermediate_certificates().map(|certificate| certificate.der()).collect();
            for (below, certificate) in between.iter().enumerate() {
                let view = certificate_facts::bounded(certificate).map_err(|_| webpki::Error::BadDer)?;
                rules::authority(Place::Intermediate(below), &view, at, purpose, below).map_err(|_| webpki::Error::EndEntityUsedAsCa)?;
            }
            let number =
                self.trusted.iter().position(|trusted| std::ptr::eq(trusted, path.anchor())).ok_or(webpki::Error::UnknownIssuer)?;
            let anchor = self.anchors.get(number).ok_or(webpki::Error::UnknownIssuer)?;
            rules::anchor(number, &anchor.certificate, at, between.len()).map_err(|_| webpki::Error::EndEntityUsedAsCa)?;
            accepted.set(Some(VerifiedChain { anchor: &anchor.certificate, intermediates: between.len(), v1_leaf: false }));
            Ok(())
        };
        let end_entity = webpki::EndEntityCert::try_from(leaf)?;
        end_entity.verify_for_usage(ALGORITHMS, &self.trusted, intermediates, time, PurposeCheck(purpose), None, Some(&judge))?;
        accepted.take().ok_or(webpki::Error::UnknownIssuer)
    }
}

/// The purposes of every certificate of a path, as webpki asks for them.
struct PurposeCheck(Purpose);

impl webpki::ExtendedKeyUsageValidator for PurposeCheck {
    fn validate(&self, purposes: webpki::KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        let wanted = [webpki::KeyPurposeId::new(self.0.oid()), webpki::KeyPurposeId::new(oid::ANY_PURPOSE)];
        let mut present = false;
        for purpose in purposes {
            present = true;
            if wanted.contains(&purpose?) {
                return Ok(());
            }
        }
        // What the leaf must say has been looked at before; an authority that says nothing limits nothing.
        if present { Err(webpki::Error::EmptyEkuExtension) } else { Ok(()) }
    }
}

/// Whether `anchor` itself issued `leaf`: the one link of a certificate of version 1 (tokens.md 4.2), with its name, signature, dates,
/// algorithms, key and names. For an anchor that allows such leaves, never for an authority below one.
///
/// # Errors
/// [`PathError`] with what is wrong.
pub fn v1_leaf_of(anchor: &CaCertificate, leaf: &CertificateDer<'_>, at: Timestamp) -> Result<(), PathError> {
    let view = certificate_facts::bounded(leaf).map_err(|error| PathError::unreadable(Place::Leaf, &error))?;
    rules::leaf(&view, at, Purpose::Client)?;
    v1_link(&view, leaf, 0, anchor, at)
}

fn v1_link(view: &View<'_>, leaf: &CertificateDer<'_>, number: usize, anchor: &CaCertificate, at: Timestamp) -> Result<(), PathError> {
    if view.version != [0] || view.has_extensions || view.unique_identifiers {
        return Err(PathError::of(Place::Leaf, view, PathFault::Version, "it is not of version 1 without extensions".to_owned()));
    }
    if view.issuer.der() != anchor.subject().der() {
        return Err(PathError::unknown_issuer(Place::Leaf, view));
    }
    diagnosis::link(Place::Leaf, view, leaf, Place::Anchor(number), anchor.subject(), anchor.spki())?;
    rules::anchor(number, anchor, at, 0)
}

/// Whether `authority` issued `below`, itself an authority's: the name and the signature of one link, nothing else.
///
/// # Errors
/// [`PathError`] with what is wrong.
pub fn check_link(below: &CaCertificate, authority: &CaCertificate) -> Result<(), PathError> {
    let view = certificate_facts::bounded(below.der()).map_err(|error| PathError::unreadable(Place::Leaf, &error))?;
    if view.issuer.der() != authority.subject().der() {
        return Err(PathError::unknown_issuer(Place::Leaf, &view));
    }
    diagnosis::link(Place::Leaf, &view, below.der(), Place::Anchor(0), authority.subject(), authority.spki())
}

/// Checks a delegate's certificate for OCSP answers (RFC 6960 section 4.2.2.2): issued by the authority itself, with the purpose, in
/// its dates.
///
/// # Errors
/// [`PathError`] with what is wrong.
pub fn check_responder(responder: &CertificateDer<'_>, authority: &CaCertificate, at: Timestamp) -> Result<(), PathError> {
    let view = certificate_facts::bounded(responder).map_err(|error| PathError::unreadable(Place::Leaf, &error))?;
    rules::leaf(&view, at, Purpose::OcspSigning)?;
    if view.issuer.der() != authority.subject().der() {
        return Err(PathError::unknown_issuer(Place::Leaf, &view));
    }
    diagnosis::link(Place::Leaf, &view, responder, Place::Anchor(0), authority.subject(), authority.spki())?;
    rules::anchor(0, authority, at, 0)
}
