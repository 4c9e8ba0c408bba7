//! Configuration files and variables, as `signet config` judges them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::{error, failed, run, signet};

#[test]
fn the_sample_checks_and_shows_as_the_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let sample = run(["config", "sample"]);
    assert!(sample.status.success());
    std::fs::write(dir.path().join("signet.toml"), &sample.stdout).unwrap();
    assert!(signet(["config", "check", "signet.toml"]).current_dir(&dir).output().unwrap().status.success());
    let with = signet(["config", "show", "--config", "signet.toml", "-o", "json"]).current_dir(&dir).output().unwrap();
    let without = signet(["config", "show", "-o", "json"]).current_dir(&dir).output().unwrap();
    assert_eq!(with.stdout, without.stdout);
    let shown: Value = serde_json::from_slice(&with.stdout).unwrap();
    assert_eq!(
        (&shown["listen"]["api"], &shown["password"]["bcrypt_cost"], &shown["nats"]["url"]),
        (&"127.0.0.1:7443".into(), &10.into(), &Value::Null)
    );
}

#[test]
fn an_unknown_key_is_refused_with_file_line_and_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), "\nrolez = [\"api\"]\n").unwrap();
    let output = signet(["config", "check", "bad.toml", "-o", "json"]).current_dir(&dir).output().unwrap();
    assert_eq!(failed(&output), (6, "config.unknown-key".to_owned()));
    let detail = error(&output)["detail"].to_string();
    assert!(detail.contains("bad.toml:2") && detail.contains("`roles`"), "{detail}");
}

#[test]
fn files_of_windows_tools_are_read_or_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = "\u{feff}roles = [\"api\"]\r\n";
    let wide: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = wide.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for (bytes, code, reason) in [
        (text.as_bytes(), 0, ""),
        (&little, 6, "config.encoding"),
        (&big, 6, "config.encoding"),
        (&b"roles = \xff"[..], 6, "config.encoding"),
    ] {
        std::fs::write(dir.path().join("signet.toml"), bytes).unwrap();
        let output = signet(["config", "check", "signet.toml", "-o", "json"]).current_dir(&dir).output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        if code != 0 {
            assert_eq!(failed(&output).1, reason);
        }
    }
}

#[test]
fn the_environment_wins_over_the_file_and_unknown_names_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("signet-data")).unwrap();
    std::fs::write(dir.path().join("signet-data/signet.toml"), "[password]\nbcrypt_cost = 5\n[listen]\napi = \"127.0.0.1:1\"\n").unwrap();
    let show = |name: &str, value: &str| signet(["config", "show", "-o", "json"]).current_dir(&dir).env(name, value).output().unwrap();
    let shown: Value = serde_json::from_slice(&show("SIGNET_LISTEN__API", "127.0.0.1:2").stdout).unwrap();
    assert_eq!((&shown["listen"]["api"], &shown["password"]["bcrypt_cost"]), (&"127.0.0.1:2".into(), &5.into()));
    let unknown = show("SIGNET_LISTEN__APY", "x");
    assert_eq!(failed(&unknown), (6, "config.unknown-key".to_owned()));
    assert!(error(&unknown)["detail"].to_string().contains("SIGNET_LISTEN__API"));
    assert!(show("SIGNET_SOMETHING_ELSE", "x").status.success());
}

#[test]
fn passwords_in_urls_are_never_shown() {
    let output = signet(["config", "show"]).env("SIGNET_DATABASE__URL", "postgres://u:topsecret@h/d").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("postgres://u:***@h/d") && !text.contains("topsecret"), "{text}");
}

/// A self-signed authority `NAME.pem` with its key `NAME.key`, by OpenSSL.
fn authority(dir: &Path, name: &str, more: &[&str]) {
    use std::os::unix::fs::PermissionsExt as _;
    let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=platform"];
    let made =
        Command::new("openssl").args(new).args(["-keyout", &key, "-out", &certificate]).args(more).current_dir(dir).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    std::fs::set_permissions(dir.join(key), std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn files_of_the_platform_s_authority_are_judged_where_they_are_there_and_the_doctor_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-days"];
    authority(dir.path(), "good", &[&usage[..], &["1000"]].concat());
    authority(dir.path(), "soon", &[&usage[..], &["10"]].concat());
    authority(dir.path(), "short", &[&usage[..], &["1000", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0"]].concat());
    authority(dir.path(), "unfit", &["-addext", "keyUsage=critical,digitalSignature", "-days", "1000"]);
    std::fs::create_dir(dir.path().join("d")).unwrap();
    for (certificate, key, reason) in [
        ("good", "good", ""),
        ("nowhere", "good", ""),
        ("soon", "soon", "ca.expires-too-soon"),
        ("short", "short", "ca.pathlen-too-short"),
        ("unfit", "unfit", "certificate.not-an-authority"),
        ("good", "soon", "certificate.key-mismatch"),
    ] {
        let text = format!("[authority]\nplatform_cert_file = \"{certificate}.pem\"\nplatform_key_file = \"{key}.key\"\n");
        std::fs::write(dir.path().join("d/signet.toml"), text).unwrap();
        let output = signet(["config", "check", "d/signet.toml", "-o", "json"]).current_dir(&dir).output().unwrap();
        let doctor = signet(["doctor", "--data-dir", "d", "-o", "json"]).current_dir(&dir).output().unwrap();
        let doctor: Value = serde_json::from_slice(&doctor.stdout).unwrap();
        if reason.is_empty() {
            assert!(output.status.success(), "{certificate}: {}", String::from_utf8_lossy(&output.stderr));
        } else {
            assert_eq!(failed(&output), (6, reason.to_owned()));
            let fault = error(&output)["detail"].as_str().unwrap().to_owned();
            assert!(fault.contains(&format!("{certificate}.pem")) || fault.contains(&format!("{key}.key")), "{fault}");
            assert!(doctor.to_string().contains(&format!("{reason}: ")), "{doctor}");
        }
    }
}
