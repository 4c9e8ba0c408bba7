//! The checkout: its root, its files, its dependency graph as cargo tells it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The directory that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_owned).context("xtask lies in no workspace")
}

/// What `cargo metadata` says about the members of the workspace.
pub(crate) fn metadata(root: &Path) -> Result<Value> {
    let text = cargo_output(root, &["metadata", "--format-version", "1", "--no-deps", "--locked"])?;
    Ok(serde_json::from_str(&text)?)
}

/// Where cargo builds, by its own account.
pub(crate) fn target_directory(root: &Path) -> Result<PathBuf> {
    let metadata = metadata(root)?;
    metadata.get("target_directory").and_then(Value::as_str).map(PathBuf::from).context("cargo metadata names no target directory")
}

/// The output of a cargo command in the checkout.
pub(crate) fn cargo_output(root: &Path, arguments: &[&str]) -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root).output()?;
    if !output.status.success() {
        bail!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Directories that hold nothing we wrote.
const NOT_OURS: &[&str] = &["target", ".git", "node_modules", "__pycache__", "signet-data", "artifacts"];

/// Every file of the checkout, as paths relative to it, sorted.
pub(crate) fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).with_context(|| directory.display().to_string())? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() && !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                open.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path().strip_prefix(root)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}
