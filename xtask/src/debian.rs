//! Finds the Debian packages that the suites need, and as root installs what is missing. It never skips a suite.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use signet_testkit::debian;

/// While this file exists and exits with 101, no package starts its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure that every package is there, or stops with the line that installs it.
pub(crate) fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        println!("PostgreSQL, nats-server, python3-venv, node, npm, openssl, certtool and go are there");
        return Ok(());
    }
    if !debian::is_root() {
        bail!("missing: {}. Not root, so please run:\n\n  {}\n", missing.join(", "), debian::install_line(&missing));
    }
    install(&missing)?;
    let still = self::missing();
    if !still.is_empty() {
        bail!("installed, and still not found: {}", still.join(", "));
    }
    Ok(())
}

fn missing() -> Vec<&'static str> {
    let there = |package: &str| match package {
        "postgresql-15" => debian::postgres_programs().is_ok(),
        "nats-server" => debian::nats_program().is_ok(),
        "nodejs" => debian::on_path("node").is_some(),
        "npm" => debian::on_path("npm").is_some(),
        "openssl" => debian::on_path("openssl").is_some(),
        "gnutls-bin" => debian::on_path("certtool").is_some(),
        "golang-go" => debian::go_program().is_ok(),
        _ => Command::new("python3").args(["-c", "import ensurepip, venv"]).output().is_ok_and(|output| output.status.success()),
    };
    debian::PACKAGES.iter().copied().filter(|package| !there(package)).collect()
}

fn install(packages: &[&str]) -> Result<()> {
    println!("installing {}", packages.join(", "));
    let _policy = StartNothing::begin()?;
    let settings = Path::new("/etc/postgresql-common/createcluster.d");
    fs::create_dir_all(settings)?;
    fs::write(settings.join("no-main.conf"), "create_main_cluster = false\n")?;
    apt(&["update", "-q"])?;
    let mut arguments = vec!["install", "-q", "-y", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}

fn apt(arguments: &[&str]) -> Result<()> {
    let output = Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").output().context("apt-get")?;
    if output.status.success() {
        return Ok(());
    }
    bail!("apt-get {} failed: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr))
}

/// Our policy file, removed again when dropped, also when the installation fails. Somebody else's is left alone.
struct StartNothing {
    ours: bool,
}

impl StartNothing {
    fn begin() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").context(POLICY)?;
        let guard = Self { ours: true };
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).context(POLICY)?;
        Ok(guard)
    }
}

impl Drop for StartNothing {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = fs::remove_file(POLICY)
        {
            eprintln!("could not remove {POLICY}, which keeps services from starting: {error}");
        }
    }
}
