//! One running server process.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use signet_testkit::process::{self, Signal};

use crate::{output, signet_binary};

/// A server that is not ready by then has failed to start; a busy machine with a debug build is slow.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// `signet up` or `signet serve`. Killed when dropped, and when the tests die.
pub struct Server {
    child: Child,
    /// The first line of its standard output.
    pub ready: Value,
    log: PathBuf,
}

impl Server {
    /// Starts the binary with these arguments in a directory and waits for its ready line.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: a server that does not start ends the test, with its log")]
    pub fn start<S: AsRef<std::ffi::OsStr>>(directory: &Path, name: &str, arguments: &[S], variables: &[(&str, &str)]) -> Self {
        match Self::try_start(directory, name, arguments, variables) {
            Ok(server) => server,
            Err(why) => panic!("{why}"),
        }
    }

    /// As [`Server::start`]; what it wrote when it did not become ready.
    pub fn try_start<S: AsRef<std::ffi::OsStr>>(
        directory: &Path,
        name: &str,
        arguments: &[S],
        variables: &[(&str, &str)],
    ) -> Result<Self, String> {
        let log = directory.join(format!("{name}.log"));
        let errors = File::options().create(true).append(true).open(&log).map_err(|error| error.to_string())?;
        Self::launch(process::bound_to_us("KILL", signet_binary()), directory, &log, errors, arguments, variables)
    }

    /// As [`Server::try_start`], inside a mount namespace of its own where `mounted` is a tmpfs of so many MiB. From
    /// outside it is seen through `/proc/PID/root`. Works without root where user namespaces do.
    pub fn try_start_on_small_disk<S: AsRef<std::ffi::OsStr>>(
        directory: &Path,
        mounted: &Path,
        mebibytes: u32,
        arguments: &[S],
    ) -> Result<Self, String> {
        let log = directory.join("server.log");
        let errors = File::options().create(true).append(true).open(&log).map_err(|error| error.to_string())?;
        let mut command = process::bound_to_us("KILL", "unshare");
        if !signet_testkit::debian::is_root() {
            command.arg("--map-root-user");
        }
        let script = format!("mount -t tmpfs -o size={mebibytes}m signet-test \"$0\" && exec \"$@\"");
        command.args(["--mount", "--", "sh", "-c", &script]).arg(mounted).arg(signet_binary());
        Self::launch(command, directory, &log, errors, arguments, &[])
    }

    fn launch<S: AsRef<std::ffi::OsStr>>(
        mut command: std::process::Command,
        directory: &Path,
        log: &Path,
        errors: File,
        arguments: &[S],
        variables: &[(&str, &str)],
    ) -> Result<Self, String> {
        output::clean_environment(&mut command);
        command.args(arguments).envs(variables.iter().copied()).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = process::spawn(command).map_err(|error| error.to_string())?;
        let first_line = child.stdout.take().map(first_line);
        let line = first_line.and_then(|line| line.recv_timeout(READY_WITHIN).ok()).unwrap_or_default();
        let ready = serde_json::from_str(&line).unwrap_or(Value::Null);
        let mut server = Self { child, ready, log: log.to_owned() };
        if server.ready.get("event").and_then(Value::as_str) == Some("ready") {
            return Ok(server);
        }
        let ended = server.child.try_wait().ok().flatten();
        Err(format!("no ready line but {line:?} ({ended:?}); log: {}", server.log_text()))
    }

    /// The address of a listener, by the name it has in the ready line.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: a missing listener ends the test")]
    pub fn listener(&self, name: &str) -> SocketAddr {
        let address = self.ready.get("listeners").and_then(|listeners| listeners.get(name)).and_then(Value::as_str);
        match address.and_then(|address| address.parse().ok()) {
            Some(address) => address,
            None => panic!("no listener {name} in {}", self.ready),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGTERM, and how it ended; killed after 30 s.
    pub fn terminate(&mut self) -> std::io::Result<ExitStatus> {
        process::end(&mut self.child, Signal::TERM, Duration::from_secs(30))
    }

    /// SIGKILL.
    pub fn kill(&mut self) -> std::io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Any signal, such as HUP, STOP or CONT.
    pub fn signal(&self, signal: Signal) -> std::io::Result<()> {
        process::signal(&self.child, signal)
    }

    /// What it wrote to standard error so far.
    pub fn log_text(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_running() {
            // Nobody is left to tell; the parent-death signal ends it at the latest.
            let _best_effort = self.kill();
        }
    }
}

/// Sends the first line on, and goes on reading so that the server never waits for a reader.
fn first_line(stdout: std::process::ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut lines = BufReader::new(stdout).lines();
        if let Some(Ok(line)) = lines.next() {
            // The asker may have given up waiting.
            let _asker_gone = sender.send(line);
        }
        lines.map_while(Result::ok).for_each(drop);
    });
    receiver
}
