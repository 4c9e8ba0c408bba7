//! REST as any HTTP client speaks it, blocking, so that scenarios can use plain threads.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::Runtime;

/// The answer of a request that was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The reason code of the problem details.
    pub fn reason(&self) -> String {
        self.json().get("reason").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client of one API listener. May be shared between threads.
pub struct Rest {
    base: String,
    token: String,
    client: reqwest::Client,
    runtime: Runtime,
}

impl Rest {
    /// A client of this listener with the operator token and the authority of a data directory.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: without token and authority there is no client")]
    pub fn new(api: SocketAddr, data: &Path) -> Self {
        let read = |name: &str| match std::fs::read_to_string(data.join(name)) {
            Ok(text) => text,
            Err(error) => panic!("{name}: {error}"),
        };
        let token = read("operator.token").trim().to_owned();
        match Self::build(api, token, &read("tls/ca.pem")) {
            Ok(client) => client,
            Err(error) => panic!("{error}"),
        }
    }

    /// A client of the one plain listener of a drop-in, with the operator token of a data directory.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: without a token there is no client")]
    pub fn plain(listener: SocketAddr, data: &Path) -> Self {
        let token = match std::fs::read_to_string(data.join("operator.token")) {
            Ok(text) => text.trim().to_owned(),
            Err(error) => panic!("operator.token: {error}"),
        };
        // It listens on every address; the loopback one reaches it.
        let base = format!("http://127.0.0.1:{}", listener.port());
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build();
        match (client, tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()) {
            (Ok(client), Ok(runtime)) => Self { base, token, client, runtime },
            (client, runtime) => panic!("{:?} {:?}", client.err(), runtime.err()),
        }
    }

    fn build(api: SocketAddr, token: String, authority: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let authority = reqwest::Certificate::from_pem(authority.as_bytes())?;
        // Longer than any deadline of the server: a call that ends by this one has found a hang.
        let builder = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().timeout(Duration::from_secs(60));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self { base: format!("https://{api}"), token, client: builder.build()?, runtime })
    }

    /// The same client with another bearer token; with none at all when it is empty.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.answered("GET", path, &[], b"")
    }

    /// POST with a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.answered("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Any request that must be answered.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: a server that does not answer at all fails the test")]
    pub fn answered(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        match self.send(method, path, headers, body) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    /// Any request; an error when no answer came, as when the server was killed.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer, String> {
        self.runtime.block_on(async {
            let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
            let mut request = self.client.request(method, format!("{}{path}", self.base));
            let own = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
            if !own && !self.token.is_empty() {
                request = request.bearer_auth(&self.token);
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if !body.is_empty() {
                request = request.body(body.to_vec());
            }
            let response = request.send().await.map_err(|error| format!("{error:?}"))?;
            let status = response.status().as_u16();
            let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
            let body = response.bytes().await.map_err(|error| format!("{error:?}"))?.to_vec();
            Ok(Answer { status, headers, body })
        })
    }
}

/// One request in plain text as HTTP/1.0 to a listener without TLS; without Host unless `headers` has one.
pub fn http_1_0(listener: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(listener)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{method} {path} HTTP/1.0\r\n{lines}\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(bytes.len());
    let (head, rest) = bytes.split_at(end);
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok(Answer { status, headers: lines.filter_map(header).collect(), body: rest.get(4..).unwrap_or_default().to_vec() })
}
