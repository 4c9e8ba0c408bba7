//! Finding a server and talking to it: address, trust, token, deadlines, and one place where an answer becomes a value or a
//! [`ClientError`].

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, StatusCode};
use rustls::CertificateError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signet_model::Refusal;

use crate::error::{SERVER_ANSWER, SERVER_UNREACHABLE, SERVER_UNTRUSTED};
use crate::{ClientError, Endpoint, Problem, ServerUrl, Token, read_token, trust};

/// Longest answer that is read; a page of 1,000 items is far below it.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;
/// For the TCP and TLS handshakes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where to look for a server and what to show it.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The data directory that supplies whatever the other members leave out.
    pub data_dir: PathBuf,
    /// URL of the API listener; else from `endpoint.json`.
    pub server: Option<String>,
    /// File of the bearer token; else `operator.token`.
    pub token_file: Option<PathBuf>,
    /// File of trusted certificates; else `tls/ca.pem` where it exists; else the system's.
    pub ca_file: Option<PathBuf>,
    /// For one whole call.
    pub timeout: Duration,
}

/// A client of one server, with one token.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: ServerUrl,
    token: Option<Token>,
    /// The process that `endpoint.json` named, for the error when it does not answer.
    pid: Option<u32>,
}

impl Client {
    /// Finds the server and reads the token; connects at the first call.
    pub fn open(config: &ClientConfig) -> Result<Self, ClientError> {
        let mut client = Self::open_without_token(config)?;
        let token_file = config.token_file.clone().unwrap_or_else(|| config.data_dir.join("operator.token"));
        client.token = Some(read_token(&token_file)?);
        Ok(client)
    }

    /// The same for what needs no token.
    pub fn open_without_token(config: &ClientConfig) -> Result<Self, ClientError> {
        let (url, pid) = locate(config)?;
        let own_ca = config.data_dir.join("tls").join("ca.pem");
        let ca_file = config.ca_file.clone().or_else(|| own_ca.exists().then_some(own_ca));
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(trust::tls(ca_file.as_deref())?)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(config.timeout)
            .user_agent(concat!("signet/", env!("CARGO_PKG_VERSION")))
            // A redirect would carry the token to an address that nobody named.
            .redirect(reqwest::redirect::Policy::none());
        if url.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| ClientError::local(&SERVER_UNREACHABLE, format!("cannot make a client: {}", chain(&e))))?;
        Ok(Self { http, url, token: None, pid })
    }

    /// The server's base URL.
    pub fn url(&self) -> &ServerUrl {
        &self.url
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, None::<&()>).await
    }

    pub(crate) async fn send<B: Serialize + Sync, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, ClientError> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn remove<B: Serialize + Sync, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, ClientError> {
        self.call(Method::DELETE, path, Some(body)).await
    }

    pub(crate) async fn replace<B: Serialize + Sync, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, ClientError> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// The same for an answer without a body.
    pub(crate) async fn remove_empty(&self, path: &str) -> Result<(), ClientError> {
        self.exchange(Method::DELETE, path, None::<&()>).await.map(drop)
    }

    async fn call<B: Serialize + Sync, T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&B>) -> Result<T, ClientError> {
        let (status, bytes) = self.exchange(method, path, body).await?;
        serde_json::from_slice(&bytes).map_err(|e| self.not_understood(status, &e.to_string()))
    }

    /// One exchange: the status and body of a success; a refusal is an error.
    async fn exchange<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<(StatusCode, Vec<u8>), ClientError> {
        let mut request = self.http.request(method, format!("{}{path}", self.url.base())).header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.header());
        }
        if let Some(body) = body {
            let bytes =
                serde_json::to_vec(body).map_err(|e| ClientError::local(&signet_model::kinds::INTERNAL, format!("request body: {e}")))?;
            request = request.header(CONTENT_TYPE, "application/json").body(bytes);
        }
        let mut response = request.send().await.map_err(|e| self.failed(&e))?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(&e))? {
            if bytes.len().saturating_add(chunk.len()) > LONGEST_ANSWER {
                return Err(self.not_understood(status, &format!("longer than {LONGEST_ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            return Ok((status, bytes));
        }
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => Err(ClientError::Refused(Box::new(Problem { status: status.as_u16(), ..problem }))),
            Err(_) => Err(self.not_understood(status, "no problem details in it")),
        }
    }

    fn not_understood(&self, status: StatusCode, why: &str) -> ClientError {
        ClientError::local(&SERVER_ANSWER, format!("{} answered {status}: {why}", self.url.base()))
    }

    fn failed(&self, error: &reqwest::Error) -> ClientError {
        let why = chain(error);
        if let Some(fault) = untrusted(error) {
            let detail = format!("the certificate of {} was refused: {why}", self.url.base());
            return Refusal::new(&SERVER_UNTRUSTED, detail).with_fix(fix_of(fault)).into();
        }
        let what = if error.is_timeout() { "did not answer in time" } else { "cannot be reached" };
        let named = match self.pid {
            Some(pid) => format!(" (endpoint.json names process {pid}, which may have ended without removing the file)"),
            None => String::new(),
        };
        ClientError::local(&SERVER_UNREACHABLE, format!("{} {what}{named}: {why}", self.url.base()))
    }
}

fn locate(config: &ClientConfig) -> Result<(ServerUrl, Option<u32>), ClientError> {
    if let Some(server) = &config.server {
        return Ok((ServerUrl::parse(server)?, None));
    }
    let file = Endpoint::path(&config.data_dir);
    let Some(endpoint) = Endpoint::read(&config.data_dir) else {
        return Err(no_endpoint(&file).into());
    };
    let api = endpoint.listeners.get("api").map(|address| ("https", address));
    // A drop-in has one listener, without TLS.
    match api.or_else(|| endpoint.listeners.get("http").map(|address| ("http", address))) {
        Some((scheme, address)) => Ok((ServerUrl::of_listener(scheme, address)?, Some(endpoint.pid))),
        None => Err(ClientError::local(
            &SERVER_UNREACHABLE,
            format!("the server of {} (process {}) has no API listener", file.display(), endpoint.pid),
        )),
    }
}

fn no_endpoint(file: &Path) -> Refusal {
    let none = |why: &str| Refusal::new(&SERVER_UNREACHABLE, format!("no `--server` was given and {} {why}", file.display()));
    // Read once more for the reason: a directory that this user may not enter holds a server as well as any.
    match std::fs::read(file) {
        Ok(_) => none("is not readable as an endpoint: no server of this version runs on this data directory"),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => none("does not exist: no server runs on this data directory"),
        Err(e) => none(&format!("cannot be read: {e}"))
            .with_fix("Run the command as the user that the server runs as, or name the server with `--server URL` and a token with `--token-file FILE`."),
    }
}

/// The causes of an error in one line, since reqwest's own text stops at "error sending request".
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}

/// Why a certificate was refused somewhere below this error; none when it was something else that failed.
fn untrusted(error: &reqwest::Error) -> Option<&CertificateError> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(cause) = next {
        // What an I/O error carries is hidden from `source()`, and may be another I/O error.
        let carried = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(carried) = carried {
            next = Some(carried);
            continue;
        }
        if let Some(rustls::Error::InvalidCertificate(fault)) = cause.downcast_ref::<rustls::Error>() {
            return Some(fault);
        }
        next = cause.source();
    }
    None
}

/// What mends it: not every certificate is refused for its issuer.
fn fix_of(fault: &CertificateError) -> &'static str {
    match fault {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "Have the server's certificate renewed (put a new one in place, then send SIGHUP), and check this machine's clock."
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "Check the clock of this machine and of the server.",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "Name the server with `--server https://NAME:PORT` by a name or address that its certificate holds."
        }
        _ => SERVER_UNTRUSTED.fix,
    }
}
