//! The tenants that the Tenant Manager keeps, in memory: by name for events, by issuer for those who check tokens.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use signet_crypto::Secret;
use signet_http::oidc::{IssuerDirectory, TenantIssuer, trimmed};
use signet_model::TenantId;

use super::wire::Listed;

/// A tenant as the Tenant Manager last told of it.
#[derive(Clone)]
pub(crate) struct ManagedTenant {
    /// What Signet calls it.
    pub(crate) tenant: TenantId,
    /// The realm's name, where it is another one.
    pub(crate) realm: Option<TenantId>,
    /// The issuer's identifier.
    pub(crate) issuer: Option<String>,
    /// The client that stands for Kaa's services at the issuer.
    pub(crate) client_id: Option<String>,
    /// That client's secret.
    pub(crate) client_secret: Option<Arc<Secret>>,
    /// Whether it is active.
    pub(crate) available: bool,
}

impl ManagedTenant {
    pub(super) fn of(listed: Listed) -> Self {
        Self {
            tenant: listed.tenant,
            realm: listed.realm,
            issuer: listed.issuer,
            client_id: listed.client_id,
            client_secret: listed.client_secret.map(Arc::new),
            available: listed.available,
        }
    }

    /// Whether both tell the same.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let secrets = match (&self.client_secret, &other.client_secret) {
            (Some(one), Some(two)) => one.ct_eq(two),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        secrets
            && self.tenant == other.tenant
            && self.realm == other.realm
            && self.issuer == other.issuer
            && self.client_id == other.client_id
            && self.available == other.available
    }
}

impl fmt::Debug for ManagedTenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManagedTenant({}, available: {})", self.tenant, self.available)
    }
}

/// A tenant with what is handed out of it; the same value until something changes.
#[derive(Clone)]
struct Entry {
    tenant: ManagedTenant,
    issuer: Option<Arc<TenantIssuer>>,
}

/// At most as many entries as the list may have.
#[derive(Default)]
struct Index {
    tenants: HashMap<TenantId, Entry>,
    by_realm: HashMap<TenantId, TenantId>,
    by_issuer: HashMap<String, Arc<TenantIssuer>>,
    /// Issuers that two tenants claim: nobody's, since their tokens could not be told apart.
    contested: usize,
}

/// The directory. Readers never wait.
#[derive(Default)]
pub(crate) struct Directory {
    index: ArcSwap<Index>,
}

impl Directory {
    /// The tenant of this name: its id, else the name of its realm.
    pub(super) fn named(&self, name: &TenantId) -> Option<ManagedTenant> {
        let index = self.index.load();
        let id = if index.tenants.contains_key(name) { name } else { index.by_realm.get(name)? };
        index.tenants.get(id).map(|entry| entry.tenant.clone())
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<ManagedTenant> {
        self.index.load().tenants.values().map(|entry| entry.tenant.clone()).collect()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.index.load().tenants.len()
    }

    /// How many issuers are claimed by more than one.
    pub(super) fn contested(&self) -> usize {
        self.index.load().contested
    }

    /// Puts these in, in place of what is known of them, and takes those out. One writer at a time.
    pub(super) fn update(&self, put: Vec<ManagedTenant>, take: &[TenantId]) {
        let mut tenants = self.index.load().tenants.clone();
        for tenant in take {
            tenants.remove(tenant);
        }
        for tenant in put {
            match tenants.get_mut(&tenant.tenant) {
                Some(entry) if entry.tenant.same_as(&tenant) => {}
                Some(entry) => *entry = Entry::of(tenant),
                None => {
                    tenants.insert(tenant.tenant.clone(), Entry::of(tenant));
                }
            }
        }
        self.index.store(Arc::new(Index::of(tenants)));
    }
}

impl Entry {
    fn of(tenant: ManagedTenant) -> Self {
        let issuer = tenant.issuer.as_ref().map(|issuer| {
            Arc::new(TenantIssuer {
                tenant: tenant.tenant.clone(),
                issuer: issuer.clone(),
                client_id: tenant.client_id.clone(),
                client_secret: tenant.client_secret.clone(),
            })
        });
        Self { tenant, issuer }
    }
}

impl Index {
    fn of(tenants: HashMap<TenantId, Entry>) -> Self {
        let mut by_issuer: HashMap<String, Option<Arc<TenantIssuer>>> = HashMap::new();
        let mut by_realm = HashMap::new();
        for entry in tenants.values() {
            if let Some(realm) = &entry.tenant.realm {
                by_realm.insert(realm.clone(), entry.tenant.tenant.clone());
            }
            if let Some(issuer) = &entry.issuer {
                let key = trimmed(&issuer.issuer).to_owned();
                by_issuer.entry(key).and_modify(|claimed| *claimed = None).or_insert_with(|| Some(Arc::clone(issuer)));
            }
        }
        let contested = by_issuer.values().filter(|claimed| claimed.is_none()).count();
        let by_issuer = by_issuer.into_iter().filter_map(|(key, claimed)| Some((key, claimed?))).collect();
        Self { tenants, by_realm, by_issuer, contested }
    }
}

impl IssuerDirectory for Directory {
    fn by_issuer(&self, issuer: &str) -> Option<Arc<TenantIssuer>> {
        self.index.load().by_issuer.get(trimmed(issuer)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str, issuer: &str, secret: &str) -> ManagedTenant {
        ManagedTenant {
            tenant: name.parse().unwrap(),
            realm: Some(format!("realm-{name}").parse().unwrap()),
            issuer: Some(issuer.to_owned()),
            client_id: None,
            client_secret: Some(Arc::new(Secret::from(secret))),
            available: true,
        }
    }

    #[test]
    fn tenants_are_found_by_id_realm_and_issuer() {
        let directory = Directory::default();
        directory.update(vec![tenant("a", "https://i/a/", "1"), tenant("realm-a", "https://i/b", "2")], &[]);
        let named = |name: &str| directory.named(&name.parse().unwrap()).map(|t| t.tenant.to_string());
        assert_eq!(named("a").as_deref(), Some("a"));
        assert_eq!(named("realm-a").as_deref(), Some("realm-a"), "the id wins over another's realm");
        assert_eq!(named("realm-realm-a").as_deref(), Some("realm-a"));
        assert_eq!(named("b"), None);
        assert_eq!(directory.by_issuer("https://i/a").unwrap().tenant.as_str(), "a");
        directory.update(Vec::new(), &["a".parse().unwrap()]);
        assert!(directory.by_issuer("https://i/a").is_none() && named("a").is_none());
    }

    #[test]
    fn what_is_handed_out_stays_the_same_value_until_something_changes() {
        let directory = Directory::default();
        let put = |secret| directory.update(vec![tenant("a", "https://i/a", secret)], &[]);
        put("1");
        let first = directory.by_issuer("https://i/a").unwrap();
        put("1");
        assert!(Arc::ptr_eq(&first, &directory.by_issuer("https://i/a").unwrap()));
        put("2");
        assert!(!Arc::ptr_eq(&first, &directory.by_issuer("https://i/a").unwrap()));
    }

    #[test]
    fn an_issuer_that_two_tenants_claim_is_nobodys() {
        let directory = Directory::default();
        directory.update(vec![tenant("a", "https://i", "1"), tenant("b", "https://i/", "1"), tenant("c", "https://j", "1")], &[]);
        assert!(directory.by_issuer("https://i").is_none());
        assert!(directory.by_issuer("https://j").is_some());
        assert_eq!(directory.contested(), 1);
        directory.update(Vec::new(), &["b".parse().unwrap()]);
        assert_eq!(directory.by_issuer("https://i").unwrap().tenant.as_str(), "a");
    }
}
