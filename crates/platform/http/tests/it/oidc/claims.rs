//! Field case C06: claims at the edges of what holds, and what the refusal says.

use serde_json::{Value, json};

use super::House;
use crate::logs::Lines;

/// `NOW`, `NOW+2` and the like as numbers, `"NOW+300"` in quotes as a text, `ISS` and what follows it as the issuer.
fn meant(value: &Value, now: i64, issuer: &str) -> Value {
    let Some(text) = value.as_str() else { return value.clone() };
    if text == "UPPER" {
        return json!(issuer.replace("http://", "HTTP://"));
    }
    if let Some(rest) = text.strip_prefix("ISS") {
        return json!(format!("{issuer}{rest}"));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return json!(meant(&json!(quoted.trim_end_matches('"')), now, issuer).to_string());
    }
    match text.strip_prefix("NOW") {
        Some("") => json!(now),
        Some(shift) if shift.contains('.') => {
            json!(f64::from(u32::try_from(now).expect("this century")) + shift.parse::<f64>().expect("shift"))
        }
        Some(shift) => json!(now + shift.parse::<i64>().expect("shift")),
        None => value.clone(),
    }
}

#[tokio::test]
async fn every_row_of_the_claims_has_its_outcome() {
    let rows: Vec<Value> = serde_json::from_str(include_str!("../data/claims.json")).expect("rows");
    assert_eq!(rows.len(), 17);
    let house = House::new();
    for row in rows {
        let now = house.claims()["iat"].as_i64().expect("now");
        let claims: Value = row["claims"]
            .as_object()
            .expect("claims")
            .iter()
            .map(|(name, v)| (name.clone(), meant(v, now, &house.issuer.issuer())))
            .collect();
        let outcome = house.verify(&house.key.token(&claims)).await;
        let status = outcome.as_ref().map_or_else(|refusal| refusal.reason.status, |_| 200);
        assert_eq!(json!(status), row["status"], "{row}: {outcome:?}");
        if row["why"].as_str().expect("why").contains("in the future") {
            let detail = outcome.expect_err("refused").detail;
            assert!(
                detail.contains("61 s in the future") && detail.contains("it is 2026-01-01T00:00:00") && detail.contains("60 s"),
                "{detail}"
            );
        }
    }
}

#[tokio::test]
async fn a_person_gets_what_the_token_says_and_a_ticket_only_what_it_lists() {
    let house = House::new();
    let mut claims = house.claims();
    claims["scope"] = json!("tenant:basic-credentials:read signet:operator");
    let person = house.verify(&house.key.token(&claims)).await.expect("a person");
    let acme = "acme".parse().expect("tenant");
    assert_eq!((person.to_string().as_str(), person.tenant()), ("person:op", Some(&acme)));
    assert!(person.may(&acme, signet_model::Role::Operator) && !person.may(&acme, signet_model::Role::Owner));
    claims["authorization"] = json!({ "permissions": [{ "rsname": "tenant-system", "scopes": ["tenant:basic-credentials:update"] }] });
    let ticket = house.verify(&house.key.token(&claims)).await.expect("a person");
    let may = |scope: &str| ticket.may_scope(&acme, "tenant-system", scope, signet_model::Role::Auditor);
    assert!(may("tenant:basic-credentials:update") && !may("tenant:basic-credentials:read"));
}

#[tokio::test]
async fn a_remembered_token_ends_when_it_ends() {
    let house = House::new();
    let token = house.token();
    assert_eq!(house.outcome(&token).await, "ok");
    house.clock.advance(std::time::Duration::from_secs(359));
    assert_eq!(house.outcome(&token).await, "ok");
    house.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(house.outcome(&token).await, "bearer.expired");
}

// One thread, so that the log of this test is its own.
#[tokio::test]
async fn the_log_says_why_a_token_was_refused_and_never_shows_one() {
    let (lines, _guard) = Lines::of_this_thread();
    let house = House::new();
    let mut claims = house.claims();
    claims["iat"] = json!(claims["iat"].as_i64().expect("iat") + 61);
    let (early, good) = (house.key.token(&claims), house.token());
    let forged = house.key.sign(&json!({ "alg": "ES256", "kid": "other" }), &house.claims());
    for token in [&good, &early, &forged] {
        let _ = house.verify(token).await;
    }
    house.issuer.set(signet_testkit::IssuerMode::Gone);
    let asked = house.oidc.permits(&signet_http::BearerToken::new(good.as_str()), "tenant-system", "tenant:basic-credentials:read").await;
    assert_eq!(asked.expect_err("gone").reason.code, "oidc.decision-unavailable");
    let text = lines.text();
    for said in ["oidc.token-refused", "61 s in the future", "bearer.key-unknown", "oidc.keys-fetched", "oidc.decision-failed"] {
        assert!(text.contains(said), "{said} in {text}");
    }
    for part in [&good, &early, &forged].iter().flat_map(|token| token.split('.')) {
        assert!(!text.contains(part), "{part} in {text}");
    }
}
