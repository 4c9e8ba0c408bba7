//! How the room works.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use signet_crypto::sign::KeyType;
use signet_custody::vault::VaultPki;
use signet_pki::Profile;

/// What a client certificate may be made as (`enrolment.md` 15.1, `kaa.md` 16.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeafProfile {
    /// For devices: client authentication only, no DNS name.
    Device,
    /// As Kaa's own service makes them: both usages, the common name as a DNS name.
    Kaa,
    /// For services: client and server authentication, DNS names as far as the tenant's rules go.
    Service,
}

impl LeafProfile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Device, Self::Kaa, Self::Service];

    /// The profile of the certificates.
    pub(crate) const fn of_pki(self) -> Profile {
        match self {
            Self::Device => Profile::Device,
            Self::Kaa => Profile::Kaa,
            Self::Service => Profile::Service,
        }
    }

    /// The profile's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Kaa => "kaa",
            Self::Service => "service",
        }
    }
}

impl std::fmt::Display for LeafProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LeafProfile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text).ok_or("wanted device, kaa or service")
    }
}

/// Where the platform CA comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformSource {
    /// Made at the first start, its key sealed in the database.
    Made,
    /// Brought by files in PEM or DER.
    Files {
        /// Its certificate.
        certificate: PathBuf,
        /// Its private key, unencrypted, mode 0600.
        key: PathBuf,
        /// The certificates above it, up to the root.
        chain: Option<PathBuf>,
    },
}

/// The furthest that certificates are dated back: half of what their authorities are, so that none begins before its issuer.
pub const MOST_BACK_DATING: Duration = Duration::from_secs(12 * 3_600);

/// How the room works. [`AuthorityConfig::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct AuthorityConfig {
    /// What a certificate is made as where the request does not say.
    pub profile: LeafProfile,
    /// The keys of new tenant CAs.
    pub tenant_ca_key: KeyType,
    /// Lifetime of a certificate where the request does not say.
    pub default_ttl: Duration,
    /// Longest lifetime; a tenant's rules may go below.
    pub max_ttl: Duration,
    /// How far certificates are dated back; none means the profile's own: an hour, 30 s for `kaa`. [`MOST_BACK_DATING`] at most.
    pub back_dating: Option<Duration>,
    /// Where CRL and OCSP are served, as certificates name it: `http://HOST:PORT`, no slash at the end.
    pub revocation_url: String,
    /// Where the platform CA comes from.
    pub platform: PlatformSource,
    /// Certificates of one CRL, 1 to 18,000.
    pub partition_size: u32,
    /// CA keys that are kept open in memory, 1 to 100,000. One more closes the one that was longest unused.
    pub open_keys: usize,
}

impl AuthorityConfig {
    /// How far certificates of this profile are dated back.
    pub(crate) fn dated_back(&self, profile: Profile) -> Duration {
        self.back_dating.unwrap_or(profile.back_dating())
    }

    /// The defaults, with this place of CRL and OCSP.
    pub fn new(revocation_url: impl Into<String>) -> Self {
        Self {
            profile: LeafProfile::Device,
            tenant_ca_key: KeyType::P256,
            default_ttl: Duration::from_secs(365 * 86_400),
            max_ttl: Duration::from_secs(10 * 365 * 86_400),
            back_dating: None,
            revocation_url: revocation_url.into(),
            platform: PlatformSource::Made,
            partition_size: 1_000,
            open_keys: 1_000,
        }
    }
}

/// Where the keys of the tenants' CAs live.
#[derive(Clone)]
pub enum CaCustody {
    /// Sealed in the database, open in this process's memory while they are used.
    Software,
    /// Made inside Vault or OpenBao, which they never leave.
    Vault(Arc<VaultPki>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_its_word() {
        for profile in LeafProfile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
        assert!("Device".parse::<LeafProfile>().is_err() && "root".parse::<LeafProfile>().is_err());
    }
}
