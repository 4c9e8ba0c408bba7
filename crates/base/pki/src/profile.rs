//! The kinds of certificates that are made here, and what each one is (enrolment.md 15, kaa.md 16.2.1).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use signet_model::Timestamp;

use crate::{IssuerFacts, Name, PkiError, SerialLength, SubjectName, Validity, oid};

/// digitalSignature in keyUsage (RFC 5280 section 4.2.1.3).
pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
pub(crate) const KEY_ENCIPHERMENT: u8 = 0x20;
pub(crate) const DATA_ENCIPHERMENT: u8 = 0x10;
pub(crate) const KEY_AGREEMENT: u8 = 0x08;
pub(crate) const KEY_CERT_SIGN: u8 = 0x04;
pub(crate) const CRL_SIGN: u8 = 0x02;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The offline root of a platform: signs itself, any number of authorities below.
    Root,
    /// The platform's instance CA: one level of authorities below.
    PlatformCa,
    /// A tenant's CA: no authority below.
    TenantCa,
    /// A tenant's CA with the dates and serial numbers of Kaa's own.
    KaaTenantCa,
    /// A device: client authentication only, no DNS name, no address.
    Device,
    /// The original's form: both purposes, the common name as DNS name where it is one.
    Kaa,
    /// A service of the tenant that its own peers connect to: both purposes, at least one DNS name or address.
    Service,
    /// A server certificate of a data directory.
    Server,
    /// The authority of a data directory: signs itself, no authority below.
    LocalCa,
    /// A delegated OCSP responder (RFC 6960 section 4.2.2.2).
    OcspResponder,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Self; 10] = [
        Self::Root,
        Self::PlatformCa,
        Self::TenantCa,
        Self::KaaTenantCa,
        Self::Device,
        Self::Kaa,
        Self::Service,
        Self::Server,
        Self::LocalCa,
        Self::OcspResponder,
    ];

    /// The name in commands, settings and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::PlatformCa => "platform-ca",
            Self::TenantCa => "tenant-ca",
            Self::KaaTenantCa => "kaa-tenant-ca",
            Self::Device => "device",
            Self::Kaa => "kaa",
            Self::Service => "service",
            Self::Server => "server",
            Self::LocalCa => "local-ca",
            Self::OcspResponder => "ocsp",
        }
    }

    /// Whether its certificates issue others.
    pub const fn is_authority(self) -> bool {
        match self {
            Self::Root | Self::PlatformCa | Self::TenantCa | Self::KaaTenantCa | Self::LocalCa => true,
            Self::Device | Self::Kaa | Self::Service | Self::Server | Self::OcspResponder => false,
        }
    }

    /// Whether it has the form of the original, which differs in dates, serial numbers and kinds of strings.
    pub const fn is_kaa(self) -> bool {
        matches!(self, Self::Kaa | Self::KaaTenantCa)
    }

    /// How many authorities may stand below; none for the root, which does not say.
    pub const fn path_len(self) -> Option<u8> {
        match self {
            Self::PlatformCa => Some(1),
            Self::TenantCa | Self::KaaTenantCa | Self::LocalCa => Some(0),
            Self::Root | Self::Device | Self::Kaa | Self::Service | Self::Server | Self::OcspResponder => None,
        }
    }

    /// How long its serial numbers are.
    pub const fn serial_length(self) -> SerialLength {
        if self.is_kaa() { SerialLength::Twenty } else { SerialLength::Sixteen }
    }

    /// How far its certificates are dated back, for peers whose clocks are behind. Authorities further than what they sign: a leaf
    /// may be dated by another clock than its authority was, such as Vault's, and must not begin before it.
    pub const fn back_dating(self) -> Duration {
        if self.is_kaa() {
            Duration::from_secs(30)
        } else if self.is_authority() {
            DAY
        } else {
            HOUR
        }
    }

    /// The subject with this common name, in the kind of string that the profile uses.
    ///
    /// # Errors
    /// As [`Name::common`].
    pub fn subject(self, common_name: &str) -> Result<Name, PkiError> {
        if self.is_kaa() { Name::common_printable(common_name) } else { Name::common(common_name) }
    }

    /// From when to when a certificate made `now` for `life` holds: dated back, but not before its issuer, and ending with it; a
    /// default leaf ends a day earlier.
    pub fn validity(self, now: Timestamp, life: Duration, issuer: &IssuerFacts) -> Validity {
        self.validity_dated_back(now, self.back_dating(), life, issuer)
    }

    /// The same, dated back by another time than the profile's, which is bounded all the same: a day at most.
    pub fn validity_dated_back(self, now: Timestamp, back: Duration, life: Duration, issuer: &IssuerFacts) -> Validity {
        let back = i64::try_from(back.min(DAY).as_micros()).unwrap_or(0);
        let margin = if self.is_authority() || self.is_kaa() { 0 } else { i64::try_from(DAY.as_micros()).unwrap_or(0) };
        let latest = Timestamp::from_micros(issuer.not_after().micros().saturating_sub(margin));
        Validity {
            not_before: Timestamp::from_micros(now.micros().saturating_sub(back)).max(issuer.not_before()),
            not_after: now.plus(life).min(latest),
        }
    }

    /// Whether its certificates may hold a name of this kind. What they may not is left out of a request and listed.
    pub const fn admits(self, name: &SubjectName) -> bool {
        match (self, name) {
            (Self::Device, SubjectName::Uri(_) | SubjectName::Email(_)) | (Self::Kaa | Self::Service, _) => true,
            (Self::Server, SubjectName::Dns(_) | SubjectName::Ip(_)) => true,
            (Self::Device, SubjectName::Dns(_) | SubjectName::Ip(_)) | (Self::Server, SubjectName::Uri(_) | SubjectName::Email(_)) => false,
            (Self::Root | Self::PlatformCa | Self::TenantCa | Self::KaaTenantCa | Self::LocalCa | Self::OcspResponder, _) => false,
        }
    }

    /// The names that its certificates have without being asked: of `kaa` the common name, where it is a DNS name.
    pub fn own_names(self, common_name: &str) -> Vec<SubjectName> {
        if self == Self::Kaa { SubjectName::dns(common_name).into_iter().collect() } else { Vec::new() }
    }

    /// The bits of keyUsage.
    pub(crate) const fn key_usage(self) -> u8 {
        match self {
            Self::Root | Self::PlatformCa | Self::TenantCa | Self::KaaTenantCa | Self::LocalCa => KEY_CERT_SIGN | CRL_SIGN,
            Self::Kaa => DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT,
            Self::Device | Self::Service | Self::Server | Self::OcspResponder => DIGITAL_SIGNATURE,
        }
    }

    /// The purposes of extendedKeyUsage.
    pub(crate) const fn purposes(self) -> &'static [&'static [u8]] {
        match self {
            Self::Root | Self::PlatformCa | Self::TenantCa | Self::KaaTenantCa | Self::LocalCa => &[],
            Self::Device => &[oid::CLIENT_AUTH],
            Self::Kaa | Self::Service => &[oid::SERVER_AUTH, oid::CLIENT_AUTH],
            Self::Server => &[oid::SERVER_AUTH],
            Self::OcspResponder => &[oid::OCSP_SIGNING],
        }
    }

    /// Whether its certificates have basicConstraints. Kaa's own leaves have none.
    pub(crate) const fn has_basic_constraints(self) -> bool {
        !matches!(self, Self::Kaa)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a certificate profile")]
pub struct ProfileError;

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|profile| profile.name() == text).ok_or(ProfileError)
    }
}
