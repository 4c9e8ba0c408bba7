//! The walk of certificates with OpenBao as custody, on PostgreSQL: the same rows, then sealed and open again, then another login;
//! and at the end the search for the authority's key in everything that Signet has, its memory too.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use signet_crypto::{Sealer as _, Secret};
use signet_custody::KeyFileSealer;
use signet_pki::pem;
use signet_testkit::{BaoKind, TestBao, TestPostgres};
use signet_tests::{Deployment, House, Plan, http_1_0};

use crate::certificates::{on_list, openssl, request, rows_1_to_11, text};
use crate::keys_at_rest::{Rest, Wanted, forms, scalar, sealed_keys};

const POLICY: &str = include_str!("../../../deploy/vault-policy.hcl");

fn secret(house: &House, name: &str, content: &str) {
    let path = house.path().join(name);
    std::fs::write(&path, format!("{content}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn custody(house: &House, bao: &TestBao, login: &str) {
    let more = format!("\n[custody]\nkind = \"vault\"\nurl = \"{}\"\n{login}\n\n[log]\nlevel = \"debug\"\n", bao.url());
    house.write_configuration("signet.toml", house.database_url(), &more);
}

/// A token that may do what the policy that we hand out allows.
fn with_token(house: &House, bao: &TestBao) {
    bao.must("PUT", "sys/policies/acl/signet", &json!({"policy": POLICY}));
    let made = bao.must("POST", "auth/token/create", &json!({"policies": ["signet"], "ttl": "1h"}));
    secret(house, "vault.token", made.pointer("/auth/client_token").and_then(Value::as_str).unwrap());
    custody(house, bao, "auth = \"token\"\ntoken_file = \"vault.token\"");
}

fn with_approle(house: &House, bao: &TestBao) {
    bao.must("POST", "sys/auth/approle", &json!({"type": "approle"}));
    bao.must("POST", "auth/approle/role/signet", &json!({"token_policies": "signet"}));
    let role = bao.must("GET", "auth/approle/role/signet/role-id", &Value::Null);
    let id = bao.must("POST", "auth/approle/role/signet/secret-id", &json!({}));
    secret(house, "vault.secret", id.pointer("/data/secret_id").and_then(Value::as_str).unwrap());
    let role = role.pointer("/data/role_id").and_then(Value::as_str).unwrap();
    custody(house, bao, &format!("auth = \"approle\"\nrole = \"{role}\"\ntoken_file = \"vault.secret\""));
}

/// What `/health` says of the custody.
fn health(house: &House) -> (u16, String) {
    let answer = http_1_0(house.server().listener("management"), "GET", "/health", &[]).unwrap();
    (answer.status, answer.text())
}

/// What is promised is a minute.
#[track_caller]
fn within_a_minute(what: &str, mut so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !so() {
        assert!(started.elapsed() < Duration::from_secs(60), "not {what} after {:?}", started.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn issue(house: &House, name: &str, certificate: &str) -> signet_tests::Output {
    let request = format!("{name}.csr");
    house.acme(&["cert", "issue", "--csr", &request, "--common-name", "dev-1", "--identity", "dev-1", "--out-cert", certificate])
}

fn row_15_sealed_is_said_and_everything_goes_on_by_itself(house: &House, bao: &TestBao) {
    request(house, "dev-2");
    // The list that is looked at later is the one that `c.pem` names.
    std::fs::remove_file(house.path().join("c.pem")).unwrap();
    let made = issue(house, "dev-2", "c.pem").ok();
    assert_eq!(health(house).0, 200, "{}", health(house).1);
    bao.seal();
    request(house, "dev-3");
    issue(house, "dev-3", "sealed.pem").refused(7, "custody.sealed");
    assert!(!house.path().join("sealed.pem").exists());
    let (status, said) = health(house);
    assert!(status == 500 && said.contains("custody.sealed"), "{status}: {said}");
    house.acme(&["cert", "revoke", text(&made, "id"), "--reason", "superseded", "--yes"]).exits(0);
    bao.unseal();
    let mount = format!("pki/signet/acme/cert/{}", colons(text(&made, "serial_hex")));
    let told = || bao.must("GET", &mount, &Value::Null).pointer("/data/revocation_time").and_then(Value::as_i64).unwrap_or(0) > 0;
    within_a_minute("revoked in the mount", told);
    within_a_minute("on the list", || on_list(house, text(&made, "serial")).is_some_and(|reason| reason.contains("Superseded")));
    within_a_minute("well", || health(house).0 == 200);
    issue(house, "dev-3", "after.pem").exits(0);
}

/// As Vault writes serial numbers.
fn colons(hex: &str) -> String {
    hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned()).collect::<Vec<_>>().join(":")
}

/// The memory of a process that may be read: what a core image would hold, and more.
fn memory(pid: u32) -> Vec<u8> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut image = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).unwrap();
        let (from, to) = (u64::from_str_radix(from, 16).unwrap(), u64::from_str_radix(to, 16).unwrap());
        let mut part = vec![0; usize::try_from(to - from).unwrap()];
        // A mapping may have gone, or be one that nobody reads, such as the kernel's.
        if memory.read_exact_at(&mut part, from).is_ok() {
            image.extend(part);
        }
    }
    image
}

/// The key of this certificate, taken out of OpenBao's memory: the only place where it is in the clear.
fn key_in(image: &[u8], certificate: &[u8]) -> Option<[u8; 32]> {
    const BEGIN: &[u8] = b"PRIVATE KEY-----";
    let starts = (0..image.len().saturating_sub(BEGIN.len())).filter(|at| image[*at..].starts_with(BEGIN));
    starts.into_iter().find_map(|at| {
        let rest = &image[at + BEGIN.len()..image.len().min(at + BEGIN.len() + 400)];
        let rest = String::from_utf8_lossy(rest).replace("\\n", "\n");
        let body: String = rest.split("-----").next()?.chars().filter(|letter| !letter.is_whitespace()).collect();
        let der = STANDARD.decode(body).ok()?;
        let label = if der.get(4) == Some(&1) && der.get(5) == Some(&4) { "EC PRIVATE KEY" } else { "PRIVATE KEY" };
        let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(&der));
        let key = pem::private_key(text.as_bytes()).ok()?;
        key.check_pair(&certificate.to_vec().into()).ok()?;
        Some(scalar(key.to_signing_key().ok()?.to_pkcs8().expose()))
    })
}

/// As the bytes of a big number lie on this kind of machine, the least first.
fn with_reversed(name: &str, scalar: &[u8; 32]) -> Vec<(String, Vec<u8>)> {
    let reversed: Vec<u8> = scalar.iter().rev().copied().collect();
    forms(name, scalar).into_iter().chain([(format!("{name} reversed"), reversed)]).collect()
}

fn the_authority_s_key_is_nowhere_but_in_openbao(house: &mut House, bao: &TestBao, postgres: &TestPostgres) {
    let chain = pem::certificates(&std::fs::read(house.path().join("c.pem")).unwrap()).unwrap();
    let mut found = None;
    for round in 0..20 {
        request(house, &format!("search-{round}"));
        issue(house, &format!("search-{round}"), &format!("search-{round}.pem")).exits(0);
        found = key_in(&memory(bao.pid().unwrap()), &chain[1]);
        if found.is_some() {
            break;
        }
    }
    let key = found.expect("OpenBao has the key in its memory while it signs");

    let mut rest = Rest(Vec::new());
    let data = house.data();
    rest.0.push(("the memory of the process".to_owned(), memory(house.server().pid())));
    rest.add_files(&data);
    rest.add_files(&postgres.data_directory().unwrap());
    rest.add("the audit log", house.rest().get("/api/v1/tenants/acme/audit?limit=1000").body);
    let mut server = house.server.take().unwrap();
    assert!(server.terminate().unwrap().success());
    rest.add_files(&postgres.data_directory().unwrap());
    rest.add("the log", server.log_text().into_bytes());

    // The platform's own key is what Signet has: sealed in the database, open in its memory. The same search finds it there.
    let sealer = KeyFileSealer::open(&house.data().join("seal.key")).unwrap();
    let sealed: Vec<(String, Vec<u8>)> = sealed_keys(house.database_url());
    assert_eq!(sealed.iter().map(|(purpose, _)| purpose.as_str()).collect::<Vec<_>>(), ["platform-ca:1"], "no key of a tenant is stored");
    let platform: Secret = sealer.open(&sealed[0].0, &sealed[0].1).unwrap();
    let mut wanted = with_reversed("platform", &scalar(platform.expose()));
    wanted.extend(with_reversed("tenant", &key));
    let found = rest.found(&Wanted::new(wanted));
    let places: BTreeSet<&str> = found.iter().filter(|(what, _)| what.starts_with("platform")).map(|(_, place)| place.as_str()).collect();
    assert_eq!(places, BTreeSet::from(["the memory of the process"]), "{found:?}");
    let tenant: Vec<_> = found.iter().filter(|(what, _)| what.starts_with("tenant")).collect();
    assert!(tenant.is_empty(), "{tenant:?}");
}

#[test]
fn a_certificate_lives_with_its_authority_in_openbao_which_is_sealed_and_keeps_its_key() {
    let bao = TestBao::private(BaoKind::Dev);
    let postgres = TestPostgres::private();
    let mut house = Plan::of(Deployment::Production).database(postgres.fresh_database_blocking()).prepare();
    with_token(&house, &bao);
    house.start();
    house.furnish();
    house.acme(&["identity", "create", "d2", "--kind", "device"]).exits(0);
    rows_1_to_11(&house, "vault");
    row_15_sealed_is_said_and_everything_goes_on_by_itself(&house, &bao);
    house.stop();
    with_approle(&house, &bao);
    house.start();
    request(&house, "dev-4");
    issue(&house, "dev-4", "d4.pem").exits(0);
    openssl(&house, &["verify", "-purpose", "sslclient", "-CAfile", "a.pem", "-untrusted", "d4.pem", "d4.pem"]);
    the_authority_s_key_is_nowhere_but_in_openbao(&mut house, &bao, &postgres);
}
