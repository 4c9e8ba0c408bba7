//! One exchange: the headers that Vault wants, a standby's redirect followed once, and each status told apart.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use signet_crypto::Secret;
use signet_model::log_text;
use signet_outbound::{Outbound, OutboundConfig, OutboundUrl, Request, Response, sensitive};

use super::config::{VaultConfig, checked_path};
use super::{VaultError, VaultHealth};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Against requests that a browser or a confused proxy was made to send (Vault's own agents set it too).
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// Longest answer, in bytes: the list of 200,000 serial numbers of a mount.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
/// Longest text of the server in an error, in characters.
const LONGEST_SAID: usize = 300;
/// Exchanges at once; the outbound client gives a single host a quarter of it.
const MOST_EXCHANGES: usize = 128;
/// Most other hosts of a cluster.
const MOST_CLUSTER_HOSTS: usize = 32;

/// What the server is asked.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// What is to be done, for errors.
    pub(super) call: &'static str,
    pub(super) method: &'a Method,
    /// Below `/v1/`.
    pub(super) path: &'a str,
    pub(super) token: Option<&'a Secret>,
    pub(super) body: Option<&'a Value>,
}

/// Speaks to the server.
pub(super) struct Transport {
    outbound: Outbound,
    base: String,
    host: String,
    https: bool,
    namespace: Option<HeaderValue>,
    cluster_hosts: Vec<String>,
}

impl Transport {
    pub(super) fn new(config: &VaultConfig) -> Result<Self, VaultError> {
        let outbound = Outbound::new(OutboundConfig {
            connect_timeout: config.exchange_timeout.min(std::time::Duration::from_secs(5)),
            total_timeout: config.exchange_timeout,
            max_body: LONGEST_ANSWER,
            ca_file: config.ca_file.clone(),
            identity: config.identity.clone(),
            max_in_flight: MOST_EXCHANGES,
            ..OutboundConfig::new(config.policy.clone())
        })
        .map_err(|error| VaultError::of_outbound(error, "starting"))?;
        let base = config.url.trim_end_matches('/').to_owned();
        if base.contains('?') {
            return Err(VaultError::Config("url: it has a query (`?`)".to_owned()));
        }
        let url = outbound.url(&base).map_err(|error| VaultError::of_outbound(error, "starting"))?;
        let namespace = match &config.namespace {
            Some(name) => {
                let name = checked_path("namespace", name)?;
                Some(HeaderValue::try_from(name).map_err(|_| VaultError::Config("namespace: it cannot stand in a header".to_owned()))?)
            }
            None => None,
        };
        if config.cluster_hosts.len() > MOST_CLUSTER_HOSTS {
            return Err(VaultError::Config(format!("cluster_hosts has more than {MOST_CLUSTER_HOSTS} names")));
        }
        let cluster_hosts = config.cluster_hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        Ok(Self { base, host: url.host(), https: url.is_https(), outbound, namespace, cluster_hosts })
    }

    /// The answer of a success as JSON, null where it has no body; every other status as its error.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Value, VaultError> {
        let response = self.exchange(&ask).await?;
        let status = response.status;
        if status.is_success() {
            return value(&response.body, ask.call);
        }
        let said = said(&response.body, ask.token);
        Err(match status.as_u16() {
            400 | 405 | 413 => VaultError::Refused { call: ask.call, said },
            403 => VaultError::Denied { call: ask.call, path: ask.path.to_owned() },
            404 => VaultError::Missing { call: ask.call, path: ask.path.to_owned(), said },
            // Reads behind a write that has not been replicated; the rate that a quota allows.
            412 => VaultError::Busy("the node lags behind its cluster"),
            429 => VaultError::Busy("the server limits the rate of calls"),
            472 | 473 => VaultError::Standby,
            500 if said.contains("node not active") || said.contains("active cluster node not found") => VaultError::Standby,
            501 => VaultError::Uninitialised,
            503 => self.why_unavailable(ask.call, said).await,
            _ => VaultError::Unavailable { call: ask.call, status: status.as_u16(), said },
        })
    }

    /// What the server says of itself.
    pub(super) async fn health(&self) -> Result<VaultHealth, VaultError> {
        let ask = Ask { call: "asking for its health", method: &Method::GET, path: "sys/health", token: None, body: None };
        let response = self.exchange(&ask).await?;
        match response.status.as_u16() {
            200 => Ok(VaultHealth::Active),
            429 => Ok(VaultHealth::Standby),
            472 => Ok(VaultHealth::RecoverySecondary),
            473 => Ok(VaultHealth::PerformanceStandby),
            501 => Ok(VaultHealth::Uninitialised),
            // A proxy before the server says 503 as well, without the server's JSON.
            503 => match value(&response.body, ask.call)?.get("sealed").and_then(Value::as_bool) {
                Some(true) => Ok(VaultHealth::Sealed),
                _ => Err(VaultError::Unavailable { call: ask.call, status: 503, said: said(&response.body, None) }),
            },
            other => Err(VaultError::Answer { call: ask.call, why: format!("status {other}") }),
        }
    }

    async fn why_unavailable(&self, call: &'static str, said: String) -> VaultError {
        match self.health().await {
            Ok(VaultHealth::Sealed) => VaultError::Sealed,
            Ok(VaultHealth::Uninitialised) => VaultError::Uninitialised,
            Ok(VaultHealth::Standby | VaultHealth::RecoverySecondary) => VaultError::Standby,
            Ok(VaultHealth::Active | VaultHealth::PerformanceStandby) | Err(_) => VaultError::Unavailable { call, status: 503, said },
        }
    }

    async fn exchange(&self, ask: &Ask<'_>) -> Result<Response, VaultError> {
        let fault = |error| VaultError::of_outbound(error, ask.call);
        let suffix = format!("/v1/{}", ask.path);
        let url = self.outbound.url(&format!("{}{suffix}", self.base)).map_err(fault)?;
        let response = self.outbound.send(self.request(url, ask)?).await.map_err(fault)?;
        if !response.status.is_redirection() {
            return Ok(response);
        }
        let url = self.redirected(&response, &suffix, ask.call)?;
        let response = self.outbound.send(self.request(url, ask)?).await.map_err(fault)?;
        if response.status.is_redirection() {
            return Err(VaultError::Answer { call: ask.call, why: "it redirects twice".to_owned() });
        }
        Ok(response)
    }

    /// Where a standby sends us: the same path at a host of the cluster, as well protected as the one that was asked.
    fn redirected(&self, response: &Response, suffix: &str, call: &'static str) -> Result<OutboundUrl, VaultError> {
        let wrong = |why: &str| VaultError::Answer { call, why: format!("{}: {why}", response.status) };
        if !matches!(response.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
            return Err(wrong("no redirect that a standby gives"));
        }
        let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok()).ok_or_else(|| wrong("without a place"))?;
        let url = self.outbound.url(location).map_err(|error| wrong(&error.to_string()))?;
        if self.https && !url.is_https() {
            return Err(wrong("it leads from https to plain http"));
        }
        let host = url.host();
        if host != self.host && !self.cluster_hosts.contains(&host) {
            return Err(VaultError::Redirect { host: log_text(&host, 253) });
        }
        let text = url.to_string();
        let path = text.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        if path != Some(suffix) {
            return Err(wrong("it leads to another path"));
        }
        Ok(url)
    }

    fn request(&self, url: OutboundUrl, ask: &Ask<'_>) -> Result<Request, VaultError> {
        let mut request = Request::get(url).with(REQUEST, HeaderValue::from_static("true"));
        request.method = ask.method.clone();
        if let Some(namespace) = &self.namespace {
            request = request.with(NAMESPACE, namespace.clone());
        }
        if let Some(token) = ask.token {
            // Checked when it was read, so this cannot be; and if it is, no value is told.
            let value = sensitive(token).ok_or(VaultError::Answer { call: ask.call, why: "the token is no header text".to_owned() })?;
            request = request.with(TOKEN, value);
        }
        if let Some(body) = ask.body {
            request.body = Bytes::from(body.to_string());
            request = request.with(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(request)
    }
}

fn value(body: &Bytes, call: &'static str) -> Result<Value, VaultError> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| VaultError::Answer { call, why: "it is not JSON".to_owned() })
}

/// The texts of `{"errors":[…]}` in one line, without the token, should a server or a proxy echo it.
fn said(body: &Bytes, token: Option<&Secret>) -> String {
    let errors = serde_json::from_slice::<Value>(body).ok();
    let texts = errors.as_ref().and_then(|value| value.get("errors")).and_then(Value::as_array);
    let text = match texts {
        Some(texts) => texts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        None if body.is_empty() => "nothing".to_owned(),
        None => "not Vault's JSON".to_owned(),
    };
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = match token.and_then(Secret::expose_str) {
        Some(token) if !token.is_empty() => words.replace(token, "[token]"),
        _ => words,
    };
    log_text(&words, LONGEST_SAID)
}
