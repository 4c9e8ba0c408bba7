//! Running the built program.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program with an environment of its own: nothing of the caller's `SIGNET_…` reaches it.
pub(crate) fn signet<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signet"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"SIGNET_") {
            command.env_remove(name);
        }
    }
    command.args(args).stdin(Stdio::null()).env("NO_COLOR", "1");
    command
}

/// Runs it to its end.
pub(crate) fn run<I: AsRef<OsStr>>(args: impl IntoIterator<Item = I>) -> Output {
    signet(args).output().unwrap()
}

/// The error object on stderr.
pub(crate) fn error(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no JSON on stderr: {text}"));
    serde_json::from_str::<Value>(line).unwrap()["error"].clone()
}

/// Exit code and reason of a command that failed with `-o json`.
pub(crate) fn failed(output: &Output) -> (i32, String) {
    (output.status.code().unwrap_or(-1), error(output)["reason"].as_str().unwrap_or_default().to_owned())
}

/// No trace of a panic.
pub(crate) fn assert_calm(output: &Output) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("panicked") && output.status.code() != Some(101), "{text}");
}
