//! A real nats-server on a free loopback port.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::error::or_fail;
use crate::process::{self, Signal};
use crate::{TestkitError, debian, free_port, scratch_dir};

/// Names the URL of a server that `xtask` started for the whole run.
pub const NATS_ENV: &str = "SIGNET_TEST_NATS";
/// Names the monitoring URL of that server.
pub const NATS_MONITORING_ENV: &str = "SIGNET_TEST_NATS_MONITORING";

/// A NATS server. It stops when dropped, and when this process dies.
pub struct TestNats {
    url: String,
    monitoring: String,
    own: Option<Own>,
}

struct Own {
    directory: TempDir,
    address: SocketAddr,
    child: Mutex<Option<Child>>,
}

impl TestNats {
    /// The server of the whole run, or one for this process. Subjects are shared with other tests: use names of your own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestNats> = OnceLock::new();
        SHARED.get_or_init(|| match (std::env::var(NATS_ENV), std::env::var(NATS_MONITORING_ENV)) {
            (Ok(url), Ok(monitoring)) => Self { url, monitoring, own: None },
            _ => or_fail(Self::start("")),
        })
    }

    /// A server of one's own (ready in about 0.03 s). `config` is added to its configuration; `{dir}` in it is the
    /// server's scratch directory. Without an `authorization` or `accounts` block anybody may connect.
    pub fn private(config: &str) -> Self {
        or_fail(Self::start(config))
    }

    /// As [`TestNats::private`], for callers that report the error themselves.
    pub fn start(config: &str) -> Result<Self, TestkitError> {
        debian::nats_program()?;
        let directory = scratch_dir("nats")?;
        let (client, monitor) = (free_port()?, free_port()?);
        let text = format!(
            "server_name: \"signet-test-{client}\"\nlisten: \"127.0.0.1:{client}\"\nhttp: \"127.0.0.1:{monitor}\"\n{}\n",
            config.replace("{dir}", &directory.path().to_string_lossy())
        );
        let file = directory.path().join("nats.conf");
        std::fs::write(&file, text).map_err(TestkitError::at(file))?;
        let server = Self {
            url: format!("nats://127.0.0.1:{client}"),
            monitoring: format!("http://127.0.0.1:{monitor}"),
            own: Some(Own { directory, address: SocketAddr::from(([127, 0, 0, 1], client)), child: Mutex::new(None) }),
        };
        server.resume()?;
        Ok(server)
    }

    /// `nats://127.0.0.1:PORT`; the same after a restart.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`, as a [`crate::FaultProxy`] wants it.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("nats://")
    }

    /// `http://127.0.0.1:PORT` with `/healthz`, `/connz`, `/subsz`.
    pub fn monitoring_url(&self) -> &str {
        &self.monitoring
    }

    /// The scratch directory, which `{dir}` in the configuration names. `None` for the server of the whole run.
    pub fn directory(&self) -> Option<&Path> {
        self.own.as_ref().map(|own| own.directory.path())
    }

    /// Ends the server politely (SIGINT). Fails for the shared server of the whole run.
    pub fn stop(&self) -> Result<(), TestkitError> {
        self.end(Signal::INT)
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&self) -> Result<(), TestkitError> {
        self.end(Signal::KILL)
    }

    /// Starts the server again on the same port.
    pub fn resume(&self) -> Result<(), TestkitError> {
        let own = self.owned()?;
        let mut slot = own.child.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Ok(());
        }
        let log = own.directory.path().join("log");
        let output = File::options().create(true).append(true).open(&log).map_err(TestkitError::at(&log))?;
        let errors = output.try_clone().map_err(TestkitError::at(&log))?;
        let mut command = process::bound_to_us("TERM", debian::nats_program()?);
        command.arg("-c").arg(own.directory.path().join("nats.conf"));
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = process::spawn(command).map_err(TestkitError::at("nats-server"))?;
        process::until_ready("nats-server", &mut child, &log, Duration::from_secs(20), || greets(own.address))?;
        *slot = Some(child);
        Ok(())
    }

    fn end(&self, how: Signal) -> Result<(), TestkitError> {
        let own = self.owned()?;
        let ended = own.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = ended {
            process::end(&mut child, how, Duration::from_secs(10)).map_err(TestkitError::at("nats-server"))?;
        }
        Ok(())
    }

    fn owned(&self) -> Result<&Own, TestkitError> {
        self.own.as_ref().ok_or_else(|| TestkitError::NotReady {
            server: "nats-server".into(),
            detail: "the server of the whole run is not ours to stop; use TestNats::private".into(),
        })
    }
}

impl Drop for TestNats {
    fn drop(&mut self) {
        if self.own.is_some() {
            // Nobody is left to tell; the parent-death signal ends it at the latest.
            let _best_effort = self.kill();
        }
    }
}

/// A NATS server that accepts clients greets each with an INFO line.
fn greets(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else { return false };
    let mut start = [0u8; 5];
    let greeted = stream.set_read_timeout(Some(Duration::from_secs(2))).and_then(|()| stream.read_exact(&mut start));
    // A polite end, so that the server logs no protocol error.
    let _closing = stream.flush();
    greeted.is_ok() && &start == b"INFO "
}
