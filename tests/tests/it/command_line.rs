//! The command line among other programs: pipes that close, odd bytes, files of other editors, tokens with line ends.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use signet_tests::{Deployment, House, Output, Server, run_in, signet_binary};

/// Runs a shell line in which `signet` is the binary.
fn shell(house: &House, line: &str) -> Output {
    let script = format!("set -o pipefail; signet() {{ \"$SIGNET_UNDER_TEST\" \"$@\"; }}; {line}");
    let mut command = Command::new("env");
    command.arg(format!("SIGNET_UNDER_TEST={}", signet_binary().display())).args(["SIGNET_DATA_DIR=d", "bash", "-c"]);
    run_in(command, house.path(), &[], [script], b"")
}

#[test]
fn a_reader_that_leaves_early_is_no_error_and_no_panic() {
    let house = House::open(Deployment::Embedded);
    house.furnish();
    for number in 0..60 {
        house.rest().post("/api/v1/tenants/acme/identities", &serde_json::json!({"name": format!("n{number}"), "kind": "device"}));
    }
    for line in [
        "signet identity list --tenant acme --limit 1000 | head -1",
        "signet --help | true",
        "signet audit list --tenant acme -o json | head -c 10",
        "signet tenant list >&-",
    ] {
        let output = shell(&house, line);
        assert!(!output.stderr.contains("panicked"), "{line}: {}", output.stderr);
        assert!([0, 141, 1].contains(&output.code), "{line}: {output:?}");
        assert!(line.contains(">&-") || output.code != 1, "{line}: {output:?}");
    }
    let full = shell(&house, "signet tenant list > /dev/full");
    assert!(full.code != 0 && !full.stderr.contains("panicked"), "a full disk is an error: {full:?}");
}

#[test]
fn the_server_goes_on_when_the_reader_of_its_first_line_leaves() {
    let house = House::open(Deployment::Embedded);
    let line = "signet up --data-dir other --any-port -o json | head -1 >ready.json & \
                for _ in $(seq 300); do test -s ready.json && break; sleep 0.1; done; sleep 0.5; \
                signet --data-dir other tenant list -o json; code=$?; \
                kill -TERM $(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' ready.json); exit $code";
    let output = shell(&house, line);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.contains("\"default\""), "{output:?}");
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_in_words_or_do_not_matter() {
    let house = House::open(Deployment::Embedded);
    let bad = std::ffi::OsStr::from_bytes(b"\xff");
    let mut command = Command::new(signet_binary());
    command.env("SIGNET_UNRELATED_NOISE", "x").env("NOISE", std::ffi::OsStr::from_bytes(b"\xa3"));
    let alien = run_in(command, house.path(), &[("SIGNET_DATA_DIR", "d")], ["tenant", "list", "-o", "json"], b"");
    alien.exits(0);

    let mut command = Command::new(signet_binary());
    command.args(["identity", "create"]).arg(bad);
    let output = run_in(command, house.path(), &[("SIGNET_DATA_DIR", "d")], ["--tenant", "acme"], b"");
    output.exits(2);
    assert!(output.stderr.contains('3'), "the number of the argument: {}", output.stderr);

    let mut command = Command::new("env");
    command.arg(std::ffi::OsStr::from_bytes(b"SIGNET_TOKEN_FILE=/tmp/\xe4")).arg(signet_binary());
    let output = run_in(command, house.path(), &[], ["--data-dir", "d", "tenant", "list", "-o", "json"], b"");
    assert!(output.code != 0 && output.code != 101 && !output.stderr.contains("panicked"), "{output:?}");

    for locale in ["C", "de_DE.ISO-8859-1"] {
        let mut command = Command::new(signet_binary());
        command.env("LC_ALL", locale);
        run_in(command, house.path(), &[("SIGNET_DATA_DIR", "d")], ["tenant", "list"], b"").exits(0);
    }
}

#[test]
fn a_data_directory_with_an_odd_name_works() {
    use std::ffi::OsStr;
    let house = House::open(Deployment::Embedded);
    let odd = OsStr::from_bytes(b"d\xe4ta dir");
    let arguments = [OsStr::new("up"), OsStr::new("--data-dir"), odd, OsStr::new("--any-port"), OsStr::new("-o"), OsStr::new("json")];
    match Server::try_start(house.path(), "odd", &arguments, &[]) {
        Ok(mut server) => assert!(server.terminate().unwrap().success()),
        Err(why) => assert!(why.contains("data-dir.") && !why.contains("panicked"), "refused in words or working: {why}"),
    }
}

/// Text as editors of another system save it.
fn utf_16(text: &str, big_endian: bool) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn configurations_saved_by_other_editors_are_read_or_refused_by_their_encoding() {
    let house = House::open(Deployment::Embedded);
    let sample = house.run(&["config", "sample"]).exits(0).stdout.clone();
    let check = |content: &[u8]| {
        std::fs::write(house.path().join("edited.toml"), content).unwrap();
        house.run(&["config", "check", "edited.toml", "-o", "json"])
    };
    check(sample.as_bytes()).exits(0);
    check(&[b"\xef\xbb\xbf", sample.replace('\n', "\r\n").as_bytes()].concat()).exits(0);
    for big_endian in [false, true] {
        let output = check(&utf_16(&sample, big_endian));
        output.refused(6, "config.encoding");
        assert!(output.stderr.contains("UTF-16"), "{}", output.stderr);
    }
}

#[test]
fn tokens_may_have_white_space_around_them_and_nothing_else() {
    let house = House::open(Deployment::Embedded);
    let token = std::fs::read_to_string(house.data().join("operator.token")).unwrap().trim().to_owned();
    let with = |content: &[u8]| {
        let file = house.path().join("token");
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        house.run(&["tenant", "list", "--token-file", "token", "-o", "json"])
    };
    for ending in ["", "\n", "\r\n", "\n\n", "  \t\n"] {
        with(format!("{token}{ending}").as_bytes()).exits(0);
    }
    with(format!("\u{feff}{token}\r\n").as_bytes()).exits(0);
    let (start, end) = token.split_at(10);
    let split = with(format!("{start} {end}").as_bytes());
    split.refused(6, "token.malformed");
    assert!(!split.stderr.contains(end), "a token is never shown: {}", split.stderr);
    with(b"").refused(6, "token.empty");
    with(b"\r\n").refused(6, "token.empty");
    let foreign = with(b"sgo_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    foreign.refused(3, "auth.invalid");
    assert!(!foreign.stderr.contains("AAAA"), "{}", foreign.stderr);
    with(&utf_16(&token, false)).exits(6);
}

#[test]
fn secrets_are_created_narrow_whatever_the_umask() {
    let house = House::open(Deployment::Embedded);
    for umask in ["000", "777"] {
        let line = format!(
            "umask {umask}; rm -f ready.json; signet up --data-dir u{umask} --any-port -o json >ready.json & \
             for _ in $(seq 300); do grep -q ready ready.json 2>/dev/null && break; sleep 0.1; done; \
             kill -TERM $(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' ready.json); wait"
        );
        // The shell's own file is made before it narrows itself out of it.
        std::fs::write(house.path().join("ready.json"), "").unwrap();
        let output = shell(&house, &line.replace("rm -f ready.json; ", ""));
        assert_eq!(output.code, 0, "umask {umask}: {output:?}");
        for secret in ["operator.token", "seal.key", "tls/ca.key", "tls/api.key", "signet.db"] {
            let mode = std::fs::metadata(house.path().join(format!("u{umask}")).join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "umask {umask}: {secret} has mode {mode:o}");
        }
    }
}

#[test]
fn every_command_has_help_with_examples_and_unknown_ones_are_usage_errors() {
    let house = House::open(Deployment::Embedded);
    for words in [
        &["up"][..],
        &["serve"],
        &["doctor"],
        &["openapi"],
        &["config", "check"],
        &["config", "show"],
        &["config", "sample"],
        &["tenant", "create"],
        &["tenant", "list"],
        &["tenant", "show"],
        &["identity", "create"],
        &["identity", "list"],
        &["identity", "show"],
        &["identity", "enable"],
        &["identity", "disable"],
        &["credential", "create"],
        &["credential", "list"],
        &["credential", "show"],
        &["credential", "check"],
        &["credential", "suspend"],
        &["credential", "resume"],
        &["credential", "revoke"],
        &["api-token", "create"],
        &["api-token", "list"],
        &["api-token", "revoke"],
        &["audit", "list"],
        &["audit", "show"],
        &["audit", "verify"],
        &["operator", "rotate"],
    ] {
        let help = house.run(&[words, &["--help"]].concat());
        assert_eq!(help.code, 0, "{words:?}: {}", help.stderr);
        assert!(help.stdout.contains("Example"), "{words:?} has no examples:\n{}", help.stdout);
    }
    for wrong in [&["nonsense"][..], &["tenant"], &["tenant", "create"], &["credential", "suspend", "--colour"]] {
        house.run(wrong).exits(2);
    }
}

#[test]
fn the_openapi_document_is_of_version_3_1_without_idioms_of_3_0() {
    let house = House::open(Deployment::Embedded);
    let document = house.run(&["openapi"]).ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    assert!(!document.to_string().contains("\"nullable\""), "null is a type in 3.1");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["operationId"].is_string(), "{method} {path} has no operationId, so generators invent one");
            assert!(operation["responses"].as_object().is_some_and(|answers| answers.len() > 1), "{method} {path} names no refusal");
        }
    }
}
