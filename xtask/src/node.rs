//! The Node modules of the real issuer: installed under `target/tools` from a hash-pinned list.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const PLACE: &str = "conformance/issuer";
const LISTS: [&str; 2] = ["package.json", "package-lock.json"];

/// The directory `node_modules`, which is made at first use and again when the list has changed.
pub(crate) fn modules(root: &Path, tools: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(root.join(PLACE).join(LISTS[1])).context(LISTS[1])?;
    let place = tools.join("node");
    let (modules, stamp) = (place.join("node_modules"), place.join("installed.json"));
    if modules.is_dir() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(modules);
    }
    fs::create_dir_all(&place)?;
    for list in LISTS {
        fs::copy(root.join(PLACE).join(list), place.join(list)).context(list)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&place);
    let output = npm.output().context("npm, which comes with the package `npm`")?;
    if !output.status.success() {
        bail!("npm ci in {}: {}", place.display(), String::from_utf8_lossy(&output.stderr));
    }
    fs::write(stamp, wanted)?;
    Ok(modules)
}
