//! An OpenID Connect issuer on loopback that answers, lies, stalls or dies on request: discovery, keys, and the decisions of
//! UMA at its token endpoint. It counts what it is asked.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::{Value, json};

use crate::TokenKey;
use crate::error::or_fail;
use crate::json_server::{Double, JsonServer, Reply, Request};

/// How the issuer behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerMode {
    /// Answers at once.
    Answering,
    /// Answers after this time.
    Slow(Duration),
    /// Closes every connection without an answer.
    Gone,
    /// Answers everything with this status and no body.
    Failing(u16),
}

/// What the issuer was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetches {
    /// The discovery document.
    pub discovery: usize,
    /// The key set.
    pub keys: usize,
    /// Decisions about a permission.
    pub decisions: usize,
    /// Anything else.
    pub other: usize,
}

struct State {
    path: String,
    address: SocketAddr,
    mode: IssuerMode,
    keys: Value,
    /// What discovery says of the issuer, when it lies.
    claimed: Option<String>,
    /// Where discovery says that the keys are, when it lies.
    keys_at: Option<String>,
    granted: BTreeSet<String>,
    fetches: Fetches,
    /// The last body that asked for a decision.
    last_decision: String,
}

/// A running issuer.
pub struct TestIssuer(JsonServer<State>);

impl TestIssuer {
    /// An issuer at `http://127.0.0.1:PORT` and this path, such as `/auth/realms/acme`, that publishes these keys.
    pub fn start(path: &str, keys: &[&TokenKey]) -> Self {
        let state = |address| State {
            path: path.to_owned(),
            address,
            mode: IssuerMode::Answering,
            keys: set_of(keys),
            claimed: None,
            keys_at: None,
            granted: BTreeSet::new(),
            fetches: Fetches::default(),
            last_decision: String::new(),
        };
        Self(or_fail(JsonServer::start(0, state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    /// Its identifier.
    pub fn issuer(&self) -> String {
        self.state().issuer()
    }

    /// Changes its behaviour.
    pub fn set(&self, mode: IssuerMode) {
        self.state().mode = mode;
    }

    /// Publishes these keys instead of the former ones.
    pub fn publish(&self, keys: &[&TokenKey]) {
        self.state().keys = set_of(keys);
    }

    /// Publishes any value as its key set.
    pub fn publish_value(&self, keys: Value) {
        self.state().keys = keys;
    }

    /// Lets discovery claim another issuer; `None` ends the lie.
    pub fn claim(&self, issuer: Option<&str>) {
        self.state().claimed = issuer.map(str::to_owned);
    }

    /// Lets discovery send everybody elsewhere for the keys.
    pub fn keys_at(&self, url: Option<&str>) {
        self.state().keys_at = url.map(str::to_owned);
    }

    /// Grants a permission such as `tenant-system#tenant:basic-credentials:read` to whoever asks, or takes it back.
    pub fn grant(&self, permission: &str, granted: bool) {
        let mut state = self.state();
        if granted {
            state.granted.insert(permission.to_owned());
        } else {
            state.granted.remove(permission);
        }
    }

    /// What it was asked so far.
    pub fn fetches(&self) -> Fetches {
        self.state().fetches
    }

    /// The last form that asked for a decision.
    pub fn last_decision(&self) -> String {
        self.state().last_decision.clone()
    }
}

fn set_of(keys: &[&TokenKey]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

impl State {
    fn issuer(&self) -> String {
        format!("http://{}{}", self.address, self.path)
    }

    /// Status and body for a path.
    fn answer(&mut self, path: &str, body: &str) -> (u16, Value) {
        let issuer = self.issuer();
        match path.strip_prefix(self.path.as_str()) {
            Some("/.well-known/openid-configuration") => {
                self.fetches.discovery = self.fetches.discovery.saturating_add(1);
                let document = json!({
                    "issuer": self.claimed.clone().unwrap_or_else(|| issuer.clone()),
                    "jwks_uri": self.keys_at.clone().unwrap_or_else(|| format!("{issuer}/protocol/openid-connect/certs")),
                    "token_endpoint": format!("{issuer}/protocol/openid-connect/token"),
                });
                (200, document)
            }
            Some("/protocol/openid-connect/certs") => {
                self.fetches.keys = self.fetches.keys.saturating_add(1);
                (200, self.keys.clone())
            }
            Some("/protocol/openid-connect/token") => {
                self.fetches.decisions = self.fetches.decisions.saturating_add(1);
                body.clone_into(&mut self.last_decision);
                let permission = body.split('&').find_map(|pair| pair.strip_prefix("permission=")).unwrap_or_default();
                let permission = permission.replace("%23", "#").replace("%3A", ":");
                if self.granted.contains(&permission) {
                    (200, json!({ "result": true }))
                } else {
                    (403, json!({ "error": "access_denied" }))
                }
            }
            Some(_) | None => {
                self.fetches.other = self.fetches.other.saturating_add(1);
                (404, json!({}))
            }
        }
    }
}

impl Double for State {
    fn gone(&self) -> bool {
        self.mode == IssuerMode::Gone
    }

    fn reply(&mut self, request: &Request) -> Reply {
        let (status, body) = self.answer(&request.target, &request.body);
        match self.mode {
            IssuerMode::Answering => Reply::Answer { after: Duration::ZERO, status, body: body.to_string() },
            IssuerMode::Slow(after) => Reply::Answer { after, status, body: body.to_string() },
            IssuerMode::Failing(status) => Reply::Answer { after: Duration::ZERO, status, body: String::new() },
            IssuerMode::Gone => Reply::HangUp,
        }
    }
}
