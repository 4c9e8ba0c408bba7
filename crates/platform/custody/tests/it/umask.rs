//! Field case H29: secrets are 0600 whatever the umask, which belongs to the whole process; so each umask has one of its own.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use signet_crypto::SystemEntropy;
use signet_custody::KeyFileSealer;
use signet_custody::secret_file::{Links, create_new, read, replace};

use crate::mode;

const DIRECTORY: &str = "SIGNET_TEST_DIRECTORY";

#[test]
fn secrets_are_0600_under_every_umask() {
    for umask in ["000", "022", "077", "777"] {
        // Made by this process, since a directory made under umask 777 cannot be entered.
        let directory = tempfile::tempdir().unwrap();
        let output = Command::new("sh")
            .args(["-c", &format!("umask {umask}; exec \"$0\" --exact umask::secrets_are_0600_under_the_umask_of_this_process")])
            .arg(std::env::current_exe().unwrap())
            .env(DIRECTORY, directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "umask {umask}: {said}");
        assert!(directory.path().join("seal.key").exists(), "umask {umask}: the child used another directory");
    }
}

#[test]
fn secrets_are_0600_under_the_umask_of_this_process() {
    let own = tempfile::tempdir().unwrap();
    let directory = std::env::var_os(DIRECTORY).map_or_else(|| own.path().to_owned(), PathBuf::from);
    let at = |name: &str| directory.join(name);
    KeyFileSealer::open_or_create(&at("seal.key"), &SystemEntropy).unwrap();
    create_new(&at("api.key"), b"key").unwrap();
    replace(&at("operator.token"), b"one").unwrap();
    replace(&at("operator.token"), b"two").unwrap();
    for name in ["seal.key", "api.key", "operator.token"] {
        assert_eq!(mode(&at(name)), 0o600, "{name}");
    }
    KeyFileSealer::open(&at("seal.key")).unwrap();
    assert_eq!(read(&at("operator.token"), 64, Links::Refuse).unwrap().expose(), b"two");
}
