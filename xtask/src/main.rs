//! The commands that people and CI run: `cargo xtask help` lists them.
//!
//! CI calls exactly these, so what passes here passes there. Small on purpose: it must build in seconds, before
//! anything else of the workspace.

mod bans;
mod checks;
mod debian;
mod edges;
mod go;
mod node;
mod peers;
mod python;
mod run;
mod suites;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::run::Runner;

const HELP: &str = "\
cargo xtask COMMAND

  test [--deep]          every test: installs or finds PostgreSQL, nats-server, OpenBao, python3-venv, Node, GnuTLS and Go, starts
                         the servers on free loopback ports, runs the Rust suites, the fuzz corpora and the foreign clients, stops
                         all. --deep adds long kill loops, cargo-deny and a minute of fuzzing for each target
  ci                     what .ci/run calls: format, clippy, edges, bans, tidiness, documentation, then test
  check                  the part of ci before the tests
  peers                  starts PostgreSQL (C and ICU) and nats-server, prints what tests need to know, runs until interrupted
  bench NAME [ARG...]    a benchmark of bench/, in release mode
  fuzz TARGET SECONDS    one fuzz target (needs a nightly toolchain; builds cargo-fuzz into target/tools at first use)
  help                   this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Result<ExitCode> {
    match words {
        ["help" | "--help" | "-h"] | [] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        ["test"] => suites::test(&mut Runner::new()?, suites::Depth::Ordinary),
        ["test", "--deep"] => suites::test(&mut Runner::new()?, suites::Depth::Deep),
        ["check"] => {
            let mut runner = Runner::new()?;
            checks::all(&mut runner)?;
            Ok(runner.finish())
        }
        ["ci"] => {
            let mut runner = Runner::new()?;
            if std::env::var_os("CI").is_some() && std::env::var_os("CARGO_INCREMENTAL").is_none() {
                // A machine that builds once has no use for what later builds would save: 3 GB.
                runner.environment.push(("CARGO_INCREMENTAL".to_owned(), "0".to_owned()));
            }
            checks::all(&mut runner)?;
            suites::test(&mut runner, suites::Depth::Ordinary)
        }
        ["peers"] => suites::peers(&mut Runner::new()?),
        ["bench", name, rest @ ..] => tools::bench(&mut Runner::new()?, name, rest),
        ["fuzz", target, seconds] => {
            let seconds = seconds.parse().with_context(|| format!("SECONDS must be a whole number, not {seconds}"))?;
            let mut runner = Runner::new()?;
            tools::fuzz(&mut runner, target, seconds)?;
            Ok(runner.finish())
        }
        [other, ..] => bail!("no such command, or not with these arguments: {other}\n\n{HELP}"),
    }
}
