//! Why a certificate was revoked (RFC 5280 section 5.3.1), by the names of the RFC.

use std::fmt;
use std::str::FromStr;

/// A reason that a revocation list may carry. `unspecified` (0) is expressed by none, `removeFromCRL` (8) belongs to delta lists,
/// which are not made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RevocationReason {
    /// The private key is, or may be, in other hands.
    KeyCompromise = 1,
    /// The key of the issuing CA is.
    CaCompromise = 2,
    /// The subject belongs to another organisation now.
    AffiliationChanged = 3,
    /// Another certificate took its place.
    Superseded = 4,
    /// It is no longer needed.
    CessationOfOperation = 5,
    /// Suspended: the only one that can be taken back.
    CertificateHold = 6,
    /// A right that it stated was taken back.
    PrivilegeWithdrawn = 9,
    /// The key of an attribute authority is in other hands.
    AaCompromise = 10,
}

/// A text that names none of the reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a revocation reason of RFC 5280: one of {}", RevocationReason::ALL.map(RevocationReason::name).join(", "))]
pub struct UnknownReason;

impl RevocationReason {
    /// All of them, by their codes.
    pub const ALL: [Self; 8] = [
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The value of the ENUMERATED.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The reason with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The name in the RFC.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RevocationReason {
    type Err = UnknownReason;

    /// Takes the RFC's names in any case, as `cACompromise` is written `caCompromise` by many.
    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        Self::ALL.into_iter().find(|reason| reason.name().eq_ignore_ascii_case(text)).ok_or(UnknownReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_name_and_its_code() {
        for reason in RevocationReason::ALL {
            assert_eq!(reason.name().parse(), Ok(reason));
            assert_eq!(reason.name().to_uppercase().parse(), Ok(reason));
            assert_eq!(RevocationReason::from_code(reason.code()), Some(reason));
        }
        for code in [0, 7, 8, 11, 255] {
            assert_eq!(RevocationReason::from_code(code), None, "{code}");
        }
        assert!("unspecified".parse::<RevocationReason>().unwrap_err().to_string().contains("keyCompromise"));
    }
}
