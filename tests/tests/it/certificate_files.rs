//! Files that hold certificates, requests and lists, as other tools write them: explained, linted and verified without a server, and
//! issued from, whatever their form.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use signet_tests::{Deployment, House, Output, Plan, run};

/// The files of the field cases that `pki` keeps.
fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/base/pki/tests/data").join(name)
}

fn signet(directory: &Path, arguments: &[&str]) -> Output {
    run(directory, &[], arguments.iter().chain(&["-o", "json"]), b"")
}

#[track_caller]
fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Root, authority and leaf of a ceremony and of OpenSSL, in `directory`.
fn chain(directory: &Path) {
    signet(directory, &["ca", "ceremony", "--out", "cer"]).exits(0);
    openssl(
        directory,
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "k",
            "-out",
            "l.csr",
            "-subj",
            "/CN=leaf",
        ],
    );
    std::fs::write(directory.join("ext"), "extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n").unwrap();
    let sign = [
        "x509",
        "-req",
        "-in",
        "l.csr",
        "-CA",
        "cer/platform.pem",
        "-CAkey",
        "cer/platform.key",
        "-days",
        "30",
        "-extfile",
        "ext",
        "-out",
        "leaf.pem",
    ];
    openssl(directory, &sign);
}

#[test]
fn any_file_is_shown_with_what_it_holds() {
    let scratch = signet_testkit::scratch_dir("files").unwrap();
    let here = scratch.path();
    chain(here);
    openssl(here, &["x509", "-in", "leaf.pem", "-outform", "DER", "-out", "leaf.der"]);
    openssl(
        here,
        &["crl2pkcs7", "-nocrl", "-certfile", "leaf.pem", "-certfile", "cer/platform.pem", "-outform", "DER", "-out", "both.p7b"],
    );
    let both = [std::fs::read(here.join("leaf.pem")).unwrap(), std::fs::read(here.join("cer/root.pem")).unwrap()].concat();
    std::fs::write(here.join("two.pem"), both).unwrap();
    for (file, kinds) in [
        ("leaf.pem", &["certificate"][..]),
        ("leaf.der", &["certificate"]),
        ("two.pem", &["certificate", "certificate"]),
        ("l.csr", &["certificate-request"]),
        ("both.p7b", &["pkcs7"]),
        ("cer/platform.key", &["private-key"]),
    ] {
        let shown = signet(here, &["cert", "show", file]).ok();
        let seen: Vec<&str> = shown["objects"].as_array().unwrap().iter().map(|object| object["kind"].as_str().unwrap()).collect();
        assert_eq!(seen, kinds, "{file}: {shown}");
    }
    let text = run(here, &[], ["cert", "show", "leaf.pem"], b"");
    assert!(text.exits(0).stdout.contains("leaf") && text.stdout.starts_with("1. certificate"), "{}", text.stdout);
    let piped = run(here, &[], ["cert", "show", "-", "-o", "json"], &std::fs::read(here.join("leaf.der")).unwrap());
    assert_eq!(piped.ok()["objects"].as_array().map(Vec::len), Some(1));
    signet(here, &["cert", "show", "cer/README.txt"]).exits(6);
    signet(here, &["cert", "show", "nothing.pem"]).refused(6, "file.unreadable");
}

#[test]
fn what_a_server_shows_is_shown() {
    let house = House::open(Deployment::Embedded);
    let address = house.server().listener("api").to_string();
    let shown = house.run(&["cert", "show", &address, "-o", "json"]).ok();
    assert_eq!(shown["objects"][0]["kind"], "certificate", "{shown}");
    let plain = house.server().listener("management").to_string();
    house.run(&["cert", "show", &plain, "-o", "json"]).refused(7, "server.unreachable");
}

#[test]
fn a_chain_is_verified_with_the_true_fault_named() {
    let scratch = signet_testkit::scratch_dir("files").unwrap();
    let here = scratch.path();
    chain(here);
    let verify = |more: &[&str]| signet(here, &[&["cert", "verify", "leaf.pem", "--anchors", "cer/root.pem"], more].concat());
    let verdict = |output: Output, code: i32, reason: &str| {
        assert_eq!((output.code, output.reason().as_str()), (code, reason), "{} {}", output.stdout, output.stderr);
    };
    verdict(verify(&["--untrusted", "cer/platform.pem"]), 0, "");
    verdict(verify(&[]), 8, "chain.unknown-issuer");
    verdict(verify(&["--untrusted", "cer/platform.pem", "--purpose", "server"]), 8, "chain.purpose");
    verdict(verify(&["--untrusted", "cer/platform.pem", "--at", "2099-01-01T00:00:00Z"]), 8, "chain.expired");
    signet(here, &["ca", "ceremony", "--out", "other"]).exits(0);
    verdict(verify(&["--untrusted", "other/platform.pem"]), 8, "chain.other-key");
}

#[test]
fn a_certificate_is_linted_by_rule() {
    let scratch = signet_testkit::scratch_dir("files").unwrap();
    let here = scratch.path();
    chain(here);
    let good = signet(here, &["cert", "lint", "cer/root.pem", "--profile", "root"]).ok();
    assert_eq!((&good["ok"], good["items"].as_array().map(Vec::len)), (&true.into(), Some(0)), "{good}");
    let other = signet(here, &["cert", "lint", "leaf.pem", "--profile", "server", "--issuer", "cer/platform.pem"]).exits(8).json();
    assert!(other["items"].as_array().unwrap().iter().any(|item| item["severity"] == "error"), "{other}");
}

#[test]
fn dates_that_break_the_rules_are_shown_and_linted_by_name() {
    let scratch = signet_testkit::scratch_dir("files").unwrap();
    for name in ["time-with-fraction.der", "time-without-seconds.der", "time-with-offset.der"] {
        let file = case(&format!("cert/{name}"));
        let file = file.to_str().unwrap();
        let shown = signet(scratch.path(), &["cert", "show", file]).ok();
        assert!(!shown["objects"][0]["faults"].as_array().unwrap().is_empty(), "{name}: {shown}");
        signet(scratch.path(), &["cert", "lint", file]).exits(8);
    }
}

#[test]
fn requests_of_every_form_issue_the_same() {
    let house = House::open(Deployment::Embedded);
    house.furnish();
    house.acme(&["identity", "create", "field", "--kind", "device"]).exits(0);
    let mut keys: Vec<Value> = Vec::new();
    for name in ["pem-new-crlf.pem", "pem-bom.pem", "pem-no-final-newline.pem", "pem-one-line.pem"] {
        let file = case(&format!("csr/{name}"));
        let issue = ["cert", "issue", "--csr", file.to_str().unwrap(), "--common-name", "field", "--identity", "field"];
        let made = house.acme(&[&issue[..], &["--out-cert", name]].concat()).ok();
        let piped = house.acme_with(
            &["cert", "issue", "--csr", "-", "--common-name", "field", "--identity", "field"],
            &String::from_utf8(std::fs::read(&file).unwrap()).unwrap(),
        );
        assert!(piped.ok()["chain"].as_str().unwrap().contains("BEGIN CERTIFICATE"), "{name}");
        let shown = house.acme(&["cert", "show", made["id"].as_str().unwrap()]).ok();
        keys.push(shown["spki_sha256"].clone());
    }
    keys.dedup();
    assert_eq!(keys.len(), 1, "one key in all of them: {keys:?}");
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found)
        } else if path.is_file() {
            found.push(path)
        }
    }
}

/// What tools put into requests beside the wish (field cases A05, A06): passed over, listed, and kept nowhere.
#[test]
fn attributes_of_windows_and_a_challenge_password_are_left_out_and_stored_nowhere() {
    let mut house = Plan::of(Deployment::Embedded).setting("SIGNET_LOG__LEVEL", "debug").open();
    house.furnish();
    for (csr, out) in [("windows-certreq.pem", "windows.pem"), ("challenge-password-bmp.der", "challenge.pem")] {
        let file = case(&format!("csr/{csr}"));
        let issue = ["cert", "issue", "--csr", file.to_str().unwrap(), "--common-name", "dev-1", "--identity", "dev-1", "--out-cert", out];
        let made = house.acme(&issue).ok();
        assert!(made["ignored"].as_array().is_some_and(|ignored| !ignored.is_empty()), "{csr}: {made}");
        house.run(&["cert", "show", file.to_str().unwrap(), "-o", "json"]).exits(0);
    }
    house.stop();
    let utf16 = |order: fn(u16) -> [u8; 2]| "canary-geheim".encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let wanted = [b"canary-geheim".to_vec(), utf16(u16::to_be_bytes), utf16(u16::to_le_bytes)];
    let holds = |content: &[u8]| wanted.iter().any(|text| content.windows(text.len()).any(|window| window == text));
    assert!(holds(&std::fs::read(case("csr/challenge-password-bmp.der")).unwrap()), "the request holds it");
    let mut files = Vec::new();
    files_below(house.path(), &mut files);
    assert!(files.iter().any(|file| file.ends_with("server.log")) && files.iter().any(|file| file.ends_with("signet.db")), "{files:?}");
    for file in files {
        assert!(!holds(&std::fs::read(&file).unwrap()), "{}", file.display());
    }
}

#[test]
fn every_spelling_of_a_serial_number_finds_it() {
    let house = House::open(Deployment::Embedded);
    house.furnish();
    let make =
        ["cert", "issue", "--generate-key", "p256", "--common-name", "dev-1", "--identity", "dev-1", "--out-key", "k", "--out-cert", "c"];
    let made = house.acme(&make).ok();
    let (decimal, hex) = (made["serial"].as_str().unwrap(), made["serial_hex"].as_str().unwrap());
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    let colons = pairs.join(":");
    for spelling in
        [decimal.to_owned(), format!("0x{hex}"), colons.clone(), colons.to_uppercase(), colons.trim_start_matches('0').to_owned()]
    {
        let decision = house.run(&["cert", "check", "--issuer", "/CN=acme", "--serial", &spelling, "-o", "json"]);
        assert_eq!(decision.exits(0).json()["serial"], decimal, "{spelling}");
        let found = house.acme(&["cert", "list", "--serial", &spelling]).ok();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "{spelling}: {found}");
    }
}

#[test]
fn lists_answer_head_as_get_without_a_body() {
    let house = House::open(Deployment::Embedded);
    house.furnish();
    let make =
        ["cert", "issue", "--generate-key", "p256", "--common-name", "dev-1", "--identity", "dev-1", "--out-key", "k", "--out-cert", "c"];
    house.acme(&make).exits(0);
    let printed =
        Command::new("openssl").args(["x509", "-in", "c", "-noout", "-ext", "crlDistributionPoints"]).current_dir(house.path()).output();
    let printed = String::from_utf8(printed.unwrap().stdout).unwrap();
    let url = printed.lines().find_map(|line| line.trim().strip_prefix("URI:")).unwrap();
    let head = Command::new("curl").args(["-sI", url]).output().unwrap().stdout;
    let head = String::from_utf8(head).unwrap().to_lowercase();
    assert!(
        head.starts_with("http/1.1 200") && head.contains("content-type: application/pkix-crl") && head.contains("cache-control:"),
        "{head}"
    );
}
