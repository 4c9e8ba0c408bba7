//! Standard streams that are closed, full or no longer read.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::process::Stdio;

use crate::program::{assert_calm, failed, run, signet};

#[test]
fn a_reader_that_left_ends_the_command_quietly() {
    for args in [&["--help"][..], &["config", "sample"], &["completions", "bash"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = signet(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_calm(&output);
        assert!(matches!(output.status.code(), Some(0 | 141)), "{:?}", output.status);
        assert!(output.stderr.is_empty());
    }
}

#[test]
fn a_full_stdout_is_an_error_and_says_so() {
    for args in [&["--help"][..], &["config", "sample"], &["--version"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = signet(args.iter().copied().chain(["-o", "json"])).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_calm(&output);
        assert_eq!(failed(&output), (1, "output.failed".to_owned()), "{args:?}");
    }
}

#[test]
fn a_stderr_that_takes_nothing_leaves_the_exit_code() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = signet(["tenants"]).stderr(full).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn data_goes_to_stdout_and_errors_to_stderr() {
    let good = run(["config", "show", "-o", "json"]);
    assert!(good.stderr.is_empty() && serde_json::from_slice::<serde_json::Value>(&good.stdout).is_ok());
    let bad = run(["config", "check", "/nonexistent/signet.toml"]);
    assert!(bad.stdout.is_empty());
    let text = String::from_utf8_lossy(&bad.stderr).into_owned();
    for part in ["error: ", "why: ", "fix: ", "see: config.unreadable"] {
        assert!(text.contains(part), "{text}");
    }
    assert!(!text.contains('\u{1b}'), "colour without a terminal");
}

#[test]
fn help_pages_end_with_examples() {
    let mut stdout = String::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("help");
    assert!(signet(["credential", "suspend", "--help"]).stdout(File::create(&path).unwrap()).status().unwrap().success());
    File::open(&path).unwrap().read_to_string(&mut stdout).unwrap();
    assert!(stdout.contains("Example"), "{stdout}");
}
