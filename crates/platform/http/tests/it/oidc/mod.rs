//! Callers of foreign issuers: a small house with issuers on loopback that answer, lie, stall and die.

mod claims;
mod decisions;
mod keys;
mod listening;
mod tenants;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use signet_http::BearerToken;
use signet_http::oidc::{IssuerDirectory, Oidc, OidcConfig, OidcMetrics, OidcParts, TenantIssuer, trimmed};
use signet_model::{Caller, Clock as _, Refusal};
use signet_outbound::{AddressPolicy, Outbound, OutboundConfig};
use signet_testkit::{FakeClock, KeyKind, SeededEntropy, TestIssuer, TokenKey};

pub(super) const INTERVAL: Duration = Duration::from_secs(10);

/// A directory that a test may change.
#[derive(Default)]
pub(super) struct Directory(Mutex<BTreeMap<String, Arc<TenantIssuer>>>);

impl IssuerDirectory for Directory {
    fn by_issuer(&self, issuer: &str) -> Option<Arc<TenantIssuer>> {
        self.0.lock().get(trimmed(issuer)).cloned()
    }
}

impl Directory {
    pub(super) fn enter(&self, tenant: &str, issuer: &str) {
        let entry = TenantIssuer {
            tenant: tenant.parse().expect("tenant"),
            issuer: issuer.to_owned(),
            client_id: Some("signet-backend".to_owned()),
            client_secret: None,
        };
        self.0.lock().insert(trimmed(issuer).to_owned(), Arc::new(entry));
    }

    pub(super) fn strike(&self, issuer: &str) {
        self.0.lock().remove(trimmed(issuer));
    }
}

/// One tenant `acme` with its issuer and key.
pub(super) struct House {
    pub(super) issuer: TestIssuer,
    pub(super) key: TokenKey,
    pub(super) clock: FakeClock,
    pub(super) directory: Arc<Directory>,
    pub(super) oidc: Arc<Oidc>,
}

impl House {
    pub(super) fn new() -> Self {
        Self::with(OidcConfig { audience: Some("signet".to_owned()), uma: true, ..OidcConfig::default() })
    }

    pub(super) fn with(config: OidcConfig) -> Self {
        let key = TokenKey::new(KeyKind::P256, "one");
        let issuer = TestIssuer::start("/auth/realms/acme", &[&key]);
        let (clock, directory) = (FakeClock::new(), Arc::new(Directory::default()));
        directory.enter("acme", &issuer.issuer());
        let mut asking = OutboundConfig::new(AddressPolicy::permissive());
        asking.total_timeout = Duration::from_secs(2);
        let oidc = Oidc::new(OidcParts {
            directory: Arc::clone(&directory) as Arc<dyn IssuerDirectory>,
            outbound: Outbound::new(asking).expect("a client"),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SeededEntropy::new(11)),
            config,
            metrics: OidcMetrics::default(),
        });
        Self { issuer, key, clock, directory, oidc }
    }

    /// Good claims of now.
    pub(super) fn claims(&self) -> Value {
        let now = self.clock.now().micros() / 1_000_000;
        json!({ "iss": self.issuer.issuer(), "sub": "op", "aud": "signet", "iat": now, "exp": now + 300, "scope": "signet:auditor" })
    }

    pub(super) fn token(&self) -> String {
        self.key.token(&self.claims())
    }

    pub(super) async fn verify(&self, token: &str) -> Result<Caller, Refusal> {
        self.oidc.verify(&BearerToken::new(token)).await
    }

    /// The code of the refusal, or `ok`.
    pub(super) async fn outcome(&self, token: &str) -> &'static str {
        self.verify(token).await.map_or_else(|refusal| refusal.reason.code, |_| "ok")
    }
}
