//! The walk of certificates, row by row: a client's certificate from issue to revocation, looked at with foreign eyes, on both
//! deployments.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use signet_tests::{Deployment, House};

#[test]
fn a_certificate_lives_from_issue_to_revocation_on_the_embedded_default() {
    let mut house = House::open(Deployment::Embedded);
    walk(&house);
    house.stop();
}

#[test]
fn a_certificate_lives_from_issue_to_revocation_on_postgresql_and_nats() {
    let mut house = House::open(Deployment::Production);
    walk(&house);
    house.stop();
}

fn walk(house: &House) {
    house.furnish();
    house.acme(&["identity", "create", "d2", "--kind", "device"]).exits(0);
    rows_1_to_11(house, "software");
    row_12_an_authority_is_rotated_in_order(house);
    row_13_the_inventory_answers(house);
}

/// From the authority of a tenant to the key that is refused for good, wherever the authority's key is.
pub(crate) fn rows_1_to_11(house: &House, custody: &str) {
    rows_1_and_2_a_tenant_has_an_authority_and_its_anchor_is_printed(house, custody);
    let made = row_3_a_request_becomes_a_certificate(house);
    row_4_foreign_verifiers_agree(house);
    row_5_a_key_that_is_made_goes_to_a_file_of_its_owner_and_over_nothing(house);
    row_6_bad_requests_are_refused_by_name_and_leave_nothing(house);
    a_server_takes_the_certificate(house);
    rows_7_to_10_lists_ocsp_and_check_agree(house, &made);
    row_11_a_compromised_key_is_refused_for_good(house, &made);
}

/// A certificate as the tests remember it.
struct Made {
    id: String,
    serial: String,
}

pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

/// Runs a foreign program in the house's directory; its output, standard error behind standard output.
#[track_caller]
fn foreign(house: &House, program: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(program).args(arguments).current_dir(house.path()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[track_caller]
pub(crate) fn openssl(house: &House, arguments: &[&str]) -> String {
    let (ok, said) = foreign(house, "openssl", arguments);
    assert!(ok, "openssl {arguments:?}: {said}");
    said
}

fn rows_1_and_2_a_tenant_has_an_authority_and_its_anchor_is_printed(house: &House, custody: &str) {
    let shown = house.acme(&["ca", "show"]).ok();
    assert_eq!((&shown["generation"], text(&shown, "state"), text(&shown, "subject")), (&1.into(), "active", "CN=acme"), "{shown}");
    assert_eq!(text(&shown, "custody"), custody);
    let one = house.run(&["ca", "bundle", "--tenant", "acme"]);
    assert_eq!(one.exits(0).stdout.matches("BEGIN CERTIFICATE").count(), 1, "{}", one.stdout);
    std::fs::write(house.path().join("a.pem"), &one.stdout).unwrap();
    let both = house.run(&["ca", "bundle", "--tenant-cas", "--tenant", "acme"]);
    assert_eq!(both.exits(0).stdout.matches("BEGIN CERTIFICATE").count(), 2, "{}", both.stdout);
    std::fs::write(house.path().join("both.pem"), &both.stdout).unwrap();
}

/// A new P-256 key and a request for it.
pub(crate) fn request(house: &House, name: &str) {
    let (key, csr, subject) = (format!("{name}.key"), format!("{name}.csr"), format!("/CN={name}"));
    let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    openssl(house, &[&new[..], &["-keyout", &key, "-out", &csr, "-subj", &subject]].concat());
}

fn row_3_a_request_becomes_a_certificate(house: &House) -> Made {
    request(house, "dev-1");
    let issue = ["cert", "issue", "--csr", "dev-1.csr", "--identity", "dev-1", "--out-cert", "c.pem"];
    let made = house.acme(&issue).ok();
    assert_eq!((text(&made, "issuer"), text(&made, "state")), ("CN=acme", "Inactive"), "{made}");
    let (serial, hex) = (text(&made, "serial"), text(&made, "serial_hex"));
    assert!(serial.bytes().all(|b| b.is_ascii_digit()) && !hex.is_empty() && !text(&made, "not_after").is_empty(), "{made}");
    let printed = openssl(house, &["x509", "-in", "c.pem", "-noout", "-serial"]);
    assert_eq!(printed.trim().to_lowercase().trim_start_matches("serial=").trim_start_matches('0'), hex.trim_start_matches('0'));
    // The leaf and the tenant's authority; there is no root above the platform's.
    let chain = std::fs::read_to_string(house.path().join("c.pem")).unwrap();
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 2);
    house.acme(&issue).refused(5, "file.exists");
    Made { id: text(&made, "id").to_owned(), serial: serial.to_owned() }
}

fn row_4_foreign_verifiers_agree(house: &House) {
    let said = openssl(house, &["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "a.pem", "-untrusted", "c.pem", "c.pem"]);
    assert!(said.contains("OK"), "{said}");
    let (ok, said) = foreign(house, "certtool", &["--verify", "--load-ca-certificate", "a.pem", "--infile", "c.pem"]);
    assert!(ok && said.contains("Chain verification output: Verified"), "{said}");
    // Only the run of all tests builds it; whoever runs this one alone has OpenSSL and GnuTLS.
    if let Ok(verifier) = std::env::var("SIGNET_GO_VERIFIER") {
        let (ok, said) = foreign(house, &verifier, &["a.pem", "c.pem"]);
        assert!(ok, "{said}");
    }
}

fn row_5_a_key_that_is_made_goes_to_a_file_of_its_owner_and_over_nothing(house: &House) {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let make = |key: &str, cert: &str| {
        let all =
            ["cert", "issue", "--generate-key", "p256", "--common-name", "d2", "--identity", "d2", "--out-key", key, "--out-cert", cert];
        house.acme(&all)
    };
    let made = make("k.pem", "d.pem").ok();
    assert!(!made.to_string().contains("PRIVATE KEY"), "{made}");
    assert_eq!(house.path().join("k.pem").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let key = openssl(house, &["pkey", "-in", "k.pem", "-pubout"]);
    assert_eq!(openssl(house, &["x509", "-in", "d.pem", "-noout", "-pubkey"]), key, "the certificate is for the key that was made");
    let before = count(house);
    make("k.pem", "d.pem").refused(5, "file.exists");
    symlink("nowhere", house.path().join("link.pem")).unwrap();
    make("link.pem", "e.pem").refused(5, "file.exists");
    make("none/k.pem", "e.pem").refused(6, "file.unwritable");
    house.acme(&["cert", "issue", "--generate-key", "p256", "--identity", "d2", "--out-cert", "e.pem"]).refused(2, "usage");
    assert_eq!(count(house), before, "what could not be kept was not issued");
}

/// How many certificates the tenant has.
#[track_caller]
fn count(house: &House) -> usize {
    let list = house.acme(&["cert", "list", "--all"]).ok();
    list["items"].as_array().map_or(0, Vec::len)
}

fn row_6_bad_requests_are_refused_by_name_and_leave_nothing(house: &House) {
    let before = count(house);
    let weak = ["req", "-new", "-newkey", "rsa:512", "-nodes", "-keyout", "w.key", "-out", "weak.csr", "-subj", "/CN=weak"];
    openssl(house, &weak);
    let evil = ["req", "-new", "-key", "dev-1.key", "-subj", "/CN=evil", "-addext", "basicConstraints=critical,CA:TRUE", "-out", "ca.csr"];
    openssl(house, &evil);
    let names: Vec<String> = (0..10_000).map(|n| format!("URI:urn:x:{n}")).collect();
    let many = format!("[req]\ndistinguished_name=dn\nreq_extensions=e\n[dn]\n[e]\nsubjectAltName={}\n", names.join(","));
    std::fs::write(house.path().join("many.cnf"), many).unwrap();
    openssl(house, &["req", "-new", "-key", "dev-1.key", "-subj", "/CN=many", "-config", "many.cnf", "-out", "many.csr"]);
    spoil_signature(house.path(), &openssl(house, &["req", "-in", "dev-1.csr", "-outform", "PEM"]));
    for (csr, reason) in
        [("weak.csr", "key.weak"), ("ca.csr", "csr.ca-requested"), ("many.csr", "csr.too-many-names"), ("bad.csr", "csr.bad-signature")]
    {
        house.acme(&["cert", "issue", "--csr", csr, "--identity", "dev-1", "--out-cert", "bad.pem"]).refused(6, reason);
        assert!(!house.path().join("bad.pem").exists(), "{csr}");
    }
    assert_eq!(count(house), before);
}

/// The request with the last byte of its signature changed, as DER in `bad.csr`.
fn spoil_signature(directory: &Path, _pem: &str) {
    let der = Command::new("openssl").args(["req", "-in", "dev-1.csr", "-outform", "DER"]).current_dir(directory).output().unwrap();
    let mut der = der.stdout;
    *der.last_mut().unwrap() ^= 1;
    std::fs::write(directory.join("bad.csr"), der).unwrap();
}

/// A TLS server of OpenSSL's that wants a client's certificate takes ours, and none without one.
fn a_server_takes_the_certificate(house: &House) {
    use std::io::{BufRead as _, BufReader};
    let serving = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "s.key", "-out", "s.pem"];
    openssl(house, &[&serving[..], &["-subj", "/CN=localhost"]].concat());
    let mut command = signet_testkit::process::bound_to_us("KILL", "openssl");
    let arguments = ["s_server", "-accept", "127.0.0.1:0", "-key", "s.key", "-cert", "s.pem", "-CAfile", "a.pem", "-verify_return_error"];
    command.args(arguments).args(["-Verify", "3", "-www"]).current_dir(house.path());
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
    let mut server = signet_testkit::process::spawn(command).unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let accepting = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT ").map(str::to_owned));
    let address = accepting.expect("the server says where it listens");
    let connect = |extra: &[&str]| {
        // Under TLS 1.3 a client hears of its refusal only when it reads.
        let script = r#"printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -quiet -connect "$0" "$@" 2>/dev/null"#;
        let output = Command::new("sh").args(["-c", script, &address]).args(extra).current_dir(house.path()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let taken = connect(&["-cert", "c.pem", "-cert_chain", "c.pem", "-key", "dev-1.key"]);
    let refused = connect(&[]);
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(taken.contains("HTTP/1.0 200") && taken.contains("dev-1"), "{taken}");
    assert!(!refused.contains("HTTP/1.0 200"), "{refused}");
}

/// The decision about a certificate, as a gateway would get it.
fn check(house: &House, serial: &str) -> signet_tests::Output {
    house.run(&["cert", "check", "--issuer", "CN=acme", "--serial", serial, "-o", "json"])
}

fn rows_7_to_10_lists_ocsp_and_check_agree(house: &House, made: &Made) {
    let allowed = check(house, &made.serial).ok();
    assert_eq!((&allowed["allowed"], text(&allowed, "state")), (&true.into(), "Active"), "{allowed}");
    assert_eq!(ocsp(house), "good");
    let moved = house.acme(&["cert", "suspend", &made.id]).ok();
    assert_eq!(text(&moved, "state"), "Suspended");
    check(house, &made.serial).refused(3, "credential.suspended");
    within_a_second("on hold on the list", || on_list(house, &made.serial).is_some_and(|reason| reason.contains("Certificate Hold")));
    assert_eq!(ocsp(house), "revoked");
    house.acme(&["cert", "resume", &made.id]).exits(0);
    check(house, &made.serial).exits(0);
    assert_eq!(ocsp(house), "good");
    within_a_second("off the list", || on_list(house, &made.serial).is_none());
}

fn row_11_a_compromised_key_is_refused_for_good(house: &House, made: &Made) {
    house.acme(&["cert", "revoke", &made.id, "--reason", "keyCompromise"]).refused(2, "confirmation.required");
    // Another one over the same key goes with it.
    let twin = house.acme(&["cert", "issue", "--csr", "dev-1.csr", "--identity", "dev-1", "--out-cert", "twin.pem"]).ok();
    house.acme(&["cert", "revoke", &made.id, "--reason", "superseded", "--yes"]).exits(0);
    check(house, text(&twin, "serial")).exits(0);
    house.acme(&["cert", "revoke", &made.id, "--reason", "keyCompromise", "--yes"]).exits(0);
    check(house, text(&twin, "serial")).refused(3, "credential.revoked");
    house.acme(&["cert", "resume", &made.id]).refused(5, "credential.illegal-transition");
    check(house, &made.serial).refused(3, "credential.revoked");
    assert_eq!(ocsp(house), "revoked");
    within_a_second("revoked on the list", || on_list(house, &made.serial).is_some_and(|reason| reason.contains("Key Compromise")));
    let again = ["cert", "issue", "--csr", "dev-1.csr", "--identity", "dev-1", "--out-cert", "again.pem"];
    house.acme(&again).refused(6, "key.compromised");
}

fn row_12_an_authority_is_rotated_in_order(house: &House) {
    house.acme(&["ca", "rotate", "retire", "--yes"]).refused(5, "ca.rotation-out-of-order");
    house.acme(&["ca", "rotate", "prepare"]).refused(2, "confirmation.required");
    for (step, state, generation) in
        [("prepare", "prepared", 2), ("activate", "active", 2), ("taint", "tainted", 1), ("retire", "retired", 1)]
    {
        let done = house.acme(&["ca", "rotate", step, "--yes"]).ok();
        assert_eq!((text(&done, "state"), &done["generation"]), (state, &generation.into()), "{step}: {done}");
        if step == "activate" {
            let all = ["cert", "issue", "--csr", "new.csr", "--common-name", "dev-1", "--identity", "dev-1", "--out-cert", "new.pem"];
            request(house, "new");
            house.acme(&all).exits(0);
        }
    }
    assert_eq!(house.acme(&["ca", "show"]).ok()["generation"], 2);
    let anchors = house.run(&["ca", "bundle", "--tenant", "acme"]);
    std::fs::write(house.path().join("a.pem"), &anchors.exits(0).stdout).unwrap();
    openssl(house, &["verify", "-purpose", "sslclient", "-CAfile", "a.pem", "-untrusted", "new.pem", "new.pem"]);
    let generations = house.acme(&["ca", "list"]).ok();
    let states: Vec<&str> = generations["items"].as_array().unwrap().iter().map(|generation| text(generation, "state")).collect();
    assert_eq!(states, ["active", "retired"], "{generations}");
}

fn row_13_the_inventory_answers(house: &House) {
    let soon = house.acme(&["cert", "list", "--expires-within", "30d"]).ok();
    // The short-lived certificate that answers OCSP is of the inventory too.
    assert!(soon["items"].as_array().unwrap().iter().all(|item| text(item, "profile") == "ocsp"), "{soon}");
    let all = house.acme(&["cert", "list", "--expires-within", "3650d"]).ok();
    let of_clients = |item: &&Value| !text(item, "identity").is_empty();
    let first = all["items"].as_array().and_then(|items| items.iter().find(of_clients)).cloned().unwrap_or_default();
    assert!(!text(&first, "id").is_empty(), "{all}");
    for (flag, value) in [
        ("--serial", text(&first, "serial").to_owned()),
        ("--serial", format!("0x{}", text(&first, "serial_hex"))),
        ("--identity", text(&first, "identity").to_owned()),
        ("--fingerprint", text(&first, "fingerprint").to_owned()),
        ("--issuer", "/CN=acme".to_owned()),
    ] {
        let found = house.acme(&["cert", "list", flag, &value]).ok();
        let ids: Vec<&str> = found["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
        assert!(ids.contains(&text(&first, "id")), "{flag} {value}: {found}");
    }
    house.acme(&["cert", "forecast"]).exits(0);
    let shown = house.acme(&["cert", "show", text(&first, "id")]).ok();
    assert!(text(&shown, "certificate").contains("BEGIN CERTIFICATE"), "{shown}");
    house.run(&["cert", "show", "d.pem", "-o", "json"]).exits(0);
}

/// The reason that the list gives for the serial; none when it is not there. The list is the one that `c.pem` names.
pub(crate) fn on_list(house: &House, serial: &str) -> Option<String> {
    let printed = openssl(house, &["x509", "-in", "c.pem", "-noout", "-ext", "crlDistributionPoints"]);
    let url = printed.lines().find_map(|line| line.trim().strip_prefix("URI:")).expect("the certificate names its list").to_owned();
    let (fetched, said) = foreign(house, "curl", &["-sSf", "-o", "c.crl", &url]);
    assert!(fetched, "{url}: {said}");
    openssl(house, &["crl", "-inform", "DER", "-in", "c.crl", "-noout", "-CAfile", "both.pem"]);
    let list = openssl(house, &["crl", "-inform", "DER", "-in", "c.crl", "-noout", "-text"]);
    let wanted = openssl(house, &["x509", "-in", "c.pem", "-noout", "-serial"]).trim().trim_start_matches("serial=").to_owned();
    assert!(!serial.is_empty());
    let entries: Vec<&str> = list.split("Serial Number: ").skip(1).collect();
    entries.into_iter().find(|entry| entry.starts_with(&wanted)).map(str::to_owned)
}

/// What OCSP says of `c.pem`, asked by OpenSSL of the address that the certificate names.
fn ocsp(house: &House) -> String {
    let url = openssl(house, &["x509", "-in", "c.pem", "-noout", "-ocsp_uri"]).trim().to_owned();
    let chain = std::fs::read_to_string(house.path().join("c.pem")).unwrap();
    let issuer = chain.split_inclusive("-----END CERTIFICATE-----\n").nth(1).expect("the chain holds the issuer");
    std::fs::write(house.path().join("issuer.pem"), issuer).unwrap();
    let ask = ["ocsp", "-issuer", "issuer.pem", "-cert", "c.pem", "-url", &url, "-CAfile", "both.pem", "-no_nonce"];
    let said = openssl(house, &ask);
    assert!(said.contains("Response verify OK"), "{said}");
    let line = said.lines().find_map(|line| line.strip_prefix("c.pem: ")).unwrap_or_default();
    line.trim().to_owned()
}

/// Waits until it is so; longer than the second that is promised only where a debug build on a busy machine needs it.
#[track_caller]
fn within_a_second(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(20), "not {what} after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
}
