//! The CA of a tenant as a value: what is stored of it, and an open one, which can sign.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use signet_model::{TenantId, Timestamp};
use signet_pki::{IssuerFacts, IssuerName};
use tokio::time::Instant;

use crate::custody::CaKey;
use crate::rotation::CaState;

/// Where a CA's key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Custody {
    /// Sealed in the database.
    Software,
    /// In Vault or OpenBao, which it never leaves.
    Vault,
}

impl Custody {
    /// The word of it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Vault => "vault",
        }
    }
}

impl FromStr for Custody {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Software, Self::Vault].into_iter().find(|custody| custody.as_str() == text).ok_or("no custody")
    }
}

impl fmt::Display for Custody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A generation of a tenant's CA as stored, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TenantCa {
    pub(crate) tenant: TenantId,
    pub(crate) generation: i64,
    pub(crate) state: CaState,
    /// Canonical text.
    pub(crate) subject: String,
    /// None while it is pending.
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) ski: Option<Vec<u8>>,
    pub(crate) serial_decimal: Option<String>,
    pub(crate) custody: Custody,
    /// In Vault.
    pub(crate) mount: Option<String>,
    /// Which generation of the platform CA issued it.
    pub(crate) platform_generation: i64,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) version: i64,
}

/// A CA that can sign: what certificates, CRLs and OCSP answers of it are made with.
pub(crate) struct Issuer {
    pub(crate) tenant: TenantId,
    pub(crate) generation: i64,
    /// Name, key identifier and limits.
    pub(crate) facts: Arc<IssuerFacts>,
    /// Its name in canonical form.
    pub(crate) issuer_name: IssuerName,
    /// What is sent behind a certificate of it, in DER: itself, and the platform CA where there is a root above that.
    pub(crate) chain: Vec<Vec<u8>>,
    /// What it signs with.
    pub(crate) key: CaKey,
    /// When it was opened in this process.
    pub(crate) opened: Instant,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("tenant", &self.tenant).field("generation", &self.generation).finish_non_exhaustive()
    }
}
