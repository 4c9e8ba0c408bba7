//! An issuer's keys and the expectation that the tests share.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use signet_jose::{Claims, Expectation, JoseError, KeySet, Unverified};
use signet_model::Timestamp;
use signet_testkit::{FakeClock, KeyKind, TokenKey};

pub(crate) const ISSUER: &str = "https://id.example.net/auth/realms/acme";
pub(crate) const NOW: Timestamp = FakeClock::START;
pub(crate) const EXPECTED: Expectation<'static> = Expectation { issuer: ISSUER, audience: Some("signet"), leeway: Duration::from_secs(60) };

/// One key of each kind; making RSA keys takes a while.
pub(crate) struct Keys {
    pub(crate) rsa: TokenKey,
    pub(crate) p256: TokenKey,
    pub(crate) p384: TokenKey,
    pub(crate) ed25519: TokenKey,
}

pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    rsa: TokenKey::new(KeyKind::Rsa, "rsa"),
    p256: TokenKey::new(KeyKind::P256, "p256"),
    p384: TokenKey::new(KeyKind::P384, "p384"),
    ed25519: TokenKey::new(KeyKind::Ed25519, "ed25519"),
});

impl Keys {
    pub(crate) fn all(&self) -> [&TokenKey; 4] {
        [&self.rsa, &self.p256, &self.p384, &self.ed25519]
    }

    pub(crate) fn set(&self) -> KeySet {
        set_of(&self.all().map(TokenKey::jwk))
    }
}

pub(crate) fn set_of(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

pub(crate) fn now_seconds() -> i64 {
    NOW.micros() / 1_000_000
}

/// Good claims, to be spoiled one by one.
pub(crate) fn claims() -> Value {
    let now = now_seconds();
    json!({ "iss": ISSUER, "sub": "op", "aud": "signet", "iat": now, "exp": now + 300 })
}

pub(crate) fn verify(token: &str) -> Result<Claims, JoseError> {
    verify_with(token, &KEYS.set())
}

pub(crate) fn verify_with(token: &str, keys: &KeySet) -> Result<Claims, JoseError> {
    Ok(Unverified::parse(token)?.verify(keys, &EXPECTED, NOW)?.into_inner())
}
