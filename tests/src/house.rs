//! A deployment of Signet with its command line: what a scenario walks through.

use std::path::{Path, PathBuf};

use signet_testkit::{TestNats, TestPostgres, scratch_dir};
use tempfile::TempDir;

use crate::{Output, Server, run};

/// On what the server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// `signet up`: SQLite and the bus inside the process.
    Embedded,
    /// `signet serve` on PostgreSQL and NATS.
    Production,
}

/// A running server, its directory, and the command line that talks to it.
pub struct House {
    /// On what it stands.
    pub deployment: Deployment,
    /// The server; `stop` and `start` replace it.
    pub server: Option<Server>,
    directory: TempDir,
    database_url: String,
    nats: Option<TestNats>,
}

/// The name of the data directory inside the scratch directory, as in the walk of the manual.
const DATA: &str = "d";

impl House {
    /// A fresh and running house.
    #[track_caller]
    pub fn open(deployment: Deployment) -> Self {
        let mut house = Self::prepare(deployment);
        house.start();
        house
    }

    /// A fresh house whose server has not been started.
    #[track_caller]
    #[expect(clippy::panic, reason = "test support: without a scratch directory there is no test")]
    pub fn prepare(deployment: Deployment) -> Self {
        let directory = match scratch_dir("house") {
            Ok(directory) => directory,
            Err(error) => panic!("{error}"),
        };
        let (database_url, nats) = match deployment {
            Deployment::Embedded => (String::new(), None),
            // A NATS of its own: the subjects of Kaa are the same in every house.
            Deployment::Production => (TestPostgres::shared().fresh_database_blocking(), Some(TestNats::private(""))),
        };
        let house = Self { deployment, server: None, directory, database_url, nats };
        if deployment == Deployment::Production {
            house.write_configuration("signet.toml", &house.database_url, "");
        }
        house
    }

    /// Starts the server and waits for its ready line.
    #[track_caller]
    pub fn start(&mut self) {
        self.server = Some(Server::start(self.path(), "server", &self.server_arguments(), &[]));
    }

    /// The arguments that start this house's server.
    pub fn server_arguments(&self) -> Vec<&'static str> {
        match self.deployment {
            Deployment::Embedded => vec!["up", "--data-dir", DATA, "--any-port", "-o", "json"],
            Deployment::Production => vec!["serve", "--config", "signet.toml", "--any-port", "-o", "json"],
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

    /// The NATS server of this house, if it has one.
    pub fn nats(&self) -> Option<&TestNats> {
        self.nats.as_ref()
    }

    /// Writes a configuration of the production deployment on another database, with more lines at its end.
    #[expect(clippy::panic, reason = "test support: a scratch directory that cannot be written ends the test")]
    pub fn write_configuration(&self, name: &str, database_url: &str, more: &str) {
        let nats = self.nats.as_ref().map(TestNats::url).unwrap_or_default();
        let text = format!(
            "roles = [\"api\", \"worker\"]\ndata_dir = \"{DATA}\"\n\n[database]\nurl = \"{database_url}\"\n\n[nats]\nurl = \"{nats}\"\n{more}"
        );
        if let Err(error) = std::fs::write(self.path().join(name), text) {
            panic!("{name}: {error}");
        }
    }
}
