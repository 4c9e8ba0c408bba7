//! Asking an issuer: its discovery document (OpenID Connect Discovery 1.0 section 4) and the key set that it names.

use http::HeaderValue;
use http::header::ACCEPT;
use signet_crypto::sha256;
use signet_jose::{JoseError, KeySet, Tree, parse_json};
use signet_model::Timestamp;
use signet_outbound::{Outbound, OutboundError, OutboundUrl, Request};

use super::directory::trimmed;

/// What an issuer published, at one time.
pub(super) struct Published {
    pub(super) keys: KeySet,
    /// Where decisions are asked for.
    pub(super) token_endpoint: Option<OutboundUrl>,
    /// When it was asked.
    pub(super) fetched_at: Timestamp,
    /// Of the key set's text: tells whether anything changed.
    pub(super) fingerprint: [u8; 32],
}

/// Why an issuer's word could not be had. For the log of the operator, not for callers: it names addresses.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// The issuer cannot be reached or does not answer.
    #[error("{what}: {source}")]
    Asking {
        /// Which document.
        what: &'static str,
        /// What happened.
        source: OutboundError,
    },
    /// Its discovery document is not one.
    #[error("the discovery document {0}")]
    Discovery(String),
    /// Its key set is not one.
    #[error(transparent)]
    Keys(#[from] JoseError),
}

/// Fetches both documents. What discovery says of the issuer must be the issuer: a document of somebody else's is not believed.
pub(super) async fn fetch(outbound: &Outbound, issuer: &str, now: Timestamp) -> Result<Published, FetchError> {
    const DISCOVERY: &str = "discovery";
    const KEYS: &str = "key set";
    let address = format!("{issuer}/.well-known/openid-configuration");
    let url = outbound.url(&address).map_err(|source| FetchError::Asking { what: DISCOVERY, source })?;
    let document = get(outbound, url.clone(), DISCOVERY).await?;
    let document = parse_json(&document).map_err(|fault| FetchError::Discovery(fault.to_string()))?;
    let text = |member: &str| document.member(member).and_then(Tree::text);
    if text("issuer").map(trimmed) != Some(issuer) {
        return Err(FetchError::Discovery("names another issuer than the one that was asked".to_owned()));
    }
    // An issuer that is protected must not send its verifiers where anyone can answer.
    let linked = |member: &'static str| -> Result<Option<OutboundUrl>, FetchError> {
        let Some(address) = text(member) else { return Ok(None) };
        let linked = outbound.url(address).map_err(|source| FetchError::Asking { what: member, source })?;
        if url.is_https() && !linked.is_https() {
            return Err(FetchError::Discovery(format!("gives a `{member}` without TLS")));
        }
        Ok(Some(linked))
    };
    let keys_at = linked("jwks_uri")?.ok_or_else(|| FetchError::Discovery("has no `jwks_uri`".to_owned()))?;
    let token_endpoint = linked("token_endpoint")?;
    let keys = get(outbound, keys_at, KEYS).await?;
    Ok(Published { keys: KeySet::parse(&keys)?, token_endpoint, fetched_at: now, fingerprint: sha256(&keys) })
}

async fn get(outbound: &Outbound, url: OutboundUrl, what: &'static str) -> Result<Vec<u8>, FetchError> {
    let host = url.host();
    let request = Request::get(url).with(ACCEPT, HeaderValue::from_static("application/json"));
    let answer = outbound.send(request).await.map_err(|source| FetchError::Asking { what, source })?;
    if answer.status != http::StatusCode::OK {
        let source = OutboundError::Status { host, status: answer.status.as_u16() };
        return Err(FetchError::Asking { what, source });
    }
    Ok(answer.body.to_vec())
}
