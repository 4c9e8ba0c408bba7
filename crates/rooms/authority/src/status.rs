//! What became of a certificate, and what CRL and OCSP say of it: one function each, so that they cannot disagree.

use std::fmt;
use std::str::FromStr;

use signet_model::{CredentialState, Timestamp};
use signet_pki::RevocationReason;

/// Where a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CertificateState {
    /// Its serial number is given, and it is not stored: signed or not, nobody knows.
    Intended,
    /// It was never stored, and counts as revoked, since it may have been signed.
    Orphaned,
    /// It is out, in the state of its credential.
    Issued(CredentialState),
}

impl CertificateState {
    /// The state's word, as stored.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Orphaned => "orphaned",
            Self::Issued(state) => state.as_str(),
        }
    }
}

impl fmt::Display for CertificateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CertificateState {
    type Err = <CredentialState as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "intended" => Ok(Self::Intended),
            "orphaned" => Ok(Self::Orphaned),
            other => other.parse().map(Self::Issued),
        }
    }
}

/// Where a certificate stands, since when, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// Where.
    pub(crate) state: CertificateState,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Why it was revoked, where a reason of RFC 5280 was given.
    pub(crate) reason: Option<RevocationReason>,
}

/// What the world is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is good.
    Good,
    /// It is revoked, or suspended, which is [`RevocationReason::CertificateHold`].
    Revoked {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: Option<RevocationReason>,
    },
    /// Nobody should have it: a serial number that was given and whose certificate is not stored.
    Unknown,
}

impl Status {
    /// What CRL and OCSP say of it: the CRL lists what is `Revoked`, nothing else.
    pub(crate) const fn verdict(&self) -> Verdict {
        use CredentialState::{Active, Inactive, Revoked, Suspended};
        match self.state {
            CertificateState::Issued(Inactive | Active) => Verdict::Good,
            CertificateState::Issued(Suspended) => Verdict::Revoked { at: self.since, reason: Some(RevocationReason::CertificateHold) },
            CertificateState::Issued(Revoked) => Verdict::Revoked { at: self.since, reason: self.reason },
            CertificateState::Orphaned => Verdict::Revoked { at: self.since, reason: None },
            CertificateState::Intended => Verdict::Unknown,
        }
    }
}

/// The reason of RFC 5280 that a revocation was given, if it was one. `certificateHold` is the reason of a suspension, which a
/// revocation is not; `removeFromCRL` and `unspecified` stand on no full CRL.
pub(crate) fn named_reason(text: Option<&str>) -> Option<RevocationReason> {
    let reason: RevocationReason = text?.parse().ok()?;
    (reason != RevocationReason::CertificateHold).then_some(reason)
}

#[cfg(test)]
mod tests {
    use CredentialState::{Active, Inactive, Revoked, Suspended};

    use super::*;

    #[test]
    fn a_state_is_its_word() {
        let issued = CredentialState::ALL.iter().copied().map(CertificateState::Issued);
        for state in [CertificateState::Intended, CertificateState::Orphaned].into_iter().chain(issued) {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        assert!("inactive".parse::<CertificateState>().is_err());
    }

    #[test]
    fn only_what_is_out_and_usable_is_good() {
        let since = Timestamp::from_micros(7);
        let reason = Some(RevocationReason::KeyCompromise);
        let verdict = |state| Status { state, since, reason }.verdict();
        let revoked = |reason| Verdict::Revoked { at: since, reason };
        assert_eq!(verdict(CertificateState::Issued(Inactive)), Verdict::Good);
        assert_eq!(verdict(CertificateState::Issued(Active)), Verdict::Good);
        assert_eq!(verdict(CertificateState::Issued(Suspended)), revoked(Some(RevocationReason::CertificateHold)));
        assert_eq!(verdict(CertificateState::Issued(Revoked)), revoked(reason));
        assert_eq!(verdict(CertificateState::Orphaned), revoked(None));
        assert_eq!(verdict(CertificateState::Intended), Verdict::Unknown);
    }

    #[test]
    fn a_free_text_is_no_reason_of_a_crl() {
        assert_eq!(named_reason(Some("keyCompromise")), Some(RevocationReason::KeyCompromise));
        for text in [None, Some("stolen at the gate"), Some(""), Some("certificateHold"), Some("removeFromCRL"), Some("unspecified")] {
            assert_eq!(named_reason(text), None, "{text:?}");
        }
    }
}
