//! The real `openssl` as the other side.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory for one test's files.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Runs `openssl` and returns its output, failing the test when it fails.
pub(crate) fn openssl(arguments: &[&str], files: &[(&str, &Path)]) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments);
    for (option, file) in files {
        if !option.is_empty() {
            command.arg(option);
        }
        command.arg(file);
    }
    let output = command.output().unwrap_or_else(|e| panic!("openssl does not run ({e}): apt-get install openssl"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}
