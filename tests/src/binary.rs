//! Which binary is tested: the one that `xtask` built and names, else one that is built here, once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The debug binary. `SIGNET_BIN` names it; without it `cargo build` makes sure that it is not a stale one.
pub fn signet_binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| std::env::var_os("SIGNET_BIN").map_or_else(build, PathBuf::from)).clone()
}

#[expect(clippy::panic, reason = "test support: without a binary there is nothing to test")]
fn build() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "signet", "--bin", "signet", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output,
        Ok(output) => panic!("building signet failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("cargo cannot be run: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = messages.filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?))).next_back();
    executable.unwrap_or_else(|| panic!("cargo built no binary called signet"))
}
