//! Foreign tokens and key sets: anyone may send a token, and an issuer that was taken over may publish any keys.

use std::time::Duration;

use signet_jose::{Expectation, KeySet, MAX_TOKEN_BYTES, Unverified};
use signet_model::Timestamp;

const KEYS: &[u8] = include_bytes!("../corpus/jwt/keys.json");
/// The only texts in the world that these keys have signed well.
const GOOD: [&[u8]; 4] = [
    include_bytes!("../corpus/jwt/good-ed25519"),
    include_bytes!("../corpus/jwt/good-es256"),
    include_bytes!("../corpus/jwt/good-rs256"),
    include_bytes!("../corpus/jwt/good-permissions"),
];
/// 2026-01-01T00:00:10Z, when they are valid.
const NOW: Timestamp = Timestamp::from_micros(1_767_225_610_000_000);
const EXPECTED: Expectation<'static> =
    Expectation { issuer: "https://id.example.net/auth/realms/acme", audience: Some("signet"), leeway: Duration::from_secs(60) };

/// Nothing but the good tokens verifies; what is taken apart is small and has three parts; refusals are short and plain.
pub(crate) fn feed(bytes: &[u8]) {
    let keys = KeySet::parse(KEYS).unwrap_or_else(|error| panic!("the committed keys do not read: {error}"));
    let plain = |text: String| assert!(text.len() <= 400 && !text.chars().any(char::is_control), "{text:?}");
    if let Err(error) = KeySet::parse(bytes) {
        plain(error.to_string());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let outcome = Unverified::parse(text).and_then(|token| {
        assert!(text.len() <= MAX_TOKEN_BYTES && text.matches('.').count() == 2, "taken apart: {text}");
        token.verify(&keys, &EXPECTED, NOW)
    });
    match outcome {
        Ok(verified) => assert!(GOOD.contains(&bytes), "verified: {verified:?}"),
        Err(error) => {
            assert!(!GOOD.contains(&bytes), "a good token is refused: {error}");
            plain(error.to_string());
        }
    }
}
