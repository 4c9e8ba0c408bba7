//! Keys, algorithms and key ids.

use serde_json::json;
use signet_jose::{Algorithm, JoseError};
use signet_testkit::{KeyKind, TokenKey};

use crate::support::{KEYS, claims, set_of, verify, verify_with};

#[test]
fn every_algorithm_of_the_list_verifies_with_its_key_and_with_no_other() {
    for algorithm in Algorithm::ALL {
        let owner = match algorithm {
            Algorithm::Es256 => &KEYS.p256,
            Algorithm::Es384 => &KEYS.p384,
            Algorithm::EdDsa => &KEYS.ed25519,
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => &KEYS.rsa,
        };
        let token = owner.sign(&json!({ "alg": algorithm.as_str(), "kid": owner.kid() }), &claims());
        assert!(verify(&token).is_ok(), "{algorithm}");
        for key in KEYS.all().into_iter().filter(|key| key.kid() != owner.kid()) {
            let misnamed = owner.sign(&json!({ "alg": algorithm.as_str(), "kid": key.kid() }), &claims());
            assert!(matches!(verify(&misnamed), Err(JoseError::KeyMismatch { .. })), "{algorithm} under {}", key.kid());
        }
    }
}

#[test]
fn a_key_that_names_its_algorithm_verifies_no_other() {
    let mut jwk = KEYS.rsa.jwk();
    jwk["alg"] = json!("RS256");
    let keys = set_of(&[jwk]);
    let signed = |algorithm: &str| KEYS.rsa.sign(&json!({ "alg": algorithm, "kid": "rsa" }), &claims());
    assert!(verify_with(&signed("RS256"), &keys).is_ok());
    for other in ["RS384", "RS512", "PS256"] {
        assert!(matches!(verify_with(&signed(other), &keys), Err(JoseError::KeyMismatch { .. })), "{other}");
    }
}

#[test]
fn tokens_without_a_key_id_try_the_keys_that_fit() {
    let others: Vec<TokenKey> = (0..4).map(|n| TokenKey::new(KeyKind::Ed25519, &format!("other-{n}"))).collect();
    let token = KEYS.ed25519.sign(&json!({ "alg": "EdDSA" }), &claims());
    let among = |before: usize| {
        let mut set: Vec<_> = others.iter().take(before).map(TokenKey::jwk).collect();
        set.insert(0, KEYS.p256.jwk());
        set.push(KEYS.ed25519.jwk());
        set_of(&set)
    };
    assert!(verify_with(&token, &among(3)).is_ok());
    // Four are tried, so that nobody makes one request cost many verifications.
    assert!(matches!(verify_with(&token, &among(4)), Err(JoseError::Signature(_))));
}

#[test]
fn two_keys_under_one_id_are_both_tried_while_an_issuer_rotates() {
    let next = TokenKey::new(KeyKind::Ed25519, "ed25519");
    let both = set_of(&[next.jwk(), KEYS.ed25519.jwk()]);
    assert!(verify_with(&KEYS.ed25519.token(&claims()), &both).is_ok());
    assert!(verify_with(&next.token(&claims()), &both).is_ok());
}

#[test]
fn unknown_keys_and_foreign_signatures_are_told_apart() {
    let stranger = TokenKey::new(KeyKind::Ed25519, "stranger");
    let error = verify(&stranger.token(&claims())).unwrap_err();
    assert_eq!(error.to_string(), "the issuer publishes no key `stranger` for EdDSA");
    assert!(error.may_need_newer_keys());
    let forger = TokenKey::new(KeyKind::Ed25519, "ed25519");
    let error = verify(&forger.token(&claims())).unwrap_err();
    assert_eq!(error, JoseError::Signature("ed25519".to_owned()));
    assert!(error.may_need_newer_keys());
    assert!(verify_with(&forger.token(&claims()), &set_of(&[])).is_err());
}

#[test]
fn points_off_the_curve_verify_nothing_and_do_no_harm() {
    let mut jwk = KEYS.p256.jwk();
    jwk["y"] = jwk["x"].clone();
    assert_eq!(verify_with(&KEYS.p256.token(&claims()), &set_of(&[jwk])), Err(JoseError::Signature("p256".to_owned())));
}
