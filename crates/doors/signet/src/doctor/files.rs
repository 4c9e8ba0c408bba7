//! The data directory and the files in it that nobody else may read.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Check, Patient};

/// Less free space than this is too little to go on with.
const LEAST_FREE_BYTES: u64 = 64 * 1024 * 1024;

pub(super) fn all(patient: &Patient<'_>) -> Vec<Check> {
    let dir = patient.data_dir;
    if matches!(std::fs::metadata(dir), Err(e) if e.kind() == std::io::ErrorKind::NotFound) {
        let fix = "It is made at the first start: `signet up`, or name another with `--data-dir DIR`.";
        return vec![Check::failed("data directory", format!("{} does not exist", dir.display()), fix)];
    }
    let mut checks = vec![directory(dir), space(dir)];
    let seal_key = patient.settings.seal.key_file.clone().unwrap_or_else(|| dir.join("seal.key"));
    let server_key = patient.settings.tls.key_file.clone().unwrap_or_else(|| dir.join("tls/api.key"));
    checks.push(secret("seal key", &seal_key, true));
    checks.push(secret("server key", &server_key, true));
    checks.push(secret("operator token file", &dir.join("operator.token"), false));
    checks
}

fn directory(dir: &Path) -> Check {
    let shown = dir.display();
    let meta = match std::fs::metadata(dir).and_then(|meta| std::fs::read_dir(dir).map(|_| meta)) {
        Ok(meta) => meta,
        Err(e) => {
            return Check::failed(
                "data directory",
                format!("{shown}: {e}"),
                format!("Give this user access: `chown -R $(id -u) {shown}`."),
            );
        }
    };
    let mode = meta.mode() & 0o777;
    if !meta.is_dir() {
        return Check::failed("data directory", format!("{shown} is not a directory"), "Name another with `--data-dir DIR`.");
    }
    if mode & 0o077 != 0 {
        return Check::warning(
            "data directory",
            format!("{shown} has mode {mode:04o}: others can look into it"),
            format!("`chmod 700 {shown}`"),
        );
    }
    Check::fine("data directory", format!("{shown}, mode {mode:04o}"))
}

fn space(dir: &Path) -> Check {
    match rustix::fs::statvfs(dir) {
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let detail = format!("{} MiB free", free / (1024 * 1024));
            if free < LEAST_FREE_BYTES {
                Check::failed("disk space", detail, "Free space on this volume; writes are refused with storage.full when it is full.")
            } else {
                Check::fine("disk space", detail)
            }
        }
        Err(e) => Check::failed("disk space", format!("cannot be read: {e}"), "Check the mount of the data directory."),
    }
}

/// A secret file: there, and nobody else's to read.
fn secret(name: &'static str, path: &PathBuf, refused_when_wide: bool) -> Check {
    let shown = path.display();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Check::warning(name, format!("{shown} does not exist"), "It is made at the first start of a server.");
        }
        Err(e) => return Check::failed(name, format!("{shown}: {e}"), "Give this user access to it."),
    };
    let mode = meta.mode() & 0o777;
    let fix = format!("`chmod 600 {shown}`");
    match mode & 0o077 {
        0 => Check::fine(name, format!("{shown}, mode {mode:04o}")),
        _ if signet_custody::secret_file::is_credential(path) => {
            Check::fine(name, format!("{shown}, presented by systemd to this service alone"))
        }
        _ if refused_when_wide => Check::failed(name, format!("{shown} has mode {mode:04o}: a server refuses it"), fix),
        _ => Check::warning(name, format!("{shown} has mode {mode:04o}: others can read it"), fix),
    }
}
