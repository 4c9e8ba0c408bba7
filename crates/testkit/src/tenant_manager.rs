//! A Tenant Manager of Kaa on loopback with its documented API (`kaa.md` 13.5), and the issuer at which its callers log in. It is
//! honest until it is told to lie, stall or die. It counts what it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::or_fail;
use crate::json_server::{Double, JsonServer, Reply, Request};

/// Path of the issuer.
const ISSUER: &str = "/auth/realms/kaa";
/// The scope that the API asks for.
const SCOPE: &str = "kaa:tenant:read";

/// How the Manager behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManagerMode {
    /// Answers at once.
    Answering,
    /// Answers after this time.
    Slow(Duration),
    /// Closes every connection without an answer.
    Gone,
    /// Answers every question about tenants with this status and body.
    Saying(u16, String),
}

/// The versions of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagerVersion {
    /// `/api/v1`: everything in the list.
    One,
    /// `/api/v2`: the list, and the credentials of each tenant.
    Two,
}

/// A tenant as the Manager keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerTenant {
    /// Its identifier.
    pub id: String,
    /// Its realm.
    pub realm_name: String,
    /// Its issuer's identifier.
    pub issuer: String,
    /// Kaa's client at the issuer.
    pub client_backend_id: String,
    /// That client's secret.
    pub client_backend_secret: String,
    /// `AVAILABLE`, `CREATING` …; none leaves the member out.
    pub status: Option<String>,
}

impl ManagerTenant {
    /// An available tenant with the issuer that Kaa would give it.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            realm_name: id.to_owned(),
            issuer: format!("http://127.0.0.1:1/auth/realms/{id}"),
            client_backend_id: format!("{id}-backend"),
            client_backend_secret: format!("secret-of-{id}"),
            status: Some("AVAILABLE".to_owned()),
        }
    }

    /// The same in another status.
    #[must_use]
    pub fn in_status(mut self, status: &str) -> Self {
        self.status = Some(status.to_owned());
        self
    }
}

struct State {
    address: SocketAddr,
    mode: ManagerMode,
    version: ManagerVersion,
    /// Client id and secret that may log in; none asks nobody.
    login: Option<(String, String)>,
    tokens: BTreeSet<String>,
    /// By a row's number, which grows.
    tenants: BTreeMap<usize, ManagerTenant>,
    logins: usize,
    /// Paths of the questions about tenants.
    asked: Vec<String>,
}

/// A running Manager.
pub struct TestTenantManager(JsonServer<State>);

impl TestTenantManager {
    /// A Manager that answers anybody, without tenants.
    pub fn start(version: ManagerVersion) -> Self {
        Self::start_at(version, 0)
    }

    /// The same at this port.
    pub fn start_at(version: ManagerVersion, port: u16) -> Self {
        let state = |address| State {
            address,
            mode: ManagerMode::Answering,
            version,
            login: None,
            tokens: BTreeSet::new(),
            tenants: BTreeMap::new(),
            logins: 0,
            asked: Vec::new(),
        };
        Self(or_fail(JsonServer::start(port, state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state()
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}", self.state().address)
    }

    /// The issuer at which its callers log in.
    pub fn issuer(&self) -> String {
        format!("{}{ISSUER}", self.url())
    }

    /// From now on only this client is answered, with a token of the issuer.
    pub fn require_login(&self, client_id: &str, client_secret: &str) {
        self.state().login = Some((client_id.to_owned(), client_secret.to_owned()));
    }

    /// No token that was given holds any more.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    /// Changes its behaviour.
    pub fn set(&self, mode: ManagerMode) {
        self.state().mode = mode;
    }

    /// Keeps this tenant, in place of one of the same identifier.
    pub fn put(&self, tenant: ManagerTenant) {
        let mut state = self.state();
        let number = state.tenants.iter().find(|(_, kept)| kept.id == tenant.id).map(|(number, _)| *number);
        let number = number.unwrap_or_else(|| state.tenants.keys().next_back().map_or(1, |last| last.saturating_add(1)));
        state.tenants.insert(number, tenant);
    }

    /// Forgets this tenant.
    pub fn remove(&self, id: &str) {
        self.state().tenants.retain(|_, kept| kept.id != id);
    }

    /// Tokens given so far.
    pub fn logins(&self) -> usize {
        self.state().logins
    }

    /// Paths and queries of the questions about tenants so far.
    pub fn asked(&self) -> Vec<String> {
        self.state().asked.clone()
    }
}

impl State {
    fn answer(&mut self, target: &str, bearer: Option<&str>, body: &str) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        if let Some(rest) = path.strip_prefix(ISSUER) {
            return self.issue(rest, body);
        }
        self.asked.push(target.to_owned());
        if self.login.is_some() && !bearer.is_some_and(|token| self.tokens.contains(token)) {
            return (401, json!({ "error": "Authentication required" }));
        }
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        match (self.version, path.strip_prefix("/api/v1/tenants"), path.strip_prefix("/api/v2/tenants")) {
            (ManagerVersion::One, Some(""), _) => self.list_one(&query),
            (ManagerVersion::Two, _, Some("")) => self.list_two(&query),
            (ManagerVersion::Two, _, Some(rest)) => self.one_of_two(rest),
            _ => (404, json!({ "error": "Not found" })),
        }
    }

    /// Discovery and the client-credentials grant (RFC 6749 section 4.4).
    fn issue(&mut self, path: &str, body: &str) -> (u16, Value) {
        let issuer = format!("http://{}{ISSUER}", self.address);
        match path {
            "/.well-known/openid-configuration" => {
                (200, json!({ "issuer": issuer, "token_endpoint": format!("{issuer}/protocol/openid-connect/token") }))
            }
            "/protocol/openid-connect/token" => {
                let form: BTreeMap<String, String> =
                    body.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect();
                let is = |name: &str, wanted: &str| form.get(name).is_some_and(|value| value == wanted);
                let known = self.login.as_ref().is_some_and(|(id, secret)| is("client_id", id) && is("client_secret", secret));
                if !is("grant_type", "client_credentials") {
                    return (400, json!({ "error": "unsupported_grant_type" }));
                }
                if !known {
                    return (401, json!({ "error": "unauthorized_client" }));
                }
                if !is("scope", SCOPE) {
                    return (400, json!({ "error": "invalid_scope" }));
                }
                self.logins = self.logins.saturating_add(1);
                let token = format!("manager-token-{}", self.logins);
                self.tokens.insert(token.clone());
                (200, json!({ "access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": SCOPE }))
            }
            _ => (404, json!({ "error": "not_found" })),
        }
    }

    fn list_one(&self, query: &BTreeMap<&str, &str>) -> (u16, Value) {
        let named = |kept: &ManagerTenant| query.get("realm_name").is_none_or(|name| kept.realm_name == decoded(name));
        let status = |kept: &ManagerTenant| query.get("status").is_none_or(|status| kept.status.as_deref() == Some(*status));
        let rows: Vec<Value> = self.tenants.values().filter(|kept| named(kept) && status(kept)).map(row_one).collect();
        // 0 means all.
        let limit = number(query.get("limit")).map_or(50, |limit| if limit == 0 { usize::MAX } else { limit });
        (200, page(&rows, number(query.get("offset")).unwrap_or(0), limit))
    }

    fn list_two(&self, query: &BTreeMap<&str, &str>) -> (u16, Value) {
        let limit = number(query.get("limit")).unwrap_or(100);
        if !(1..=100).contains(&limit) {
            return (400, json!({ "error": "Invalid request parameters", "details": { "field": "limit" } }));
        }
        let meant = |kept: &ManagerTenant| query.get("tenant_id").is_none_or(|name| kept.id == decoded(name));
        let rows: Vec<Value> = self.tenants.iter().filter(|(_, kept)| meant(kept)).map(row_two).collect();
        (200, page(&rows, number(query.get("offset")).unwrap_or(0), limit))
    }

    fn one_of_two(&self, rest: &str) -> (u16, Value) {
        let (key, what) = match rest.strip_prefix('/') {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => return (404, json!({ "error": "Resource not found" })),
        };
        let found = key.parse().ok().and_then(|number| self.tenants.get_key_value(&number));
        match (found, what) {
            (Some(found), "") => (200, row_two(found)),
            (Some((_, kept)), "credentials") => (
                200,
                // The misspelling is the Manager's own.
                json!({
                    "id": kept.id, "client_backend_id": kept.client_backend_id, "client_backend_secret": kept.client_backend_secret,
                    "client_frontentd_id": format!("{}-frontend", kept.id), "issuer": kept.issuer, "minio_secret": "minio",
                }),
            ),
            _ => (404, json!({ "error": "Resource not found" })),
        }
    }
}

fn row_one(kept: &ManagerTenant) -> Value {
    let mut row = json!({
        "id": kept.id, "realm_name": kept.realm_name, "issuer": kept.issuer, "client_backend_id": kept.client_backend_id,
        "client_backend_secret": kept.client_backend_secret, "client_frontend_id": format!("{}-frontend", kept.id),
        "realm_template_version": 1, "realm_scopes_version": 1, "idp_enabled": false, "created": "2026-01-01T00:00:00Z",
    });
    if let (Some(status), Some(members)) = (&kept.status, row.as_object_mut()) {
        members.insert("status".to_owned(), json!(status));
    }
    row
}

fn row_two((number, kept): (&usize, &ManagerTenant)) -> Value {
    let mut row = json!({ "id": number, "name": format!("The {} company", kept.id), "created": "2026-01-01T00:00:00Z" });
    if let (Some(status), Some(members)) = (&kept.status, row.as_object_mut()) {
        members.insert("status".to_owned(), json!(status));
    }
    row
}

fn page(rows: &[Value], offset: usize, limit: usize) -> Value {
    let results: Vec<&Value> = rows.iter().skip(offset).take(limit).collect();
    json!({ "count": rows.len(), "next": null, "previous": null, "results": results })
}

fn number(text: Option<&&str>) -> Option<usize> {
    text.and_then(|text| text.parse().ok())
}

/// Percent-decodes a part of a query or form.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let escaped = more.get(..2).and_then(|two| std::str::from_utf8(two).ok()).and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _) => {
                out.push(b' ');
                rest = more;
            }
            _ => {
                out.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Double for State {
    fn gone(&self) -> bool {
        self.mode == ManagerMode::Gone
    }

    fn reply(&mut self, request: &Request) -> Reply {
        let (status, body) = self.answer(&request.target, request.bearer.as_deref(), &request.body);
        let about_tenants = !request.target.starts_with(ISSUER);
        match &self.mode {
            ManagerMode::Saying(status, text) if about_tenants => {
                Reply::Answer { after: Duration::ZERO, status: *status, body: text.clone() }
            }
            ManagerMode::Slow(after) => Reply::Answer { after: *after, status, body: body.to_string() },
            ManagerMode::Answering | ManagerMode::Saying(..) => Reply::Answer { after: Duration::ZERO, status, body: body.to_string() },
            ManagerMode::Gone => Reply::HangUp,
        }
    }
}
