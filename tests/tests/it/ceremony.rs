//! The ceremony of the root, rehearsed: what it leaves is sound in foreign eyes, verifies, and shows every alteration.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use signet_tests::{Output, run};

fn signet(directory: &Path, arguments: &[&str], stdin: &str) -> Output {
    run(directory, &[], arguments.iter().chain(&["-o", "json"]), stdin.as_bytes())
}

#[track_caller]
fn openssl(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    said
}

#[test]
fn a_ceremony_leaves_a_root_a_platform_authority_and_a_transcript_that_verifies() {
    let scratch = signet_testkit::scratch_dir("ceremony").unwrap();
    let here = scratch.path();
    let made = signet(here, &["ca", "ceremony", "--out", "cer", "--witness", "Key Holder One"], "").ok();
    assert_eq!(made["root"]["subject"], "CN=Signet Root CA", "{made}");
    let dir = here.join("cer");
    assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for key in ["root.key", "platform.key"] {
        assert_eq!(dir.join(key).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{key}");
        openssl(&dir, &["pkey", "-in", key, "-check", "-noout"]);
    }
    openssl(&dir, &["verify", "-x509_strict", "-CAfile", "root.pem", "platform.pem"]);
    let printed = openssl(&dir, &["x509", "-in", "root.pem", "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = printed.trim().rsplit('=').next().unwrap_or_default().to_owned();
    let verdict = signet(here, &["ca", "ceremony", "verify", "cer", "--root-fingerprint", &fingerprint], "").ok();
    assert_eq!((&verdict["ok"], verdict["steps"].as_u64()), (&true.into(), Some(7)), "{verdict}");
    assert_eq!(verdict["root_fingerprint"], made["root"]["fingerprint"]);
    let readme = std::fs::read_to_string(dir.join("README.txt")).unwrap();
    assert!(readme.contains("platform_cert_file") && readme.contains(made["root"]["fingerprint"].as_str().unwrap()), "{readme}");
    let transcript = std::fs::read_to_string(dir.join("transcript.jsonl")).unwrap();
    assert!(transcript.contains("Key Holder One") && !transcript.contains("PRIVATE KEY"), "{transcript}");
    // As it should be: the root's key is carried away, and its absence is no fault.
    std::fs::remove_file(dir.join("root.key")).unwrap();
    signet(here, &["ca", "ceremony", "verify", "cer"], "").exits(0);
    signet(here, &["ca", "ceremony", "--out", "cer"], "").refused(5, "ceremony.exists");
    signet(here, &["ca", "ceremony", "--out", "none/cer"], "").refused(6, "ceremony.unwritable");
    signet(here, &["ca", "ceremony", "verify", "none"], "").refused(6, "ceremony.unreadable");
    assert_eq!(std::fs::read_dir(here).unwrap().count(), 1, "nothing else was left behind");
}

#[test]
fn every_alteration_is_found_and_named() {
    let scratch = signet_testkit::scratch_dir("ceremony").unwrap();
    let here = scratch.path();
    signet(here, &["ca", "ceremony", "--out", "cer"], "").exits(0);
    signet(here, &["ca", "ceremony", "--out", "other"], "").exits(0);
    let read = |name: &str| std::fs::read(here.join("cer").join(name)).unwrap();
    let text = String::from_utf8(read("transcript.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let swapped = text.replacen("p384", "p256", 1);
    let shorter = lines.get(1..).unwrap().join("\n");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("transcript.jsonl", swapped.into_bytes(), "signature"),
        ("transcript.jsonl", shorter.into_bytes(), "signature"),
        ("transcript.sig", b"00".to_vec(), "signature"),
        ("transcript.sig", b"no".to_vec(), "signature"),
        ("README.txt", b"Nothing more to do.\n".to_vec(), "altered"),
        ("platform.key", std::fs::read(here.join("other/platform.key")).unwrap(), "altered"),
        ("platform.pem", std::fs::read(here.join("other/platform.pem")).unwrap(), "altered"),
        ("root.pem", std::fs::read(here.join("other/root.pem")).unwrap(), "signature"),
        ("root.pem", b"-----BEGIN CERTIFICATE-----\n".to_vec(), "certificate"),
    ];
    for (name, content, kind) in cases {
        let before = read(name);
        std::fs::write(here.join("cer").join(name), content).unwrap();
        let verdict = signet(here, &["ca", "ceremony", "verify", "cer"], "");
        assert_eq!((verdict.code, &verdict.json()["kind"]), (8, &kind.into()), "{name}: {}", verdict.stdout);
        std::fs::write(here.join("cer").join(name), before).unwrap();
    }
    std::fs::remove_file(here.join("cer/README.txt")).unwrap();
    assert_eq!(signet(here, &["ca", "ceremony", "verify", "cer"], "").exits(8).json()["kind"], "missing");
    let verdict = signet(here, &["ca", "ceremony", "verify", "other", "--root-fingerprint", "00"], "");
    assert_eq!(verdict.exits(8).json()["kind"], "root");
}

#[test]
fn a_passphrase_seals_the_roots_key_for_every_tool_and_a_short_one_is_refused() {
    let scratch = signet_testkit::scratch_dir("ceremony").unwrap();
    let here = scratch.path();
    signet(here, &["ca", "ceremony", "--out", "cer", "--passphrase-stdin"], "short\n").refused(6, "passphrase.too-short");
    signet(here, &["ca", "ceremony", "--out", "cer", "--root-key", "rsa4096", "--passphrase-stdin"], "six words are easy to keep\n")
        .exits(0);
    let sealed = std::fs::read_to_string(here.join("cer/root.key")).unwrap();
    assert!(sealed.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{sealed}");
    let public = openssl(here, &["pkey", "-in", "cer/root.key", "-passin", "pass:six words are easy to keep", "-pubout"]);
    assert_eq!(public, openssl(here, &["x509", "-in", "cer/root.pem", "-noout", "-pubkey"]));
    signet(here, &["ca", "ceremony", "verify", "cer"], "").exits(0);
}
