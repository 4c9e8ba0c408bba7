//! Asking an issuer whether it permits one thing: User-Managed Access 2.0 as Keycloak speaks it (`kaa.md` 17.1). Answers are
//! remembered for a moment, for and against.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use quick_cache::sync::Cache;
use signet_crypto::Secret;
use signet_jose::{Tree, parse_json};
use signet_model::{Refusal, Timestamp};
use signet_outbound::{Outbound, OutboundUrl, Request, bearer};

use super::memory::Hash;
use super::reasons::{BEARER_REFUSED, OIDC_DECISION_UNAVAILABLE};

/// Decisions that are remembered.
const MOST_REMEMBERED: usize = 20_000;
/// For how long a permission holds without asking again.
const GRANTED_FOR: Duration = Duration::from_secs(30);
/// For how long a refusal is repeated without asking again: long enough that a client in a loop is no load for the issuer.
const DENIED_FOR: Duration = Duration::from_secs(2);

/// Decisions of issuers.
pub(super) struct Decisions(Cache<Hash, (bool, Timestamp)>);

impl Decisions {
    pub(super) fn new() -> Self {
        Self(Cache::new(MOST_REMEMBERED))
    }

    /// The decision that is remembered and not too old.
    pub(super) fn recall(&self, hash: &Hash, now: Timestamp) -> Option<bool> {
        self.0.get(hash).filter(|(_, until)| now < *until).map(|(granted, _)| granted)
    }

    /// Remembers a decision about a token that ends at `end`.
    pub(super) fn remember(&self, hash: Hash, granted: bool, now: Timestamp, end: Timestamp) {
        let lasting = if granted { GRANTED_FOR } else { DENIED_FOR };
        self.0.insert(hash, (granted, now.plus(lasting).min(end)));
    }
}

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) token: &'a str,
    /// The client that the resources belong to.
    pub(super) audience: &'a str,
    pub(super) resource: &'a str,
    pub(super) scope: &'a str,
}

/// Whether a name can stand in a permission: `#` and `,` would make it another one.
pub(super) fn can_be_asked(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_control() || matches!(c, '#' | ','))
}

/// Asks the issuer.
///
/// # Errors
/// The issuer does not take the token, or gives no decision.
pub(super) async fn ask(outbound: &Outbound, endpoint: &OutboundUrl, question: &Question<'_>) -> Result<bool, Refusal> {
    let unavailable = |what: &str| {
        tracing::warn!(event = "oidc.decision-failed", host = endpoint.host(), error = what);
        Refusal::new(&OIDC_DECISION_UNAVAILABLE, "the token's issuer gives no decision now")
    };
    let form = form(&[
        ("grant_type", "urn:ietf:params:oauth:grant-type:uma-ticket"),
        ("audience", question.audience),
        ("permission", &format!("{}#{}", question.resource, question.scope)),
        ("response_mode", "decision"),
    ]);
    let (name, value) = bearer(&Secret::from(question.token)).ok_or_else(|| unavailable("the token is no header text"))?;
    let request = Request::post(endpoint.clone(), form)
        .with(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .with(name, value);
    let answer = outbound.send(request).await.map_err(|error| unavailable(&error.to_string()))?;
    let body = parse_json(&answer.body).ok();
    let member = |name: &str| body.as_ref().and_then(|body| body.member(name));
    match answer.status {
        StatusCode::OK if member("result") == Some(&Tree::Bool(true)) => Ok(true),
        StatusCode::OK if member("result") == Some(&Tree::Bool(false)) => Ok(false),
        StatusCode::FORBIDDEN => Ok(false),
        StatusCode::BAD_REQUEST if matches!(member("error").and_then(Tree::text), Some("invalid_resource" | "invalid_scope")) => Ok(false),
        StatusCode::UNAUTHORIZED => Err(Refusal::new(&BEARER_REFUSED, "the issuer was asked for a decision and refused the token itself")),
        other => Err(unavailable(&format!("it answered {other}"))),
    }
}

/// `application/x-www-form-urlencoded`: everything but letters, digits and `-._*` is escaped, a space too.
fn form(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let escape = |text: &mut String, part: &str| {
        for byte in part.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*') {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    };
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        escape(&mut text, name);
        text.push('=');
        escape(&mut text, value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_escaped() {
        assert_eq!(
            form(&[("a", "b c&d=é#"), ("permission", "tenant-system#x:y")]),
            "a=b%20c%26d%3D%C3%A9%23&permission=tenant-system%23x%3Ay"
        );
    }

    #[test]
    fn names_that_would_ask_for_something_else_are_not_asked() {
        for bad in ["", "endpoint-1#admin", "a,b", "a\nb"] {
            assert!(!can_be_asked(bad), "{bad:?}");
        }
        assert!(can_be_asked("endpoint-ep/1 ü"));
    }
}
