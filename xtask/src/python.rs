//! The Python environment of the foreign client: a venv under `target/tools`, from a hash-pinned list.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const REQUIREMENTS: &str = "conformance/requirements.txt";

/// The interpreter of the environment, which is made at first use and again when the list has changed.
pub(crate) fn interpreter(root: &Path, tools: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(root.join(REQUIREMENTS)).context(REQUIREMENTS)?;
    let environment = tools.join("python");
    let interpreter = environment.join("bin/python");
    let stamp = environment.join("installed.txt");
    if interpreter.exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(interpreter);
    }
    fs::create_dir_all(tools)?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    let pip =
        ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--only-binary", ":all:", "-r"];
    run(Command::new(&interpreter).args(pip).arg(root.join(REQUIREMENTS)))?;
    fs::write(stamp, wanted)?;
    Ok(interpreter)
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
