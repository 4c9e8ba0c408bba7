//! Issuers that rotate, lie, stall and die, and attackers who want them asked. Field case C05.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use signet_http::BearerToken;
use signet_testkit::{Fetches, IssuerMode, KeyKind, TokenKey};

use super::{House, INTERVAL};

/// Lets what runs beside the test go on until it is so.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..3_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

fn fetches(house: &House) -> (usize, usize) {
    let Fetches { discovery, keys, .. } = house.issuer.fetches();
    (discovery, keys)
}

#[tokio::test]
async fn an_unknown_issuer_is_refused_and_nobody_is_asked() {
    let house = House::new();
    house.directory.strike(&house.issuer.issuer());
    let refusal = house.verify(&house.token()).await.expect_err("unknown");
    assert_eq!((refusal.reason.code, refusal.reason.status), ("bearer.issuer-unknown", 401));
    assert_eq!(house.issuer.fetches(), Fetches::default());
}

#[tokio::test]
async fn a_key_that_changes_under_its_id_costs_one_fetch_and_nobody_a_refusal() {
    let mut house = House::new();
    assert_eq!(house.outcome(&house.token()).await, "ok");
    assert_eq!(fetches(&house), (1, 1));
    let swapped = TokenKey::new(KeyKind::P256, "one");
    house.issuer.publish(&[&swapped]);
    house.key = swapped;
    house.clock.advance(INTERVAL);
    let tokens: Vec<String> = (0..1_000)
        .map(|n| {
            let mut claims = house.claims();
            claims["sub"] = json!(format!("person-{n}"));
            house.key.token(&claims)
        })
        .collect();
    let outcomes = join_all(tokens.iter().map(|token| house.outcome(token))).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "ok").count(), 1_000, "{:?}", outcomes.iter().find(|o| **o != "ok"));
    assert_eq!(fetches(&house), (2, 2));
}

#[tokio::test]
async fn forged_signatures_and_unknown_keys_cause_one_fetch_per_interval() {
    let house = House::new();
    let good = house.token();
    assert_eq!(house.outcome(&good).await, "ok");
    let forger = TokenKey::new(KeyKind::P256, "one");
    for round in 1..4 {
        house.clock.advance(INTERVAL);
        let forged = forger.token(&house.claims());
        let outcomes = join_all((0..200).map(|_| house.outcome(&forged))).await;
        assert!(outcomes.iter().all(|outcome| *outcome == "bearer.signature"), "{outcomes:?}");
        for n in 0..200 {
            let unknown = forger.sign(&json!({ "alg": "ES256", "kid": format!("made-up-{n}") }), &house.claims());
            assert_eq!(house.outcome(&unknown).await, "bearer.key-unknown");
        }
        assert_eq!(fetches(&house), (1 + round, 1 + round));
        assert_eq!(house.outcome(&good).await, "ok");
    }
    let refusal = house.verify(&forger.token(&house.claims())).await.expect_err("forged");
    assert!(refusal.detail.contains("keys of 2026-01-01T00:00:30"), "{}", refusal.detail);
}

#[tokio::test]
async fn after_an_attack_a_changed_key_is_known_within_the_interval() {
    let mut house = House::new();
    assert_eq!(house.outcome(&house.token()).await, "ok");
    house.clock.advance(INTERVAL);
    let forger = TokenKey::new(KeyKind::P256, "one");
    assert_eq!(house.outcome(&forger.token(&house.claims())).await, "bearer.signature");
    let swapped = TokenKey::new(KeyKind::P256, "one");
    house.issuer.publish(&[&swapped]);
    house.key = swapped;
    assert_eq!(house.outcome(&house.token()).await, "bearer.signature", "within the interval nobody is asked again");
    house.clock.advance(INTERVAL);
    assert_eq!(house.outcome(&house.token()).await, "ok");
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_silence_the_issuer() {
    let house = House::new();
    assert_eq!(house.outcome(&house.token()).await, "ok");
    house.clock.set(signet_model::Timestamp::from_micros(1_000_000));
    let swapped = TokenKey::new(KeyKind::P256, "one");
    house.issuer.publish(&[&swapped]);
    assert_eq!(house.outcome(&swapped.token(&house.claims())).await, "ok");
}

#[tokio::test]
async fn many_who_wait_for_a_slow_issuer_ask_it_once_and_whoever_leaves_stops_nothing() {
    let house = House::new();
    house.issuer.set(IssuerMode::Slow(Duration::from_millis(300)));
    let token = house.token();
    // The one who begins the fetch goes away at once, as a client that closes its connection.
    let oidc = Arc::clone(&house.oidc);
    let first = BearerToken::new(token.as_str());
    let leaver = tokio::spawn(async move { oidc.verify(&first).await });
    until("the fetch begins", || house.issuer.fetches().discovery == 1).await;
    leaver.abort();
    let outcomes = join_all((0..500).map(|_| house.outcome(&token))).await;
    assert!(outcomes.iter().all(|outcome| *outcome == "ok"), "{outcomes:?}");
    assert_eq!(fetches(&house), (1, 1));
}

#[tokio::test]
async fn an_issuer_that_is_too_slow_is_unavailable_and_not_the_tokens_fault() {
    let house = House::new();
    house.issuer.set(IssuerMode::Slow(Duration::from_secs(20)));
    let refusal = house.verify(&house.token()).await.expect_err("too slow");
    assert_eq!((refusal.reason.code, refusal.reason.status), ("oidc.issuer-unavailable", 503));
}

#[tokio::test]
async fn an_issuer_that_is_gone_at_first_is_asked_again_after_the_interval() {
    let house = House::new();
    for mode in [IssuerMode::Gone, IssuerMode::Failing(500), IssuerMode::Failing(302), IssuerMode::Failing(204)] {
        house.issuer.set(mode);
        house.clock.advance(INTERVAL);
        let refusal = house.verify(&house.token()).await.expect_err("gone");
        assert_eq!(refusal.reason.code, "oidc.issuer-unavailable", "{mode:?}");
        // Where the issuer is, and what is wrong there, is none of a stranger's business.
        assert!(!refusal.detail.contains("refused") && !refusal.detail.contains("302"), "{}", refusal.detail);
    }
    house.issuer.set(IssuerMode::Answering);
    assert_eq!(house.outcome(&house.token()).await, "oidc.issuer-unavailable", "the interval is not over");
    house.clock.advance(INTERVAL);
    assert_eq!(house.outcome(&house.token()).await, "ok");
}

#[tokio::test]
async fn keys_of_an_issuer_that_is_gone_are_kept_for_a_day_and_the_age_is_told() {
    let house = House::new();
    let long = |house: &House| {
        let mut claims = house.claims();
        claims["exp"] = json!(claims["exp"].as_i64().expect("exp") + 200_000);
        house.key.token(&claims)
    };
    let token = long(&house);
    assert_eq!(house.outcome(&token).await, "ok");
    house.issuer.set(IssuerMode::Gone);
    for _ in 0..3 {
        house.clock.advance(Duration::from_secs(28_000));
        assert_eq!(house.outcome(&token).await, "ok", "remembered");
        assert_eq!(house.outcome(&long(&house)).await, "ok", "new");
    }
    assert_eq!(house.oidc.overdue(), (1, Duration::from_secs(84_000)));
    // Nobody knows whether an unknown key is one that came while the issuer was gone.
    let stranger = TokenKey::new(KeyKind::P256, "two");
    assert_eq!(house.outcome(&stranger.token(&house.claims())).await, "oidc.issuer-unavailable");
    house.clock.advance(Duration::from_secs(2_400));
    assert_eq!(house.outcome(&token).await, "oidc.issuer-unavailable");
    house.issuer.set(IssuerMode::Answering);
    house.clock.advance(INTERVAL);
    assert_eq!(house.outcome(&token).await, "ok");
    assert_eq!(house.oidc.overdue(), (0, Duration::ZERO));
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_at_the_next_renewal_beside_the_work() {
    let house = House::new();
    let mut claims = house.claims();
    claims["exp"] = json!(claims["exp"].as_i64().expect("exp") + 10_000);
    let token = house.key.token(&claims);
    assert_eq!(house.outcome(&token).await, "ok");
    let next = TokenKey::new(KeyKind::P256, "two");
    house.issuer.publish(&[&next]);
    house.clock.advance(Duration::from_secs(600));
    assert_eq!(house.outcome(&token).await, "ok", "the old keys serve while the new ones are fetched");
    until("renewed", || house.issuer.fetches().keys == 2).await;
    let mut last = "";
    for _ in 0..500 {
        last = house.outcome(&token).await;
        if last != "ok" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(last, "bearer.key-unknown");
}

#[tokio::test]
async fn an_issuer_that_says_it_is_another_is_not_believed() {
    let house = House::new();
    for lie in ["https://other.example", &format!("{}//", house.issuer.issuer()), &house.issuer.issuer().to_uppercase(), ""] {
        house.issuer.claim(Some(lie));
        house.clock.advance(INTERVAL);
        assert_eq!(house.outcome(&house.token()).await, "oidc.issuer-unavailable", "{lie}");
    }
    assert_eq!(house.issuer.fetches().keys, 0, "keys of a liar are not asked for");
    house.issuer.claim(Some(&format!("{}/", house.issuer.issuer())));
    house.clock.advance(INTERVAL);
    assert_eq!(house.outcome(&house.token()).await, "ok");
}

#[tokio::test]
async fn keys_are_not_fetched_where_the_policy_forbids() {
    let house = House::new();
    for place in ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "http://[fe80::1]/", "http://2130706433/", "//x", ""] {
        house.issuer.keys_at(Some(place));
        house.clock.advance(INTERVAL);
        assert_eq!(house.outcome(&house.token()).await, "oidc.issuer-unavailable", "{place}");
    }
}

#[tokio::test]
async fn key_sets_that_are_none_leave_the_former_keys_in_use() {
    let house = House::new();
    assert_eq!(house.outcome(&house.token()).await, "ok");
    let forger = TokenKey::new(KeyKind::P256, "one");
    for bad in [json!({}), json!([]), json!({ "keys": vec![json!({}); 65] }), json!({ "keys": [], "pad": "x".repeat(300_000) })] {
        house.issuer.publish_value(bad);
        house.clock.advance(INTERVAL);
        assert_eq!(house.outcome(&forger.token(&house.claims())).await, "oidc.issuer-unavailable");
        assert_eq!(house.outcome(&house.token()).await, "ok");
    }
}
