//! Benchmarks, fuzzing, licences: what is run by hand or in deep runs, with tools that are built at first use.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::run::Runner;

const CARGO_FUZZ: (&str, &str) = ("cargo-fuzz", "0.13.2");
const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");

/// One benchmark, built in release mode.
pub(crate) fn bench(runner: &mut Runner, name: &str, rest: &[&str]) -> Result<ExitCode> {
    let mut command = runner.cargo(&["run", "--release", "--locked", "--package", "signet-bench", "--", name]);
    command.args(rest);
    let success = runner.step(&format!("bench {name}"), command)?;
    Ok(if success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The targets that `fuzz/` has.
pub(crate) fn fuzz_targets(root: &Path) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(root.join("fuzz/fuzz_targets")).context("fuzz/fuzz_targets")? {
        let path = entry?.path();
        if let (Some("rs"), Some(name)) = (path.extension().and_then(|ending| ending.to_str()), path.file_stem()) {
            targets.push(name.to_string_lossy().into_owned());
        }
    }
    targets.sort();
    Ok(targets)
}

/// Fuzzes one target. What it finds goes to `fuzz/artifacts`; new inputs stay out of the committed corpus.
pub(crate) fn fuzz(runner: &mut Runner, target: &str, seconds: u64) -> Result<()> {
    let targets = fuzz_targets(&runner.root)?;
    if !targets.iter().any(|known| known == target) {
        bail!("no fuzz target {target}; there are: {}", targets.join(", "));
    }
    let program = installed(runner, CARGO_FUZZ)?;
    let found = runner.target.join("fuzz-corpus").join(target);
    std::fs::create_dir_all(&found)?;
    let mut command = signet_testkit::process::bound_to_us("TERM", program);
    // `cargo-fuzz` picks its compiler through `cargo`, which the toolchain proxy resolves by this variable.
    command.env("RUSTUP_TOOLCHAIN", "nightly").env_remove("CARGO").env("CARGO_TARGET_DIR", runner.target.join("fuzz"));
    command.args(["fuzz", "run", target]).arg(found).arg(runner.root.join("fuzz/corpus").join(target));
    command.arg("--").arg(format!("-max_total_time={seconds}")).args(["-timeout=10", "-rss_limit_mb=2048"]);
    runner.step(&format!("fuzz {target}, {seconds} s"), command)?;
    Ok(())
}

/// Licences, bans and sources by cargo-deny; its advisory database needs the network and is run by hand.
pub(crate) fn licences(runner: &mut Runner) -> Result<()> {
    let program = installed(runner, CARGO_DENY)?;
    let mut command = signet_testkit::process::bound_to_us("TERM", program);
    command.args(["--offline", "check", "licenses", "bans", "sources"]);
    runner.step("licences, bans, sources", command)?;
    Ok(())
}

/// A cargo tool: the one on the path, else built into `target/tools/cargo`.
fn installed(runner: &mut Runner, (name, version): (&str, &str)) -> Result<PathBuf> {
    if let Some(found) = signet_testkit::debian::on_path(name) {
        return Ok(found);
    }
    let root = runner.tools().join("cargo");
    let program = root.join("bin").join(name);
    if !program.exists() {
        let mut command = runner.cargo(&["install", "--locked", "--version", version, name, "--root"]);
        command.arg(&root).env("CARGO_TARGET_DIR", runner.tools().join("build"));
        if !runner.step(&format!("install {name} {version}"), command)? {
            bail!("{name} {version} could not be installed");
        }
    }
    Ok(program)
}
