//! Which tenant has which issuer. The list comes from configuration or from the Tenant Manager, never from a token: no other
//! issuer is ever asked for anything.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use signet_crypto::Secret;
use signet_model::TenantId;

/// A tenant with its issuer.
pub struct TenantIssuer {
    /// The tenant that the issuer speaks for.
    pub tenant: TenantId,
    /// The issuer's identifier, as it writes it itself.
    pub issuer: String,
    /// The client that stands for this service at the issuer; without it no decision can be asked for.
    pub client_id: Option<String>,
    /// That client's secret, for those who need a token of the service itself.
    pub client_secret: Option<Arc<Secret>>,
}

impl fmt::Debug for TenantIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantIssuer({} of `{}`)", self.issuer, self.tenant)
    }
}

/// Knows the issuers of the tenants, as they are now.
pub trait IssuerDirectory: Send + Sync {
    /// The tenant whose issuer this is, compared as exact text after one slash at the end of either is left out.
    /// It is asked on every call, so an answer must be had from memory.
    fn by_issuer(&self, issuer: &str) -> Option<Arc<TenantIssuer>>;
}

/// An issuer's identifier without one slash at its end: how identifiers are compared.
pub fn trimmed(issuer: &str) -> &str {
    issuer.strip_suffix('/').unwrap_or(issuer)
}

/// A list that does not change, such as that of the configuration.
#[derive(Debug, Default)]
pub struct IssuerList(BTreeMap<String, Arc<TenantIssuer>>);

impl IssuerList {
    /// The list of these issuers.
    ///
    /// # Errors
    /// An issuer that stands for two tenants, which could not be told apart.
    pub fn new(issuers: impl IntoIterator<Item = TenantIssuer>) -> Result<Self, String> {
        let mut list = BTreeMap::new();
        for issuer in issuers {
            let key = trimmed(&issuer.issuer).to_owned();
            if list.insert(key.clone(), Arc::new(issuer)).is_some() {
                return Err(key);
            }
        }
        Ok(Self(list))
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IssuerDirectory for IssuerList {
    fn by_issuer(&self, issuer: &str) -> Option<Arc<TenantIssuer>> {
        self.0.get(trimmed(issuer)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(tenant: &str, issuer: &str) -> TenantIssuer {
        TenantIssuer { tenant: tenant.parse().expect("tenant"), issuer: issuer.to_owned(), client_id: None, client_secret: None }
    }

    #[test]
    fn issuers_are_compared_exactly_but_for_one_slash() {
        let list =
            IssuerList::new([issuer("a", "https://id.example/realms/a"), issuer("b", "https://id.example/realms/b/")]).expect("list");
        let tenant = |text: &str| list.by_issuer(text).map(|found| found.tenant.to_string());
        assert_eq!(tenant("https://id.example/realms/a/").as_deref(), Some("a"));
        assert_eq!(tenant("https://id.example/realms/b").as_deref(), Some("b"));
        for other in ["https://id.example/realms/a//", "https://ID.example/realms/a", "https://id.example/realms/", "", "/"] {
            assert_eq!(tenant(other), None, "{other}");
        }
    }

    #[test]
    fn one_issuer_cannot_speak_for_two_tenants() {
        let twice = IssuerList::new([issuer("a", "https://id.example"), issuer("b", "https://id.example/")]);
        assert_eq!(twice.err().as_deref(), Some("https://id.example"));
    }
}
