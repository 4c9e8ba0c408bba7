//! A deployment of Signet with its command line: what a scenario walks through.

use std::path::{Path, PathBuf};

use signet_testkit::{TestNats, TestPostgres, scratch_dir};
use tempfile::TempDir;

use crate::{NatsPeer, Output, Rest, Server, run};

/// On what the server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// `signet up`: SQLite, and the bus inside the process unless a URL is planned.
    Embedded,
    /// `signet serve` on PostgreSQL and NATS.
    Production,
}

/// What a house will stand on, where it is not the usual.
#[derive(Clone, Debug)]
pub struct Plan {
    deployment: Deployment,
    database_url: Option<String>,
    nats_url: Option<String>,
    settings: Vec<(&'static str, &'static str)>,
    /// Files of another replica's data directory: name and content.
    shared: Vec<(&'static str, Vec<u8>)>,
}

impl Plan {
    /// The usual of a deployment.
    pub fn of(deployment: Deployment) -> Self {
        Self { deployment, database_url: None, nats_url: None, settings: Vec::new(), shared: Vec::new() }
    }

    /// On this PostgreSQL database.
    #[must_use]
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// On this NATS.
    #[must_use]
    pub fn nats(mut self, url: impl Into<String>) -> Self {
        self.nats_url = Some(url.into());
        self
    }

    /// With a variable of the configuration, such as `SIGNET_STANDING__RECONCILE_INTERVAL`.
    #[must_use]
    pub fn setting(mut self, variable: &'static str, value: &'static str) -> Self {
        self.settings.push((variable, value));
        self
    }

    /// As another replica of this house: with its sealing key and its operator token.
    #[must_use]
    #[expect(clippy::panic, reason = "test support: a replica without the keys of the first cannot be tested")]
    pub fn joining(mut self, first: &House) -> Self {
        for name in ["seal.key", "operator.token"] {
            match std::fs::read(first.data().join(name)) {
                Ok(content) => self.shared.push((name, content)),
                Err(error) => panic!("{name}: {error}"),
            }
        }
        self
    }

    /// The house, running.
    #[track_caller]
    pub fn open(self) -> House {
        let mut house = self.prepare();
        house.start();
        house
    }

    /// The house, not started.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: without a scratch directory there is no test")]
    pub fn prepare(self) -> House {
        let directory = match scratch_dir("house") {
            Ok(directory) => directory,
            Err(error) => panic!("{error}"),
        };
        let production = self.deployment == Deployment::Production;
        let database_url = self.database_url.unwrap_or_else(|| match self.deployment {
            Deployment::Embedded => String::new(),
            Deployment::Production => TestPostgres::shared().fresh_database_blocking(),
        });
        // A NATS of its own: the subjects of Kaa are the same in every house.
        let own_nats = (production && self.nats_url.is_none()).then(|| TestNats::private(""));
        let nats_url = self.nats_url.or_else(|| own_nats.as_ref().map(|nats| nats.url().to_owned()));
        let house =
            House { deployment: self.deployment, server: None, settings: self.settings, directory, database_url, nats_url, own_nats };
        if production {
            house.write_configuration("signet.toml", &house.database_url, "");
        }
        if let Err(error) = house.place(&self.shared) {
            panic!("the shared files of the first replica: {error}");
        }
        house
    }
}

/// A running server, its directory, and the command line that talks to it.
pub struct House {
    /// On what it stands.
    pub deployment: Deployment,
    /// The server; `stop` and `start` replace it.
    pub server: Option<Server>,
    settings: Vec<(&'static str, &'static str)>,
    directory: TempDir,
    database_url: String,
    nats_url: Option<String>,
    own_nats: Option<TestNats>,
}

/// The name of the data directory inside the scratch directory, as in the walk of the manual.
const DATA: &str = "d";

impl House {
    /// A fresh and running house.
    #[track_caller]
    pub fn open(deployment: Deployment) -> Self {
        Plan::of(deployment).open()
    }

    /// Starts the server and waits for its ready line.
    #[track_caller]
    pub fn start(&mut self) {
        self.server = Some(Server::start(self.path(), "server", &self.server_arguments(), &self.settings));
    }

    /// The arguments that start this house's server.
    pub fn server_arguments(&self) -> Vec<&str> {
        match (self.deployment, &self.nats_url) {
            (Deployment::Embedded, None) => vec!["up", "--data-dir", DATA, "--any-port", "-o", "json"],
            (Deployment::Embedded, Some(url)) => vec!["up", "--data-dir", DATA, "--any-port", "--nats", url, "-o", "json"],
            (Deployment::Production, _) => vec!["serve", "--config", "signet.toml", "--any-port", "-o", "json"],
        }
    }

    /// Ends the server politely and checks that it says it ended well.
    #[track_caller]
    pub fn stop(&mut self) {
        let ended = self.server.take().map(|mut server| (server.terminate(), server.log_text()));
        if let Some((status, log)) = ended {
            assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "SIGTERM ended it with {status:?}; log: {log}");
        }
    }

    /// Kills the server.
    #[track_caller]
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            assert!(server.kill().is_ok(), "the server could not be killed");
        }
    }

    /// The running server.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: a scenario that stopped its server may not ask for it")]
    pub fn server(&self) -> &Server {
        match &self.server {
            Some(server) => server,
            None => panic!("the server of this house does not run"),
        }
    }

    /// A REST client with the operator token.
    #[track_caller]
    pub fn rest(&self) -> Rest {
        Rest::new(self.server().listener("api"), &self.data())
    }

    /// A foreign client on this house's NATS.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: only a house on NATS has one")]
    pub fn peer(&self) -> NatsPeer {
        match &self.nats_url {
            Some(url) => NatsPeer::connect(url),
            None => panic!("this house has its bus inside the process"),
        }
    }

    /// Runs a command of the binary against this house.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, "")
    }

    /// Runs a command with this on its standard input.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Output {
        run(self.path(), &[("SIGNET_DATA_DIR", DATA)], arguments, stdin.as_bytes())
    }

    /// Runs a command for the tenant `acme`, with JSON output: the `T` of the manual.
    pub fn acme(&self, arguments: &[&str]) -> Output {
        self.acme_with(arguments, "")
    }

    /// As [`House::acme`], with this on its standard input.
    pub fn acme_with(&self, arguments: &[&str], stdin: &str) -> Output {
        let all: Vec<&str> = arguments.iter().copied().chain(["--tenant", "acme", "-o", "json"]).collect();
        self.run_with(&all, stdin)
    }

    /// Makes the tenant `acme` and its device `dev-1`.
    #[track_caller]
    pub fn furnish(&self) {
        self.run(&["tenant", "create", "acme", "-o", "json"]).exits(0);
        self.acme(&["identity", "create", "dev-1", "--kind", "device"]).exits(0);
    }

    /// A basic credential of `dev-1` with password `pw`, after its first use; its id.
    #[track_caller]
    pub fn active_credential(&self, username: &str) -> String {
        let create = ["credential", "create", "basic", username, "--identity", "dev-1", "--password-stdin"];
        let made = self.acme_with(&create, "pw").ok();
        self.check(username).exits(0);
        made.get("id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }

    /// Checks a username of `acme` with password `pw`.
    pub fn check(&self, username: &str) -> Output {
        self.run_with(&["credential", "check", &format!("{username}@acme"), "--password-stdin", "-o", "json"], "pw")
    }

    /// The verdict about the log of this house.
    pub fn verify(&self) -> Output {
        match self.deployment {
            Deployment::Embedded => self.run(&["audit", "verify", "--data-dir", DATA, "-o", "json"]),
            Deployment::Production => self.run(&["audit", "verify", "--config", "signet.toml", "-o", "json"]),
        }
    }

    /// The scratch directory, in which every command runs.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.path().join(DATA)
    }

    /// The URL of the PostgreSQL database; empty for the embedded deployment.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The NATS server that was started for this house, if one was.
    pub fn nats(&self) -> Option<&TestNats> {
        self.own_nats.as_ref()
    }

    /// Writes a configuration of the production deployment on another database, with more lines at its end.
    #[expect(clippy::panic, reason = "test support: a scratch directory that cannot be written ends the test")]
    pub fn write_configuration(&self, name: &str, database_url: &str, more: &str) {
        let nats = self.nats_url.as_deref().unwrap_or_default();
        let text = format!(
            "roles = [\"api\", \"worker\"]\ndata_dir = \"{DATA}\"\n\n[database]\nurl = \"{database_url}\"\n\n[nats]\nurl = \"{nats}\"\n{more}"
        );
        if let Err(error) = std::fs::write(self.path().join(name), text) {
            panic!("{name}: {error}");
        }
    }

    fn place(&self, shared: &[(&str, Vec<u8>)]) -> std::io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        if shared.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(self.data())?;
        for (name, content) in shared {
            let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(self.data().join(name))?;
            std::io::Write::write_all(&mut file, content)?;
        }
        Ok(())
    }
}
