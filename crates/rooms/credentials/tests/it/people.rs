//! Callers whom a tenant's own issuer vouches for, and everybody, when security is off.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signet_credentials::People;
use signet_crypto::SystemEntropy;
use signet_http::oidc::{IssuerList, Oidc, OidcConfig, OidcMetrics, OidcParts, TenantIssuer};
use signet_ledger::{Change, StandingEntry};
use signet_model::{AuditRecord, Clock as _, StandingSubject};
use signet_outbound::{AddressPolicy, Outbound, OutboundConfig};
use signet_testkit::{FakeClock, Fetches, KeyKind, TestIssuer, TokenKey};

use crate::house::{Answer, House, eventually};
use crate::on_both;

/// One issuer for each of some tenants.
pub(crate) struct Issuers {
    each: Vec<(String, TestIssuer, TokenKey)>,
    clock: FakeClock,
    pub(crate) oidc: Arc<Oidc>,
}

impl Issuers {
    pub(crate) fn of(tenants: &[&str], clock: &FakeClock) -> Self {
        let each: Vec<_> = tenants
            .iter()
            .map(|tenant| {
                // The same key id everywhere, as issuers that count from one do.
                let key = TokenKey::new(KeyKind::P256, "1");
                ((*tenant).to_owned(), TestIssuer::start(&format!("/auth/realms/{tenant}"), &[&key]), key)
            })
            .collect();
        let list = each.iter().map(|(tenant, issuer, _)| TenantIssuer {
            tenant: tenant.parse().unwrap(),
            issuer: issuer.issuer(),
            client_id: None,
            client_secret: None,
        });
        let oidc = Oidc::new(OidcParts {
            directory: Arc::new(IssuerList::new(list).unwrap()),
            outbound: Outbound::new(OutboundConfig::new(AddressPolicy::permissive())).unwrap(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(SystemEntropy),
            config: OidcConfig::default(),
            metrics: OidcMetrics::default(),
        });
        Self { each, clock: clock.clone(), oidc }
    }

    /// A token of the tenant's issuer with these scopes, valid for a day.
    pub(crate) fn token(&self, tenant: &str, scope: &str) -> String {
        let (_, issuer, key) = self.each.iter().find(|(name, ..)| name == tenant).unwrap();
        let now = self.clock.now().micros() / 1_000_000;
        key.token(&json!({ "iss": issuer.issuer(), "sub": format!("of-{tenant}"), "iat": now, "exp": now + 86_400, "scope": scope }))
    }

    fn fetches(&self) -> usize {
        self.each.iter().map(|(_, issuer, _)| issuer.fetches()).map(|Fetches { discovery, keys, .. }| discovery + keys).sum()
    }
}

async fn with(house: &House, method: &str, path: &str, token: &str) -> Answer {
    let body: Option<&[u8]> = (method == "POST").then_some(br#"{"name":"new","kind":"device"}"#);
    house.send(method, path, token, &[], body).await
}

on_both! {
    async fn a_person_may_what_the_scopes_say_in_the_tenant_of_the_issuer(kind) {
        let mut house = House::new(kind).await;
        let issuers = Issuers::of(&["acme"], &house.clock);
        house.admit(People::Issuers(Arc::clone(&issuers.oidc)));
        let identities = "/api/v1/tenants/acme/identities";
        for (scope, reads, writes) in [
            ("signet:auditor", 200, 403),
            ("signet:operator", 200, 201),
            ("signet:platform", 403, 403),
            ("tenant:basic-credentials:update", 403, 403),
            ("openid", 403, 403),
        ] {
            let token = issuers.token("acme", scope);
            assert_eq!(with(&house, "GET", identities, &token).await.status, reads, "{scope}");
            let made = with(&house, "POST", identities, &token).await;
            assert_eq!(made.status, writes, "{scope}: {}", made.body);
            assert_eq!(with(&house, "GET", "/api/v1/tenants/default/identities", &token).await.reason(404), "tenant.not-found");
            assert_eq!(with(&house, "POST", "/api/v1/tenants", &token).await.reason(403), "auth.role-missing");
        }
        let actors: Vec<String> = house.records("new").await.into_iter().map(|record| record.actor).collect();
        assert!(actors.iter().all(|actor| actor == "person:of-acme"), "{actors:?}");
        // Our own tokens go their own way all the same.
        assert_eq!(house.get(identities).await.status, 200);
        house.end().await;
    }

    async fn tokens_of_nobody_here_are_refused_and_nobody_is_asked(kind) {
        let mut house = House::new(kind).await;
        let strangers = Issuers::of(&["acme"], &house.clock);
        let token = strangers.token("acme", "signet:owner");
        let path = "/api/v1/tenants/acme";
        assert_eq!(with(&house, "GET", path, &token).await.reason(401), "auth.invalid");
        let issuers = Issuers::of(&["acme"], &house.clock);
        house.admit(People::Issuers(Arc::clone(&issuers.oidc)));
        assert_eq!(with(&house, "GET", path, &token).await.reason(401), "bearer.issuer-unknown");
        for bad in ["a.b.c", "..", "eyJ.eyJ."] {
            assert_eq!(with(&house, "GET", path, bad).await.reason(401), "bearer.malformed", "{bad}");
        }
        for bad in ["x", "a.b", "a.b.c.d.e", &format!("sgt_{token}"), "sgo_..", ""] {
            let answer = with(&house, "GET", path, bad).await;
            assert!(matches!(answer.reason(401), "auth.invalid"), "{bad}: {}", answer.body);
        }
        assert_eq!(strangers.fetches() + issuers.fetches(), 0);
        house.end().await;
    }

    async fn people_of_a_tenant_that_is_disabled_or_absent_are_refused(kind) {
        let mut house = House::new(kind).await;
        let issuers = Issuers::of(&["acme", "ghost"], &house.clock);
        house.admit(People::Issuers(Arc::clone(&issuers.oidc)));
        for path in ["/api/v1/tenants", "/api/v1/tenants/ghost"] {
            assert_eq!(with(&house, "GET", path, &issuers.token("ghost", "signet:owner")).await.reason(403), "bearer.tenant-unknown");
        }
        let token = issuers.token("acme", "signet:owner");
        assert_eq!(with(&house, "GET", "/api/v1/tenants", &token).await.status, 200);
        let disabled = signet_credentials::REASONS.iter().find(|reason| reason.code == "tenant.disabled").unwrap();
        let subject = StandingSubject::Tenant("acme".parse().unwrap());
        let scope = house.scope("acme");
        let change = Change::new(AuditRecord::new(&scope, "tenant.disable", "acme")).standing(StandingEntry { subject, good: false, reason: Some(disabled.code.to_owned()) });
        house.ledger.commit(change).await.unwrap();
        eventually("the view knows it", || async { with(&house, "GET", "/api/v1/tenants", &token).await.status == 403 }).await;
        assert_eq!(with(&house, "GET", "/api/v1/tenants", &token).await.reason(403), "tenant.disabled");
        house.end().await;
    }

    async fn with_security_off_everybody_owns_one_tenant_and_nothing_above(kind) {
        let mut house = House::new(kind).await;
        let (auditor, id) = house.api_token(&"acme".parse().unwrap(), "auditor").await;
        house.admit(People::Everybody("acme".parse().unwrap()));
        let bare = async |method: &str, path: &str, authorization: Option<&str>| {
            let mut request = http::Request::builder().method(method).uri(path).header("host", "localhost");
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let body = if method == "POST" { r#"{"name":"made-by-anyone","kind":"device"}"# } else { "" };
            house.call(request.body(body.into()).unwrap()).await
        };
        let identities = "/api/v1/tenants/acme/identities";
        assert_eq!(bare("POST", identities, None).await.status, 201);
        for odd in [None, Some(""), Some("Basic YTpi"), Some("Bearer a.b.c"), Some("Bearer anything"), Some("Bearer a b")] {
            assert_eq!(bare("GET", identities, odd).await.status, 200, "{odd:?}");
            assert_eq!(bare("GET", "/api/v1/tenants/default/identities", odd).await.reason(404), "tenant.not-found", "{odd:?}");
            assert_eq!(bare("POST", "/api/v1/tenants", odd).await.reason(403), "auth.role-missing", "{odd:?}");
        }
        let made = house.records("made-by-anyone").await;
        assert!(made.iter().all(|record| record.actor == "person:security-off"), "{made:?}");
        // Tokens of ours mean what they say: no less for the operator, no more for an auditor, nothing once revoked.
        assert_eq!(house.get("/api/v1/tenants/default/identities").await.status, 200);
        assert_eq!(with(&house, "POST", identities, &auditor).await.reason(403), "auth.role-missing");
        house.post(&format!("/api/v1/tenants/acme/api-tokens/{id}/revoke"), &json!({})).await.good();
        eventually("the token is out", || async { with(&house, "GET", identities, &auditor).await.status == 401 }).await;
        house.end().await;
    }

    async fn with_security_off_the_one_tenant_must_be_there(kind) {
        let mut house = House::new(kind).await;
        house.admit(People::Everybody("ghost".parse().unwrap()));
        let answer = with(&house, "GET", "/api/v1/tenants/ghost", "anything").await;
        assert_eq!(answer.reason(403), "bearer.tenant-unknown");
        house.clock.advance(Duration::from_secs(1));
        house.post("/api/v1/tenants", &json!({"id": "ghost"})).await.good();
        assert_eq!(with(&house, "GET", "/api/v1/tenants/ghost", "anything").await.status, 200);
        house.end().await;
    }
}
