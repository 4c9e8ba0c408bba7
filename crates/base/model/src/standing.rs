//! What an enforcement point leans on: the subjects whose standing the feed carries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{ApiTokenId, CredentialId, IdentityId, TenantId};

/// Something whose standing can change. The tenant is part of each, so that no key crosses the wall.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StandingSubject {
    /// A whole tenant.
    Tenant(TenantId),
    /// An identity.
    Identity(TenantId, IdentityId),
    /// A credential.
    Credential(TenantId, CredentialId),
    /// An API token of ours, of one tenant.
    ApiToken(TenantId, ApiTokenId),
    /// An API token of ours that stands above all tenants.
    PlatformToken(ApiTokenId),
    /// The operator token, by generation: everything older is out.
    OperatorToken,
}

/// `tenant/acme`, `identity/acme/idn_…`, `credential/acme/…`, `api-token/acme/atk_…`, `platform-token/atk_…`, `operator-token`.
impl fmt::Display for StandingSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "tenant/{tenant}"),
            Self::Identity(tenant, id) => write!(f, "identity/{tenant}/{id}"),
            Self::Credential(tenant, id) => write!(f, "credential/{tenant}/{id}"),
            Self::ApiToken(tenant, id) => write!(f, "api-token/{tenant}/{id}"),
            Self::PlatformToken(id) => write!(f, "platform-token/{id}"),
            Self::OperatorToken => f.write_str("operator-token"),
        }
    }
}

impl FromStr for StandingSubject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.splitn(4, '/').collect();
        let fault = |e: &dyn fmt::Display| format!("standing subject: {e}");
        match parts.as_slice() {
            ["operator-token"] => Ok(Self::OperatorToken),
            ["platform-token", id] => Ok(Self::PlatformToken(id.parse().map_err(|e| fault(&e))?)),
            ["tenant", t] => Ok(Self::Tenant(t.parse().map_err(|e| fault(&e))?)),
            ["identity", t, id] => Ok(Self::Identity(t.parse().map_err(|e| fault(&e))?, id.parse().map_err(|e| fault(&e))?)),
            ["credential", t, id] => Ok(Self::Credential(t.parse().map_err(|e| fault(&e))?, id.parse().map_err(|e| fault(&e))?)),
            ["api-token", t, id] => Ok(Self::ApiToken(t.parse().map_err(|e| fault(&e))?, id.parse().map_err(|e| fault(&e))?)),
            _ => Err("standing subject: unknown form".to_owned()),
        }
    }
}

impl Serialize for StandingSubject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StandingSubject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_read_back_what_they_write() {
        let platform = format!("platform-token/atk_{}", "0".repeat(32));
        for text in ["tenant/acme", "credential/acme/br7si8mg10l7an82que0", "operator-token", &platform] {
            assert_eq!(text.parse::<StandingSubject>().map(|s| s.to_string()), Ok(text.to_owned()));
        }
        for bad in ["", "tenant", "tenant/", "tenant/a/b", "credential/acme/x", "credential/acme/br7si8mg10l7an82que0/x"] {
            assert!(bad.parse::<StandingSubject>().is_err(), "{bad}");
        }
    }
}
