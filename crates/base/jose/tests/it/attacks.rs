//! Tokens that were made to deceive.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;
use serde_json::json;
use signet_jose::{JoseError, JsonFault, MAX_TOKEN_BYTES, Unverified};
use signet_testkit::TokenKey;

use crate::support::{EXPECTED, KEYS, NOW, claims, verify};

/// A token with any header and signature.
fn assembled(header: &str, signature: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn none_and_its_spellings_are_refused() {
    for name in ["none", "None", "NONE", "nOnE", "", " none"] {
        for signature in [&b""[..], b"x"] {
            let token = assembled(&json!({ "alg": name, "kid": "rsa" }).to_string(), signature);
            assert!(matches!(verify(&token), Err(JoseError::Algorithm(_))), "{name}");
        }
    }
    for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":7}"#] {
        assert!(matches!(verify(&assembled(header, b"x")), Err(JoseError::Malformed(_))), "{header}");
    }
    let unsigned = KEYS.p256.token(&claims());
    let (signed, _) = unsigned.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{signed}.")), Err(JoseError::Malformed("it has no signature")));
}

#[test]
fn an_hmac_with_the_public_key_is_refused() {
    let key = &KEYS.rsa;
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(key.public_der()));
    for name in ["HS256", "HS384", "HS512", "RS256"] {
        for secret in [key.public_der(), pem.clone().into_bytes(), key.jwk().to_string().into_bytes()] {
            let header = json!({ "alg": name, "kid": "rsa" }).to_string();
            let signed = assembled(&header, b"x");
            let (signed, _) = signed.rsplit_once('.').unwrap();
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), signed.as_bytes());
            let error = verify(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))).unwrap_err();
            assert!(matches!(error, JoseError::Algorithm(_) | JoseError::Signature(_)), "{name}: {error}");
        }
    }
}

#[test]
fn keys_in_the_header_are_never_used() {
    let attacker = TokenKey::new(signet_testkit::KeyKind::P256, "mine");
    for header in [
        json!({ "alg": "ES256", "jwk": attacker.jwk() }),
        json!({ "alg": "ES256", "kid": "mine", "jwk": attacker.jwk() }),
        json!({ "alg": "ES256", "kid": "p256", "jku": "https://attacker.example/keys" }),
        json!({ "alg": "ES256", "kid": "p256", "x5u": "https://attacker.example/cert" }),
        json!({ "alg": "ES256", "kid": "p256", "x5c": ["AAAA"] }),
    ] {
        let error = verify(&attacker.sign(&header, &claims())).unwrap_err();
        assert!(matches!(error, JoseError::KeyUnknown { .. } | JoseError::Signature(_)), "{header}: {error}");
    }
}

#[test]
fn extensions_of_the_header_are_refused() {
    for extension in [r#""crit":[]"#, r#""crit":["exp"]"#, r#""b64":false"#, r#""zip":"DEF""#, r#""enc":"A128GCM""#] {
        let header = format!(r#"{{"alg":"EdDSA","kid":"ed25519",{extension}}}"#);
        assert!(matches!(verify(&KEYS.ed25519.sign_text(&header, &claims().to_string())), Err(JoseError::Malformed(_))), "{extension}");
    }
}

#[test]
fn kinds_in_the_header_are_lenient_within_bounds() {
    let typed = |kind: &str| KEYS.ed25519.sign(&json!({ "alg": "EdDSA", "kid": "ed25519", "typ": kind }), &claims());
    for good in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"] {
        assert!(verify(&typed(good)).is_ok(), "{good}");
    }
    for bad in ["", "JOSE", "logout+jwt", "dpop+jwt", "secevent+jwt", "application/x", "jwt "] {
        assert!(matches!(verify(&typed(bad)), Err(JoseError::Kind(_))), "{bad}");
    }
}

#[test]
fn duplicate_members_are_refused_in_both_parts() {
    let header = r#"{"alg":"EdDSA","kid":"ed25519"}"#;
    let good = claims().to_string();
    let twice = good.replacen('{', r#"{"sub":"root","#, 1);
    let deep = good.replacen('{', r#"{"realm_access":{"roles":[],"roles":["x"]},"#, 1);
    for payload in [twice, deep] {
        let error = verify(&KEYS.ed25519.sign_text(header, &payload)).unwrap_err();
        assert_eq!(error, JoseError::Json { part: "payload", fault: JsonFault::Duplicate });
    }
    let header = r#"{"alg":"EdDSA","kid":"ed25519","\u0061lg":"EdDSA"}"#;
    assert_eq!(verify(&KEYS.ed25519.sign_text(header, &good)), Err(JoseError::Json { part: "header", fault: JsonFault::Duplicate }));
}

#[test]
fn other_forms_than_three_canonical_parts_are_refused() {
    let token = KEYS.ed25519.token(&claims());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let bad = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        signed.to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{header}.{payload}.{signature}.{signature}.{signature}"),
        format!("{token}="),
        format!("{token} "),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}\0.{signature}"),
        token.replace('.', ","),
        json!({ "payload": payload, "protected": header, "signature": signature }).to_string(),
    ];
    for text in bad {
        assert!(matches!(Unverified::parse(&text), Err(JoseError::Malformed(_) | JoseError::Json { .. })), "{text}");
    }
    // A last character with other unused bits decodes to the same bytes, and would be a second spelling of the same token.
    let spelled = format!("{}{}", &token[..token.len() - 1], if token.ends_with('A') { 'B' } else { 'h' });
    assert!(verify(&spelled).is_err());
}

#[test]
fn the_all_zero_signature_verifies_nothing() {
    for (key, length) in [(&KEYS.p256, 64), (&KEYS.p384, 96), (&KEYS.ed25519, 64), (&KEYS.rsa, 256)] {
        let header = json!({ "alg": key.algorithm(), "kid": key.kid() }).to_string();
        for length in [length, 0, 1, length - 1, length + 1] {
            assert!(verify(&assembled(&header, &vec![0; length])).is_err(), "{} of {length}", key.algorithm());
        }
    }
}

#[test]
fn tokens_are_taken_up_to_their_limit() {
    let padded = |target: usize| {
        let mut claims = claims();
        let bare = KEYS.ed25519.token(&claims).len();
        // Every three bytes become four.
        claims["pad"] = json!("x".repeat((target - bare) * 3 / 4 - 12));
        KEYS.ed25519.token(&claims)
    };
    let near = padded(MAX_TOKEN_BYTES);
    assert!((MAX_TOKEN_BYTES - 40..=MAX_TOKEN_BYTES).contains(&near.len()), "{}", near.len());
    assert!(verify(&near).is_ok());
    for kilobytes in [7, 9, 17, 33] {
        assert!(verify(&padded(kilobytes * 1024)).is_ok(), "{kilobytes} KB");
    }
    let long = padded(70 * 1024);
    let error = verify(&long).unwrap_err();
    assert_eq!((error.clone(), error.reason().status), (JoseError::TooLarge(long.len()), 431));
}

#[test]
fn refusals_show_nothing_that_could_forge_a_log_line() {
    let header = json!({ "alg": format!("x\n{}", "y".repeat(500)) });
    let error = verify(&KEYS.ed25519.sign(&header, &claims())).unwrap_err().to_string();
    assert!(error.len() < 200 && !error.contains('\n'), "{error}");
    let long = "k".repeat(257);
    assert!(matches!(verify(&KEYS.ed25519.sign(&json!({ "alg": "EdDSA", "kid": long }), &claims())), Err(JoseError::Malformed(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_token_with_any_byte_changed_is_refused(position in 0_usize..4_096, byte in any::<u8>()) {
        let token = KEYS.ed25519.token(&claims());
        let mut bytes = token.clone().into_bytes();
        let position = position % bytes.len();
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        if let Ok(text) = String::from_utf8(bytes) {
            let outcome = Unverified::parse(&text).and_then(|token| token.verify(&KEYS.set(), &EXPECTED, NOW));
            prop_assert!(outcome.is_err(), "{text}");
        }
    }

    #[test]
    fn any_text_is_taken_apart_or_refused(text in ".{0,300}") {
        prop_assert!(Unverified::parse(&text).is_err());
    }
}
