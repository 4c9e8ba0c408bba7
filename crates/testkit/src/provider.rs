//! A real OpenID Connect issuer that was not written for Signet: the npm package `oidc-provider`, in a process of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::error::or_fail;
use crate::{TestkitError, debian, free_port, process};

/// Names the directory `node_modules` that holds `oidc-provider`; `cargo xtask test` and `cargo xtask peers` fill and name it.
pub const NODE_MODULES_ENV: &str = "SIGNET_NODE_MODULES";

/// Node reads some hundred files first; on a machine with a busy disk 60 s were not enough once.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// The client that `conformance/issuer/provider.mjs` knows.
const CLIENT: &str = "ci:a-long-secret-of-at-least-32-characters";

/// A running issuer. It ends when dropped, and when this process dies.
pub struct TestProvider {
    port: u16,
    algorithm: &'static str,
    child: Child,
}

impl TestProvider {
    /// An issuer that signs with this algorithm, `ES256` or `RS256`.
    pub fn start(algorithm: &'static str) -> Self {
        let port = or_fail(free_port());
        Self { port, algorithm, child: or_fail(launch(port, algorithm)) }
    }

    /// Its identifier.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it; nobody answers at its address any more.
    pub fn stop(&mut self) {
        let ended = process::end(&mut self.child, process::Signal::TERM, Duration::from_secs(10));
        or_fail(ended.map_err(TestkitError::at("oidc-provider")));
    }

    /// Ends it and starts it at the same address, with another key under the same key id.
    pub fn restart(&mut self) {
        self.stop();
        self.child = or_fail(launch(self.port, self.algorithm));
    }

    /// An access token of its client for this audience and these scopes, as the token endpoint gives it.
    pub fn token(&self, audience: &str, scope: &str) -> String {
        or_fail(self.ask(audience, scope))
    }

    fn ask(&self, audience: &str, scope: &str) -> Result<String, TestkitError> {
        let form = format!("grant_type=client_credentials&resource=urn:{audience}&scope={}", scope.replace(' ', "+"));
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Basic {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            self.port,
            STANDARD.encode(CLIENT),
            form.len()
        );
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).map_err(TestkitError::at("oidc-provider"))?;
        let mut answer = String::new();
        stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_string(&mut answer))
            .map_err(TestkitError::at("oidc-provider"))?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
        let token = serde_json::from_str::<Value>(body).ok().and_then(|body| body.get("access_token")?.as_str().map(str::to_owned));
        token.ok_or(TestkitError::Command { program: "oidc-provider".to_owned(), detail: answer })
    }
}

impl Drop for TestProvider {
    fn drop(&mut self) {
        // Nobody is left to tell; the parent-death signal ends it at the latest.
        let _best_effort = process::end(&mut self.child, process::Signal::KILL, Duration::from_secs(5));
    }
}

/// The modules, or what brings them.
fn modules() -> Result<PathBuf, TestkitError> {
    let named = std::env::var_os(NODE_MODULES_ENV).map(PathBuf::from).filter(|path| path.join("oidc-provider").is_dir());
    named.ok_or_else(|| TestkitError::NotInstalled {
        program: "the npm package oidc-provider".to_owned(),
        install: format!("cargo xtask peers, which prints the variable {NODE_MODULES_ENV}; cargo xtask test sets it by itself"),
    })
}

fn launch(port: u16, algorithm: &str) -> Result<Child, TestkitError> {
    let node = debian::on_path("node")
        .ok_or_else(|| TestkitError::NotInstalled { program: "node".to_owned(), install: debian::install_line(&["nodejs", "npm"]) })?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/issuer/provider.mjs");
    let mut command = process::bound_to_us("KILL", node);
    command.arg(script).arg(modules()?).arg(port.to_string()).arg(algorithm);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = process::spawn(command).map_err(TestkitError::at("node"))?;
    let Some(output) = child.stdout.take() else {
        return Err(TestkitError::NotReady { server: "oidc-provider".to_owned(), detail: "it has no standard output".to_owned() });
    };
    let (sender, first) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output).lines();
        // Whoever asked may have given up; the rest is read so that the issuer never waits for a reader.
        let _asker_gone = sender.send(lines.next());
        lines.map_while(Result::ok).for_each(drop);
    });
    match first.recv_timeout(READY_WITHIN) {
        Ok(Some(Ok(line))) if line == "ready" => Ok(child),
        other => {
            // It may have ended by itself already.
            let _ended = child.kill();
            Err(TestkitError::NotReady { server: "oidc-provider".to_owned(), detail: format!("{other:?}") })
        }
    }
}
