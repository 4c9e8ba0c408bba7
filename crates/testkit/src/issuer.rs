//! An OpenID Connect issuer on loopback that answers, lies, stalls or dies on request: discovery, keys, and the decisions of
//! UMA at its token endpoint. It counts what it is asked.
//!
//! It runs on a thread and a runtime of its own, so a test that blocks does not stall the answers. It ends when dropped.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::error::or_fail;
use crate::{TestkitError, TokenKey};

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
pub struct TestIssuer {
    state: Arc<Mutex<State>>,
    _stop_on_drop: oneshot::Sender<()>,
}

impl TestIssuer {
    /// An issuer at `http://127.0.0.1:PORT` and this path, such as `/auth/realms/acme`, that publishes these keys.
    pub fn start(path: &str, keys: &[&TokenKey]) -> Self {
        or_fail(Self::begin(path, keys))
    }

    fn begin(path: &str, keys: &[&TokenKey]) -> Result<Self, TestkitError> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TestkitError::at("127.0.0.1:0"))?;
        listener.set_nonblocking(true).map_err(TestkitError::at("127.0.0.1:0"))?;
        let address = listener.local_addr().map_err(TestkitError::at("127.0.0.1:0"))?;
        let state = Arc::new(Mutex::new(State {
            path: path.to_owned(),
            address,
            mode: IssuerMode::Answering,
            keys: set_of(keys),
            claimed: None,
            keys_at: None,
            granted: BTreeSet::new(),
            fetches: Fetches::default(),
            last_decision: String::new(),
        }));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&state);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(TestkitError::at("runtime"))?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self { state, _stop_on_drop: stop })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
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

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
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

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            let state = Arc::clone(&state);
            tokio::spawn(async move {
                // A client that went away has nothing to be told.
                let _gone = serve(stream, &state).await;
            });
        }
    }
}

/// One request, one answer.
async fn serve(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mode = lock(state).mode;
    if mode == IssuerMode::Gone {
        return Ok(());
    }
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await? == 0 || header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().unwrap_or(0).min(64 * 1024);
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let (status, body) = lock(state).answer(&path, &String::from_utf8_lossy(&body));
    let (status, body) = match mode {
        IssuerMode::Answering => (status, body.to_string()),
        IssuerMode::Slow(delay) => {
            tokio::time::sleep(delay).await;
            (status, body.to_string())
        }
        IssuerMode::Failing(status) => (status, String::new()),
        IssuerMode::Gone => return Ok(()),
    };
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
