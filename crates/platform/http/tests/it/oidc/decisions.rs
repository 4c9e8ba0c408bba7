//! Asking the issuer whether something is permitted.

use std::time::Duration;

use serde_json::json;
use signet_http::BearerToken;
use signet_http::oidc::OidcConfig;
use signet_testkit::IssuerMode;

use super::House;

const READ: &str = "tenant:basic-credentials:read";

impl House {
    async fn permits(&self, token: &str, resource: &str, scope: &str) -> Result<bool, &'static str> {
        self.oidc.permits(&BearerToken::new(token), resource, scope).await.map_err(|refusal| refusal.reason.code)
    }
}

#[tokio::test]
async fn a_permission_is_asked_for_as_kaa_does_and_believed_for_thirty_seconds() {
    let house = House::new();
    let token = house.token();
    house.issuer.grant("tenant-system#tenant:basic-credentials:read", true);
    assert_eq!(house.permits(&token, "tenant-system", READ).await, Ok(true));
    assert_eq!(
        house.issuer.last_decision(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Auma-ticket&audience=signet-backend&\
         permission=tenant-system%23tenant%3Abasic-credentials%3Aread&response_mode=decision"
    );
    house.issuer.grant("tenant-system#tenant:basic-credentials:read", false);
    house.clock.advance(Duration::from_secs(29));
    assert_eq!(house.permits(&token, "tenant-system", READ).await, Ok(true));
    assert_eq!(house.issuer.fetches().decisions, 1);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.permits(&token, "tenant-system", READ).await, Ok(false));
}

#[tokio::test]
async fn a_permission_counts_for_its_token_resource_and_scope_only() {
    let house = House::new();
    house.issuer.grant("endpoint-1#endpoint:update", true);
    let token = house.token();
    assert_eq!(house.permits(&token, "endpoint-1", "endpoint:update").await, Ok(true));
    for (resource, scope) in [("endpoint-2", "endpoint:update"), ("endpoint-1", "endpoint:read"), ("endpoint-1endpoint", ":update")] {
        assert_eq!(house.permits(&token, resource, scope).await, Ok(false), "{resource} {scope}");
    }
    house.issuer.grant("endpoint-1#endpoint:update", false);
    let mut other = house.claims();
    other["sub"] = json!("somebody else");
    assert_eq!(house.permits(&house.key.token(&other), "endpoint-1", "endpoint:update").await, Ok(false));
}

#[tokio::test]
async fn a_refusal_is_repeated_for_a_moment_only() {
    let house = House::new();
    let token = house.token();
    for _ in 0..50 {
        assert_eq!(house.permits(&token, "tenant-system", READ).await, Ok(false));
    }
    assert_eq!(house.issuer.fetches().decisions, 1);
    house.issuer.grant("tenant-system#tenant:basic-credentials:read", true);
    house.clock.advance(Duration::from_secs(2));
    assert_eq!(house.permits(&token, "tenant-system", READ).await, Ok(true));
}

#[tokio::test]
async fn nobody_is_asked_about_tickets_or_odd_names_or_when_it_is_switched_off() {
    let house = House::new();
    house.issuer.grant("tenant-system#tenant:basic-credentials:read", true);
    let mut ticket = house.claims();
    ticket["authorization"] = json!({ "permissions": [] });
    assert_eq!(house.permits(&house.key.token(&ticket), "tenant-system", READ).await, Ok(false));
    assert_eq!(house.permits(&house.token(), "endpoint-1#admin", READ).await, Ok(false));
    let off = House::with(OidcConfig { audience: Some("signet".to_owned()), ..OidcConfig::default() });
    off.issuer.grant("tenant-system#tenant:basic-credentials:read", true);
    assert_eq!(off.permits(&off.token(), "tenant-system", READ).await, Ok(false));
    assert_eq!((house.issuer.fetches().decisions, off.issuer.fetches().decisions), (0, 0));
}

#[tokio::test]
async fn no_decision_is_no_permission() {
    let house = House::new();
    let token = house.token();
    assert_eq!(house.outcome(&token).await, "ok");
    for (mode, outcome) in [
        (IssuerMode::Gone, Err("oidc.decision-unavailable")),
        (IssuerMode::Failing(200), Err("oidc.decision-unavailable")),
        (IssuerMode::Failing(400), Err("oidc.decision-unavailable")),
        (IssuerMode::Failing(302), Err("oidc.decision-unavailable")),
        (IssuerMode::Failing(401), Err("bearer.refused")),
        (IssuerMode::Failing(403), Ok(false)),
    ] {
        house.issuer.set(mode);
        assert_eq!(house.permits(&token, "tenant-system", READ).await, outcome, "{mode:?}");
    }
    assert_eq!(house.permits("a.b.c", "tenant-system", READ).await, Err("bearer.malformed"));
}
