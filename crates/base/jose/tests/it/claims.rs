//! What claims may and may not be.

use serde_json::{Value, json};
use signet_jose::{JoseError, MOST_PERMISSIONS};

use crate::support::{ISSUER, KEYS, claims, now_seconds, verify};

/// The claims with these members replaced; null removes one.
fn with(changes: &Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        let members = claims.as_object_mut().unwrap();
        members.insert(name.clone(), value.clone());
        members.retain(|_, value| !value.is_null());
    }
    KEYS.ed25519.token(&claims)
}

#[test]
fn dates_hold_within_the_leeway_and_reasons_tell_both_times() {
    let now = now_seconds();
    for good in [
        json!({ "iat": now + 59 }),
        json!({ "iat": now + 60 }),
        json!({ "nbf": now + 30 }),
        json!({ "exp": now - 59 }),
        json!({ "exp": f64::from(u32::try_from(now).unwrap()) + 300.75 }),
        json!({ "iat": null }),
        json!({ "iat": 0 }),
        json!({ "exp": 253_402_300_799_i64 }),
    ] {
        assert!(verify(&with(&good)).is_ok(), "{good}");
    }
    for (bad, text) in [
        (
            json!({ "iat": now + 61 }),
            "claim `iat` is 2026-01-01T00:01:01.000000Z, 61 s in the future: it is 2026-01-01T00:00:00.000000Z here, and 60 s of difference are allowed",
        ),
        (
            json!({ "nbf": now + 61 }),
            "claim `nbf` is 2026-01-01T00:01:01.000000Z, 61 s in the future: it is 2026-01-01T00:00:00.000000Z here, and 60 s of difference are allowed",
        ),
        (
            json!({ "exp": now - 60 }),
            "the token ended at 2025-12-31T23:59:00.000000Z; it is 2026-01-01T00:00:00.000000Z here, and 60 s of difference are allowed",
        ),
    ] {
        assert_eq!(verify(&with(&bad)).unwrap_err().to_string(), text);
    }
}

#[test]
fn a_claim_of_a_wrong_type_is_refused_and_never_taken_as_absent() {
    let now = now_seconds();
    let far = "x".repeat(10);
    for (claim, values) in [
        ("exp", vec![json!("1767225900"), json!(1e30), json!(-1), json!([now]), json!(true), json!(253_402_300_800_i64)]),
        ("nbf", vec![json!("0"), json!(-1), json!({})]),
        ("iat", vec![json!("0"), json!(1e18), json!([])]),
        ("aud", vec![json!([]), json!(7), json!([7]), json!(["signet", 7]), json!({}), json!([["signet"]])]),
        (
            "iss",
            vec![
                json!(7),
                json!(""),
                json!([ISSUER]),
                json!(format!("{ISSUER}//")),
                json!(ISSUER.to_uppercase()),
                json!(format!("{ISSUER}{far}")),
            ],
        ),
        ("sub", vec![json!(7), json!(""), json!(["op"])]),
        ("scope", vec![json!(7), json!([7]), json!({})]),
        ("typ", vec![json!(7)]),
        ("authorization", vec![json!(7), json!({}), json!({ "permissions": {} }), json!({ "permissions": [7] })]),
    ] {
        for value in values {
            let error = verify(&with(&json!({ claim: value }))).unwrap_err();
            assert!(matches!(&error, JoseError::Claim { claim: named, .. } if *named == claim), "{claim}: {value}: {error}");
        }
    }
    // JSON's null is a value, and of a wrong type.
    for claim in ["exp", "iat", "nbf", "aud", "sub", "iss", "scope", "typ", "authorization"] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().insert(claim.to_owned(), Value::Null);
        assert!(verify(&KEYS.ed25519.token(&claims)).is_err(), "{claim}");
    }
}

#[test]
fn what_must_be_there_is_missed() {
    for claim in ["iss", "exp", "sub"] {
        let error = verify(&with(&json!({ claim: null }))).unwrap_err();
        assert!(matches!(&error, JoseError::Claim { claim: named, .. } if *named == claim), "{claim}: {error}");
    }
    assert_eq!(verify(&with(&json!({ "aud": null }))).unwrap_err(), JoseError::Audience("signet".to_owned()));
    for other in [json!("Signet"), json!("signet/"), json!("signe"), json!(["account"]), json!("")] {
        assert_eq!(verify(&with(&json!({ "aud": other }))).unwrap_err(), JoseError::Audience("signet".to_owned()), "{other}");
    }
    assert!(verify(&with(&json!({ "aud": ["account", "signet"] }))).is_ok());
    assert!(verify(&with(&json!({ "iss": format!("{ISSUER}/") }))).is_ok());
}

#[test]
fn other_kinds_of_tokens_and_bound_ones_are_refused() {
    for bad in [
        json!({ "typ": "ID" }),
        json!({ "typ": "Refresh" }),
        json!({ "typ": "DPoP" }),
        json!({ "at_hash": "x" }),
        json!({ "c_hash": "x" }),
        json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }),
    ] {
        assert!(matches!(verify(&with(&bad)), Err(JoseError::Kind(_))), "{bad}");
    }
    assert_eq!(verify(&with(&json!({ "cnf": { "jkt": "x" } }))), Err(JoseError::Bound));
    assert!(verify(&with(&json!({ "typ": "Bearer" }))).is_ok());
}

#[test]
fn scopes_and_permissions_are_read() {
    let plain = verify(&with(&json!({ "scope": "openid  signet:auditor tenant:basic-credentials:read" }))).unwrap();
    assert_eq!(plain.scopes, ["openid", "signet:auditor", "tenant:basic-credentials:read"]);
    assert!(!plain.requesting_party && plain.permissions.is_empty());
    let ticket = json!({ "authorization": { "permissions": [
        { "rsid": "1", "rsname": "tenant-system", "scopes": ["a:read", "a:update"] },
        { "rsid": "2", "rsname": "endpoint-7" },
        { "rsid": "3", "scopes": ["everything"] },
        { "rsid": "4", "rsname": "endpoint-8", "scopes": [] },
    ] } });
    let read = verify(&with(&ticket)).unwrap();
    let pair = |scope: &str| ("tenant-system".to_owned(), scope.to_owned());
    assert_eq!((read.permissions, read.requesting_party), (vec![pair("a:read"), pair("a:update")], true));
    let none = verify(&with(&json!({ "authorization": { "permissions": [] } }))).unwrap();
    assert!(none.requesting_party && none.permissions.is_empty());
}

#[test]
fn the_number_of_permissions_and_scopes_is_bounded() {
    let scopes = |count: usize| vec!["a"; count];
    let ticket = |count: usize| with(&json!({ "authorization": { "permissions": [{ "rsname": "r", "scopes": scopes(count) }] } }));
    assert!(verify(&ticket(MOST_PERMISSIONS)).is_ok());
    assert!(matches!(verify(&ticket(MOST_PERMISSIONS + 1)), Err(JoseError::Claim { claim: "authorization", .. })));
    assert!(verify(&with(&json!({ "scope": scopes(MOST_PERMISSIONS).join(" ") }))).is_ok());
    assert!(verify(&with(&json!({ "scope": scopes(MOST_PERMISSIONS + 1).join(" ") }))).is_err());
    // A name is copied into each of its pairs, so a long one would make a small token a large memory.
    let named = |length: usize| with(&json!({ "authorization": { "permissions": [{ "rsname": "r".repeat(length), "scopes": ["a"] }] } }));
    assert!(verify(&named(256)).is_ok() && verify(&named(257)).is_err());
    assert!(verify(&with(&json!({ "scope": "s".repeat(257) }))).is_err());
}
