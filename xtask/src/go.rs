//! The certificate verifier in Go: built from the standard library alone, under `target/tools`, whenever its source has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use signet_testkit::debian;

const PLACE: &str = "conformance/verify-go";
const SOURCES: [&str; 2] = ["go.mod", "main.go"];

/// The built program.
pub(crate) fn verifier(root: &Path, tools: &Path) -> Result<PathBuf> {
    let mut wanted = String::new();
    for source in SOURCES {
        wanted.push_str(&fs::read_to_string(root.join(PLACE).join(source)).context(source)?);
    }
    let place = tools.join("go");
    let (program, stamp) = (place.join("verify"), place.join("built-from.txt"));
    if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|built| built == wanted) {
        return Ok(program);
    }
    fs::create_dir_all(&place)?;
    let mut go = Command::new(debian::go_program()?);
    go.args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(root.join(PLACE));
    // No cgo and no toolchain from the network: what is there builds it.
    go.envs([("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=mod")]);
    let output = go.output().context("go")?;
    if !output.status.success() {
        bail!("go build in {PLACE}: {}", String::from_utf8_lossy(&output.stderr));
    }
    fs::write(stamp, wanted)?;
    Ok(program)
}
