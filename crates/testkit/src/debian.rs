//! Where Debian puts the programs that the tests need, and how to install what is missing.

use std::env;
use std::path::{Path, PathBuf};

use crate::TestkitError;

/// The Debian packages that the test suites need, in the order in which they are named to people.
pub const PACKAGES: &[&str] = &["postgresql-15", "nats-server", "python3-venv", "nodejs", "npm", "openssl", "gnutls-bin", "golang-go"];

/// The one line that installs `packages` without starting a service of theirs or making a cluster `main`.
pub fn install_line(packages: &[&str]) -> String {
    format!(
        "sudo sh -c 'mkdir -p /etc/postgresql-common/createcluster.d && echo create_main_cluster = false > \
         /etc/postgresql-common/createcluster.d/no-main.conf && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
         --no-install-recommends {}'",
        packages.join(" ")
    )
}

/// The directory with PostgreSQL's server programs: `SIGNET_POSTGRES_BIN`, else the newest under `/usr/lib/postgresql`.
pub fn postgres_programs() -> Result<PathBuf, TestkitError> {
    if let Some(named) = env::var_os("SIGNET_POSTGRES_BIN") {
        return Ok(PathBuf::from(named));
    }
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    if let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") {
        for entry in entries.flatten() {
            let programs = entry.path().join("bin");
            let version = entry.file_name().to_string_lossy().parse::<u32>();
            if let (Ok(version), true) = (version, programs.join("postgres").is_file() && programs.join("initdb").is_file()) {
                versions.push((version, programs));
            }
        }
    }
    versions.sort();
    versions
        .pop()
        .map(|(_, programs)| programs)
        .ok_or_else(|| TestkitError::NotInstalled { program: "PostgreSQL".into(), install: install_line(&["postgresql-15"]) })
}

/// The NATS server: `SIGNET_NATS_SERVER`, else on the path or in the system's directories.
pub fn nats_program() -> Result<PathBuf, TestkitError> {
    if let Some(named) = env::var_os("SIGNET_NATS_SERVER") {
        return Ok(PathBuf::from(named));
    }
    on_path("nats-server")
        .ok_or_else(|| TestkitError::NotInstalled { program: "nats-server".into(), install: install_line(&["nats-server"]) })
}

/// The Go compiler: on the path, or where the distribution and Go's own archive put it.
pub fn go_program() -> Result<PathBuf, TestkitError> {
    let beside = ["/usr/local/go/bin/go", "/usr/lib/go/bin/go"].into_iter().map(PathBuf::from).find(|file| is_file(file));
    on_path("go").or(beside).ok_or_else(|| TestkitError::NotInstalled { program: "Go".into(), install: install_line(&["golang-go"]) })
}

/// Looks for a program on the path and in the directories that are not on everybody's path.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let extra = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"];
    env::split_paths(&path).chain(extra.iter().map(PathBuf::from)).map(|directory| directory.join(program)).find(|file| is_file(file))
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether this process runs as root: PostgreSQL then runs as the user that its package made.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_install_line_names_every_package_once() {
        let line = install_line(PACKAGES);
        for package in PACKAGES {
            assert_eq!(line.matches(package).count(), 1, "{line}");
        }
        assert!(line.contains("create_main_cluster = false"));
    }

    #[test]
    fn a_shell_is_found_and_nonsense_is_not() {
        assert!(on_path("sh").is_some());
        assert!(on_path("no-such-program-of-ours").is_none());
    }
}
