//! What CI checks before the tests: format, lints, architecture, dependencies, tidiness, documentation.

use anyhow::Result;

use crate::run::Runner;
use crate::{bans, edges, tidy};

/// Lints that hold for what is shipped and not for tests, benchmarks and examples.
const NOT_IN_TESTS: &[&str] = &[
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::indexing_slicing",
    "clippy::arithmetic_side_effects",
    "clippy::panic",
    "clippy::disallowed_methods",
    "missing_docs",
    "unreachable_pub",
];

/// Runs every check; a failed one does not hide the next.
pub(crate) fn all(runner: &mut Runner) -> Result<()> {
    let format = runner.cargo(&["fmt", "--all", "--check"]);
    runner.step("format", format)?;
    runner.inner_step("edges", |runner| edges::check(&runner.root))?;
    runner.inner_step("dependency bans", |runner| bans::check(&runner.root))?;
    runner.inner_step("tidiness", |runner| tidy::check(&runner.root))?;

    let shipped =
        runner.cargo(&["clippy", "--workspace", "--exclude", "signet-bench", "--lib", "--bins", "--locked", "--", "-D", "warnings"]);
    runner.step("clippy: what is shipped", shipped)?;
    let mut tests = runner.cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    for lint in NOT_IN_TESTS {
        tests.args(["-A", lint]);
    }
    runner.step("clippy: tests and benchmarks", tests)?;

    let mut documentation = runner.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    documentation.env("RUSTDOCFLAGS", "-D warnings");
    runner.step("documentation", documentation)?;
    Ok(())
}
