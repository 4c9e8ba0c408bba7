//! Arguments and variables that are no text, or no sense.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use crate::program::{assert_calm, error, failed, run, signet};

fn bytes(text: &[u8]) -> OsString {
    OsString::from_vec(text.to_vec())
}

#[test]
fn an_argument_that_is_no_text_is_refused_by_its_number() {
    let args = [bytes(b"identity"), bytes(b"create"), bytes(b"\xff"), bytes(b"-o"), bytes(b"json")];
    let output = run(args);
    assert_eq!(failed(&output), (2, "usage".to_owned()));
    assert!(error(&output)["detail"].as_str().unwrap().contains("argument 3 "));
}

#[test]
fn variables_that_are_no_text_are_ignored_unless_they_are_ours() {
    let dir = tempfile::tempdir().unwrap();
    let alien = signet(["tenant", "list", "-o", "json"]).current_dir(&dir).env("BAD", bytes(b"\xa3")).output().unwrap();
    assert_eq!(failed(&alien), (7, "server.unreachable".to_owned()));
    let odd_path = signet(["tenant", "list", "-o", "json", "--server", "https://127.0.0.1:1"])
        .current_dir(&dir)
        .env("SIGNET_TOKEN_FILE", bytes(b"/tmp/\xe4"))
        .output()
        .unwrap();
    assert_eq!(failed(&odd_path), (6, "token.unreadable".to_owned()));
    let odd_text = signet(["tenant", "list", "-o", "json"]).current_dir(&dir).env("SIGNET_TENANT", bytes(b"\xe4")).output().unwrap();
    assert_eq!(failed(&odd_text).0, 2);
    let odd_setting = signet(["config", "show", "-o", "json"]).current_dir(&dir).env("SIGNET_NATS__USER", bytes(b"\xe4")).output().unwrap();
    assert_eq!(failed(&odd_setting), (6, "config.value-invalid".to_owned()));
}

#[test]
fn foreign_locales_change_nothing() {
    for locale in ["C", "de_DE.ISO-8859-1", "xx_YY"] {
        let output = signet(["config", "show"]).env("LC_ALL", locale).output().unwrap();
        assert_calm(&output);
        assert!(output.status.success(), "{locale}");
    }
}

#[test]
fn a_wrong_command_line_exits_with_two_in_both_forms() {
    for args in [&["tenants"][..], &["tenant"], &["credential", "suspend"], &["api-token", "create", "--role", "king", "--expires", "1d"]] {
        let output = run(args.iter().copied().chain(["-o", "json"]));
        assert_eq!(failed(&output), (2, "usage".to_owned()), "{args:?}");
        let plain = run(args);
        assert_eq!(plain.status.code(), Some(2));
        assert!(plain.stdout.is_empty() && String::from_utf8_lossy(&plain.stderr).contains("see: usage"));
    }
}

#[test]
fn what_cannot_be_undone_wants_a_yes() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), "sgo_x").unwrap();
    let args = ["credential", "revoke", "00000000000000000000", "--server", "https://127.0.0.1:1", "--token-file", "token", "-o", "json"];
    let asked = signet(args).current_dir(&dir).output().unwrap();
    assert_eq!(failed(&asked), (2, "confirmation.required".to_owned()));
    let consented = signet(args).current_dir(&dir).env("SIGNET_YES", "1").output().unwrap();
    assert_eq!(failed(&consented), (7, "server.unreachable".to_owned()));
}

#[test]
fn a_password_comes_from_somewhere_and_never_from_an_argument() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), "sgo_x").unwrap();
    let args = ["credential", "check", "bob@acme", "--server", "https://127.0.0.1:1", "--token-file", "token", "-o", "json"];
    let none = signet(args).current_dir(&dir).output().unwrap();
    assert_eq!(failed(&none), (2, "secret.missing".to_owned()));
    let by_variable = signet(args).current_dir(&dir).env("SIGNET_PASSWORD", "pw").output().unwrap();
    assert_eq!(failed(&by_variable), (7, "server.unreachable".to_owned()));
    let missing = signet(args.iter().copied().chain(["--password-file", "absent"])).current_dir(&dir).output().unwrap();
    assert_eq!(failed(&missing), (6, "secret.unreadable".to_owned()));
}
