//! Certificate requests of other hands: made by OpenSSL before the clocks start.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// So many requests, each with a P-256 key of its own, in PEM.
pub(crate) fn requests(folder: &Path, count: usize) -> Result<Vec<String>> {
    (0..count)
        .map(|number| {
            let output = Command::new("openssl")
                .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "bench.key"])
                .args(["-subj", &format!("/CN=bench-{number}")])
                .current_dir(folder)
                .output()
                .context("openssl")?;
            anyhow::ensure!(output.status.success(), "openssl req: {}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?)
        })
        .collect()
}
