//! Why a chain does not hold: which certificate is to blame, and for what.

use std::fmt;

use signet_model::{Reason, Refusal, log_text};

use crate::lint::view::View;
use crate::{Name, PkiError};

signet_model::reasons! {
    /// The certificate's issuer is no authority that is trusted here.
    CHAIN_UNKNOWN_ISSUER = ("chain.unknown-issuer", 422, "Give the certificates between it and the trusted authority along, or have its issuer trusted.");
    /// The certificate was signed by another key than the authority of that name has.
    CHAIN_OTHER_KEY = ("chain.other-key", 422, "Compare the key identifiers that are named: two authorities have this name, or one has a new key. Give the one that issued it.");
    /// The certificate is signed with an algorithm that is not accepted.
    CHAIN_SIGNATURE_UNSUPPORTED = ("chain.signature-unsupported", 422, "Have it issued anew, signed with SHA-256 or stronger: ECDSA, Ed25519 or RSA.");
    /// The certificate's key is weak, or of a kind that is not accepted.
    CHAIN_KEY = ("chain.key", 422, "Use P-256, P-384, Ed25519, or RSA of 2048 to 4096 bits, and have the certificate issued anew.");
    /// The certificate is not of version 3.
    CHAIN_VERSION = ("chain.version", 422, "Have it issued with extensions (`openssl x509 -req -extfile FILE`), or let its anchor accept leaves of version 1.");
    /// The certificate has expired.
    CHAIN_EXPIRED = ("chain.expired", 422, "Have it renewed; check the clock of this machine if its dates look right.");
    /// The certificate is not yet valid.
    CHAIN_NOT_YET_VALID = ("chain.not-yet-valid", 422, "Wait until its first date; check the clocks of this machine and of its issuer.");
    /// The certificate is damaged, or breaks a rule of encoding.
    CHAIN_MALFORMED = ("chain.malformed", 422, "Look at it with `signet cert show FILE` and `signet cert lint FILE`, and have it issued anew.");
    /// The certificate stands where an authority must, and is none.
    CHAIN_NOT_AUTHORITY = ("chain.not-an-authority", 422, "Only certificates with CA:TRUE and keyCertSign issue others; have the lower one issued by an authority.");
    /// There are more authorities in the chain than one of them allows.
    CHAIN_PATH_LENGTH = ("chain.path-length", 422, "Have the leaf issued by a higher authority, or the path length of the named one raised.");
    /// The certificate may not be used for this.
    CHAIN_PURPOSE = ("chain.purpose", 422, "Have it issued with the purpose that is named, and with digitalSignature in its keyUsage.");
    /// The certificate has a name that its authorities may not vouch for, or that no certificate may have.
    CHAIN_NAMES = ("chain.names", 422, "Have it issued for names within the name constraints of its authorities, without control characters.");
    /// The certificate has a critical extension that is not understood.
    CHAIN_CRITICAL_EXTENSION = ("chain.critical-extension", 422, "Have it issued without that extension, or with the extension not critical.");
    /// The chain is longer than is looked at.
    CHAIN_TOO_LONG = ("chain.too-long", 422, "Send the leaf and the authorities above it only: at most 10 certificates and 64 KiB.");
}

/// Every reason of this module.
pub use self::REASONS as PATH_REASONS;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathFault {
    /// No trusted authority of the issuer's name, and no certificate that leads to one.
    UnknownIssuer,
    /// The issuer's name is known, its key did not sign this.
    OtherKey,
    /// Signed with SHA-1, MD5, or something else that is not accepted.
    Signature,
    /// A key that the key policy refuses.
    Key,
    /// Not version 3.
    Version,
    /// After its last date.
    Expired,
    /// Before its first date.
    NotYetValid,
    /// Not readable, or against the rules of encoding.
    Malformed,
    /// No authority where one must be.
    NotAnAuthority,
    /// Too many authorities below it.
    PathLength,
    /// extendedKeyUsage or keyUsage do not allow the use.
    Purpose,
    /// A name that is not allowed.
    Names,
    /// A critical extension that is not understood.
    CriticalExtension,
    /// The chain, or the search for one, is too long.
    TooLong,
}

/// Where a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The one that is verified.
    Leaf,
    /// One that came along, counted from 0 in the order in which they were given.
    Intermediate(usize),
    /// A trusted one, counted from 0 in the order in which they were given.
    Anchor(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf => f.write_str("the certificate"),
            Self::Intermediate(number) => write!(f, "certificate {} of those sent along", number.saturating_add(1)),
            Self::Anchor(_) => f.write_str("the trusted authority"),
        }
    }
}

/// Why a chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} ({subject}): {detail}")]
pub struct PathError {
    place: Place,
    subject: String,
    fault: PathFault,
    detail: String,
}

impl PathError {
    pub(super) fn named(place: Place, subject: &Name, fault: PathFault, detail: String) -> Self {
        Self { place, subject: log_text(&subject.go_text(), 200), fault, detail }
    }

    pub(super) fn of(place: Place, view: &View<'_>, fault: PathFault, detail: String) -> Self {
        Self::named(place, &view.subject, fault, detail)
    }

    pub(super) fn unreadable(place: Place, error: &PkiError) -> Self {
        Self { place, subject: "unreadable".to_owned(), fault: PathFault::Malformed, detail: error.to_string() }
    }

    pub(super) fn too_long() -> Self {
        let detail = "the chain is longer than 10 certificates or 64 KiB".to_owned();
        Self { place: Place::Leaf, subject: "not looked at".to_owned(), fault: PathFault::TooLong, detail }
    }

    pub(super) fn unknown_issuer(place: Place, view: &View<'_>) -> Self {
        let detail = if view.is_self_issued() {
            "it is its own issuer, and not trusted here".to_owned()
        } else {
            format!("its issuer {} is neither trusted nor among the certificates sent along", log_text(&view.issuer.go_text(), 200))
        };
        Self::of(place, view, PathFault::UnknownIssuer, detail)
    }

    /// Which certificate is to blame.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The subject of that certificate.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What is wrong with it.
    pub fn fault(&self) -> PathFault {
        self.fault
    }

    /// The same in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self.fault {
            PathFault::UnknownIssuer => &CHAIN_UNKNOWN_ISSUER,
            PathFault::OtherKey => &CHAIN_OTHER_KEY,
            PathFault::Signature => &CHAIN_SIGNATURE_UNSUPPORTED,
            PathFault::Key => &CHAIN_KEY,
            PathFault::Version => &CHAIN_VERSION,
            PathFault::Expired => &CHAIN_EXPIRED,
            PathFault::NotYetValid => &CHAIN_NOT_YET_VALID,
            PathFault::Malformed => &CHAIN_MALFORMED,
            PathFault::NotAnAuthority => &CHAIN_NOT_AUTHORITY,
            PathFault::PathLength => &CHAIN_PATH_LENGTH,
            PathFault::Purpose => &CHAIN_PURPOSE,
            PathFault::Names => &CHAIN_NAMES,
            PathFault::CriticalExtension => &CHAIN_CRITICAL_EXTENSION,
            PathFault::TooLong => &CHAIN_TOO_LONG,
        }
    }
}

impl From<PathError> for Refusal {
    fn from(error: PathError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
