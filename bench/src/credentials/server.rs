//! The `signet` process that is measured: built in release mode, ended with us.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use signet_testkit::process::{self, Signal};

use crate::report::cpu_of;

/// Builds the release binary, so that a stale one is never measured; unless `SIGNET_BIN` names another.
pub(crate) fn build() -> Result<PathBuf> {
    if let Some(binary) = std::env::var_os("SIGNET_BIN") {
        return Ok(binary.into());
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package", "signet", "--bin", "signet", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("cargo build")?;
    let text = String::from_utf8(output.stdout)?;
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = messages.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?))).next_back();
    match executable {
        Some(executable) if output.status.success() => Ok(executable),
        _ => bail!("cargo built no binary called signet: {}", output.status),
    }
}

/// A running `signet up`. Killed when dropped, and when this process ends.
pub(crate) struct Server {
    child: Mutex<Child>,
    pid: u32,
    /// Its API listener.
    pub(crate) api: SocketAddr,
    /// What it said when it was ready.
    ready: Value,
    /// How long that took.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts it on a data directory inside `folder` and waits for its ready line.
    pub(crate) fn start(binary: &Path, folder: &Path, nats: &str) -> Result<Self> {
        Self::start_with(binary, folder, nats, &[])
    }

    /// The same with variables of the configuration.
    pub(crate) fn start_with(binary: &Path, folder: &Path, nats: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let log = File::options().create(true).append(true).open(folder.join("server.log"))?;
        let mut command = process::bound_to_us("KILL", binary);
        command.args(["up", "--data-dir", "d", "--any-port", "--nats", nats, "-o", "json"]).current_dir(folder);
        command.env("SIGNET_KAA__CM_ENABLED", "true");
        command.envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let started = Instant::now();
        let mut child = process::spawn(command).context("signet up")?;
        let mut lines = BufReader::new(child.stdout.take().context("its standard output")?);
        let mut ready = String::new();
        lines.read_line(&mut ready)?;
        let started_in = started.elapsed();
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
        let said = serde_json::from_str::<Value>(&ready).ok();
        let Some((said, api)) = said.and_then(|said| Some((said.clone(), said["listeners"]["api"].as_str()?.parse().ok()?))) else {
            child.kill()?;
            child.wait()?;
            bail!("no ready line but {ready:?}; log: {}", std::fs::read_to_string(folder.join("server.log"))?);
        };
        Ok(Self { pid: child.id(), child: Mutex::new(child), api, ready: said, started_in })
    }

    /// Another of its listeners, by name.
    pub(crate) fn listener(&self, name: &str) -> Result<SocketAddr> {
        let address = self.ready["listeners"][name].as_str().with_context(|| format!("no listener {name} in the ready line"))?;
        Ok(address.parse()?)
    }

    /// CPU time of the process so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_of(&self.pid.to_string())
    }

    /// CPU time so far of its threads that hash passwords.
    pub(crate) fn cpu_of_password_threads(&self) -> Result<Duration> {
        let mut sum = Duration::ZERO;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.pid))? {
            let task = task?.file_name().to_string_lossy().into_owned();
            let place = format!("{}/task/{task}", self.pid);
            if std::fs::read_to_string(format!("/proc/{place}/comm"))?.starts_with("password-") {
                sum += cpu_of(&place)?;
            }
        }
        Ok(sum)
    }

    /// The most memory it ever held.
    pub(crate) fn peak_mib(&self) -> u64 {
        crate::report::peak_memory_mib(&self.pid.to_string())
    }

    /// Lets the peak begin anew (proc(5), `clear_refs`); the memory that it holds now, in MiB.
    pub(crate) fn reset_peak(&self) -> Result<u64> {
        std::fs::write(format!("/proc/{}/clear_refs", self.pid), "5").context("clear_refs")?;
        Ok(self.peak_mib())
    }

    /// Ends it politely.
    pub(crate) fn stop(self) -> Result<()> {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let status = process::end(&mut child, Signal::TERM, Duration::from_secs(60))?;
        anyhow::ensure!(status.success(), "signet ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if matches!(child.try_wait(), Ok(None)) {
            // Nobody is left to tell; the parent-death signal ends it at the latest.
            let _best_effort = child.kill().and_then(|()| child.wait());
        }
    }
}
