//! The service's own token for the Tenant Manager: the client-credentials grant at the platform's issuer (`kaa.md` 17.1), kept
//! until shortly before it ends.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use signet_crypto::Secret;
use signet_model::Refusal;
use signet_outbound::{Outbound, OutboundUrl, Request, Response, bearer};
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::reasons::{TENANT_MANAGER_ANSWER, TENANT_MANAGER_REFUSED};

/// What the Tenant Manager asks for.
const SCOPE: &str = "kaa:tenant:read";
/// A token is renewed so long before its end.
const EARLY: Duration = Duration::from_secs(30);
/// Life of a token that does not say, and the longest that is believed.
const UNSAID_LIFE: Duration = Duration::from_secs(60);
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);
/// Longest token in bytes.
const LONGEST_TOKEN: usize = 64 * 1024;

/// Where the service logs in, and as whom.
pub struct ManagerLogin {
    /// The issuer's identifier.
    pub issuer: String,
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
}

/// Gives the token, fetching it when it is due.
pub(super) struct Tokens {
    outbound: Outbound,
    login: ManagerLogin,
    held: Mutex<Option<Held>>,
}

struct Held {
    token: Secret,
    renew_at: Instant,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    pub(super) fn new(outbound: Outbound, login: ManagerLogin) -> Self {
        Self { outbound, login, held: Mutex::new(None) }
    }

    /// The header that shows the token.
    pub(super) async fn header(&self) -> Result<(HeaderName, HeaderValue), Refusal> {
        let mut held = self.held.lock().await;
        if held.as_ref().is_none_or(|held| Instant::now() >= held.renew_at) {
            *held = Some(self.fetch().await?);
        }
        let header = held.as_ref().and_then(|held| bearer(&held.token));
        header.ok_or_else(|| Refusal::new(&TENANT_MANAGER_ANSWER, "the issuer gave a token that is no header text"))
    }

    /// Forgets the token: it was refused.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }

    async fn fetch(&self) -> Result<Held, Refusal> {
        let endpoint = self.endpoint().await?;
        let mut response = self.ask(&endpoint, Some(SCOPE)).await?;
        if response.status == StatusCode::BAD_REQUEST {
            // Where the scope is a default of the client it cannot be asked for by name.
            response = self.ask(&endpoint, None).await?;
        }
        if !response.status.is_success() {
            let detail = format!("the issuer answered {} to the client `{}`", response.status.as_u16(), self.login.client_id);
            return Err(Refusal::new(&TENANT_MANAGER_REFUSED, detail));
        }
        let granted: Granted = response.json(&endpoint)?;
        if granted.access_token.is_empty() || granted.access_token.len() > LONGEST_TOKEN {
            return Err(Refusal::new(&TENANT_MANAGER_ANSWER, "the issuer gave an empty or an overlong token"));
        }
        let life = granted.expires_in.map_or(UNSAID_LIFE, Duration::from_secs).min(LONGEST_LIFE);
        // A token of less than a minute is used for half of its life.
        let usable = life.saturating_sub(EARLY).max(life.checked_div(2).unwrap_or(life));
        let now = Instant::now();
        Ok(Held { token: Secret::from(granted.access_token), renew_at: now.checked_add(usable).unwrap_or(now) })
    }

    /// Where tokens are given: as discovery says, else where Keycloak has it.
    async fn endpoint(&self) -> Result<OutboundUrl, Refusal> {
        let issuer = self.login.issuer.strip_suffix('/').unwrap_or(&self.login.issuer);
        let discovery = self.outbound.url(&format!("{issuer}/.well-known/openid-configuration"))?;
        let response = self.outbound.send(Request::get(discovery.clone())).await?;
        if response.status == StatusCode::NOT_FOUND {
            return Ok(self.outbound.url(&format!("{issuer}/protocol/openid-connect/token"))?);
        }
        if !response.status.is_success() {
            let detail = format!("the issuer answered {} to discovery", response.status.as_u16());
            return Err(Refusal::new(&TENANT_MANAGER_REFUSED, detail));
        }
        let found: Discovery = response.json(&discovery)?;
        if found.issuer.strip_suffix('/').unwrap_or(&found.issuer) != issuer {
            // OpenID Connect Discovery 1.0, 4.3: another issuer's document must not be used.
            return Err(Refusal::new(&TENANT_MANAGER_ANSWER, "the discovery document is another issuer's"));
        }
        Ok(self.outbound.url(&found.token_endpoint)?)
    }

    async fn ask(&self, endpoint: &OutboundUrl, scope: Option<&str>) -> Result<Response, Refusal> {
        let secret = self.login.client_secret.expose();
        let mut form = Zeroizing::new(String::from("grant_type=client_credentials&client_id="));
        encode(&mut form, self.login.client_id.as_bytes());
        form.push_str("&client_secret=");
        encode(&mut form, secret);
        if let Some(scope) = scope {
            form.push_str("&scope=");
            encode(&mut form, scope.as_bytes());
        }
        let request = Request::post(endpoint.clone(), form.as_bytes().to_vec())
            .with(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .with(ACCEPT, HeaderValue::from_static("application/json"));
        Ok(self.outbound.send(request).await?)
    }
}

/// Percent-encodes everything but what RFC 3986 2.3 calls unreserved.
pub(super) fn encode(out: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(char::from(*byte));
        } else {
            out.push('%');
            out.extend([byte >> 4, byte & 15].map(|half| DIGITS.get(usize::from(half)).copied().unwrap_or('0')));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_encoded() {
        let mut out = String::new();
        encode(&mut out, "a-._~ +&=%ü:".as_bytes());
        assert_eq!(out, "a-._~%20%2B%26%3D%25%C3%BC%3A");
    }
}
