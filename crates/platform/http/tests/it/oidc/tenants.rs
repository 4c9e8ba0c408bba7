//! Two tenants with two issuers: no token of one opens the other, and what the directory says counts at once.

use serde_json::json;
use signet_testkit::{KeyKind, TestIssuer, TokenKey};

use super::House;

#[tokio::test]
async fn tokens_of_two_issuers_never_cross() {
    let house = House::new();
    let other_key = TokenKey::new(KeyKind::P256, "one");
    let other = TestIssuer::start("/auth/realms/other", &[&other_key]);
    house.directory.enter("other", &other.issuer());
    let claims = |issuer: &str| {
        let mut claims = house.claims();
        claims["iss"] = json!(issuer);
        claims
    };
    let (acme, others) = (claims(&house.issuer.issuer()), claims(&other.issuer()));
    let tenant = async |token: String| house.verify(&token).await.map(|caller| caller.tenant().map(ToString::to_string));
    assert_eq!(tenant(house.key.token(&acme)).await.expect("acme"), Some("acme".to_owned()));
    assert_eq!(tenant(other_key.token(&others)).await.expect("other"), Some("other".to_owned()));
    // Signed by one, and said to be of the other; the key ids are the same.
    for token in [house.key.token(&others), other_key.token(&acme)] {
        assert_eq!(house.outcome(&token).await, "bearer.signature");
    }
    // What a token says of tenants means nothing.
    let mut boasting = acme.clone();
    for claim in ["tenant", "tenantId", "realm", "azp"] {
        boasting[claim] = json!("other");
    }
    assert_eq!(tenant(house.key.token(&boasting)).await.expect("acme"), Some("acme".to_owned()));
    // An issuer whose path begins as another's is another issuer.
    assert_eq!(house.outcome(&house.key.token(&claims(&format!("{}2", house.issuer.issuer())))).await, "bearer.issuer-unknown");
}

#[tokio::test]
async fn a_directory_that_changes_is_obeyed_at_once() {
    let house = House::new();
    let token = house.token();
    assert_eq!(house.outcome(&token).await, "ok");
    house.directory.enter("moved", &house.issuer.issuer());
    let moved = house.verify(&token).await.expect("moved");
    assert_eq!(moved.tenant().map(ToString::to_string).as_deref(), Some("moved"));
    house.directory.strike(&house.issuer.issuer());
    assert_eq!(house.outcome(&token).await, "bearer.issuer-unknown");
}
