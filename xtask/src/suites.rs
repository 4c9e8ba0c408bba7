//! `cargo xtask test`: the peers, the Rust suites, the foreign client, and everything stopped again.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use signet_testkit::{
    BAO_ENV, NATS_ENV, NATS_MONITORING_ENV, NODE_MODULES_ENV, POSTGRES_ENV, POSTGRES_ICU_ENV, PostgresOptions, TestNats, TestPostgres,
};

use crate::run::{self, Runner};
use crate::{debian, go, node, peers, python, tools};

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What CI runs on every change.
    Ordinary,
    /// Also long kill loops, licences and sources, and a minute of fuzzing for each target.
    Deep,
}

/// The servers that the suites share. Dropping it stops them.
struct Peers {
    postgres: TestPostgres,
    postgres_icu: TestPostgres,
    nats: TestNats,
}

impl Peers {
    fn start() -> Result<Self> {
        // Making a cluster takes a second; the two do not wait for each other.
        let icu = std::thread::spawn(|| TestPostgres::start(PostgresOptions { icu: true, ..PostgresOptions::default() }));
        let postgres = TestPostgres::start(PostgresOptions::default())?;
        let nats = TestNats::start("")?;
        let postgres_icu = icu.join().map_err(|_| anyhow::anyhow!("starting the ICU cluster panicked"))??;
        Ok(Self { postgres, postgres_icu, nats })
    }

    fn variables(&self) -> Vec<(String, String)> {
        let pairs = [
            (POSTGRES_ENV, self.postgres.admin_url()),
            (POSTGRES_ICU_ENV, self.postgres_icu.admin_url()),
            (NATS_ENV, self.nats.url()),
            (NATS_MONITORING_ENV, self.nats.monitoring_url()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }
}

/// Runs everything and prints the sum.
pub(crate) fn test(runner: &mut Runner, depth: Depth) -> Result<ExitCode> {
    // Before anything is built: whoever must install something first should not wait minutes to hear it.
    debian::ensure()?;
    let python = python::interpreter(&runner.root, &runner.tools())?;
    let modules = node::modules(&runner.root, &runner.tools())?;
    runner.environment.push((NODE_MODULES_ENV.into(), modules.to_string_lossy().into_owned()));
    let bao = bao(runner, &python)?;
    runner.environment.push((BAO_ENV.into(), bao));
    let verifier = go::verifier(&runner.root, &runner.tools())?;
    runner.environment.push(("SIGNET_GO_VERIFIER".into(), verifier.to_string_lossy().into_owned()));

    let build = runner.cargo(&["build", "--workspace", "--lib", "--bins", "--tests", "--locked"]);
    if !runner.step("build", build)? {
        return Ok(runner.finish());
    }
    let signet = runner.target.join("debug/signet");
    runner.environment.push(("SIGNET_BIN".into(), signet.to_string_lossy().into_owned()));
    if depth == Depth::Deep {
        runner.environment.push(("SIGNET_DEEP".into(), "1".into()));
    }

    let peers = Peers::start().context("starting the peers")?;
    runner.environment.extend(peers.variables());
    let suites = runner.cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    runner.step("Rust suites", suites)?;
    let mut foreign = Command::new(python);
    foreign.arg("conformance/run.py");
    runner.step("foreign client", foreign)?;
    drop(peers);

    if depth == Depth::Deep {
        tools::licences(runner)?;
        for target in tools::fuzz_targets(&runner.root)? {
            tools::fuzz(runner, &target, 60)?;
        }
    }
    Ok(runner.finish())
}

/// OpenBao's program: the one that the environment names, else ours. Each test that needs a server starts its own.
fn bao(runner: &Runner, python: &Path) -> Result<String> {
    match std::env::var(BAO_ENV) {
        Ok(named) => Ok(named),
        Err(_) => Ok(peers::bao(python, &runner.root, &runner.tools())?.to_string_lossy().into_owned()),
    }
}

/// Starts the peers for somebody who runs single tests by hand.
pub(crate) fn peers(runner: &mut Runner) -> Result<ExitCode> {
    debian::ensure()?;
    let modules = node::modules(&runner.root, &runner.tools())?;
    println!("export {NODE_MODULES_ENV}={}", modules.display());
    let python = python::interpreter(&runner.root, &runner.tools())?;
    println!("export {BAO_ENV}={}", bao(runner, &python)?);
    let peers = Peers::start()?;
    for (name, value) in peers.variables() {
        println!("export {name}={value}");
    }
    run::until_interrupted();
    Ok(ExitCode::SUCCESS)
}
