//! In the place of Kaa's CCM: a file made of the original's keys starts it, on PostgreSQL and NATS, with the original's port;
//! what is wrong in the file ends the start with file and key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use signet_testkit::process::pause;
use signet_testkit::{
    FaultProxy, KeyKind, ManagerTenant, ManagerVersion, ProxyMode, TestIssuer, TestNats, TestPostgres, TestTenantManager, TokenKey,
    scratch_dir,
};
use signet_tests::{Answer, NatsPeer, Output, Rest, Server, http_1_0, run, within};
use tempfile::TempDir;

use crate::events;

/// The keys of the original for this database and this NATS.
fn keys(database_url: &str, nats_url: &str) -> String {
    let (login, place) = database_url.trim_start_matches("postgres://").rsplit_once('@').unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let (host, database) = place.split_once('/').unwrap();
    let (host, port) = host.rsplit_once(':').unwrap();
    let database = database.split('?').next().unwrap();
    format!(
        "service:\n  instance:\n    name: ccm\n  graceful-shutdown: 10\nserver:\n  port: 0\nnats:\n  urls: {nats_url}\n\
         kaa:\n  postgresql:\n    host: {host}\n    port: {port}\n    database: {database}\n    username: {user}\n    password: \"{password}\"\n    \
         sslmode: disable\n    max-open-connections: 20\n  cap:\n    provider:\n      basic:\n        concurrency: 4\n        queue-length: 64\n  \
         ccm:\n    bcrypt:\n      cost: 4\n    strict-fsm: false\n  x509:\n    enabled: false\n"
    )
}

/// A directory with a file of keys, in which commands run.
struct Bench(TempDir);

impl Bench {
    fn with(text: impl AsRef<[u8]>) -> Self {
        let directory = scratch_dir("compat").unwrap();
        std::fs::write(directory.path().join("service-config.yml"), text).unwrap();
        Self(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("service-config.yml")
    }

    fn start(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Server {
        let file = self.file();
        let all: Vec<&str> = ["compat", "kaa-ccm", "-o", "json"].into_iter().chain(arguments.iter().copied()).collect();
        let mut environment = vec![("APP_CONFIG_PATH", file.to_str().unwrap())];
        environment.extend_from_slice(variables);
        Server::start(self.path(), name, &all, &environment)
    }

    fn check(&self, variables: &[(&str, &str)]) -> Output {
        let file = self.file();
        let mut environment = vec![("APP_CONFIG_PATH", file.to_str().unwrap())];
        environment.extend_from_slice(variables);
        run(self.path(), &environment, ["compat", "kaa-ccm", "--check", "-o", "json"], b"")
    }
}

fn probe(server: &Server, path: &str) -> Answer {
    let address = format!("127.0.0.1:{}", server.listener("http").port()).parse().unwrap();
    http_1_0(address, "GET", path, &[]).unwrap()
}

/// Tenant `acme` with a credential `bob`, password `pw`; its id.
fn furnish(rest: &Rest) -> String {
    assert_eq!(rest.post("/api/v1/tenants", &json!({"id": "acme"})).status, 201);
    let made = rest.post("/api/v1/tenants/acme/credentials", &json!({"kind": "basic", "username": "bob", "password": "pw"}));
    assert_eq!(made.status, 201, "{}", made.text());
    made.json()["id"].as_str().unwrap().to_owned()
}

#[test]
fn two_replicas_start_from_the_originals_file_alone_and_share_everything() {
    let nats = TestNats::private("");
    let bench = Bench::with(keys(&TestPostgres::shared().fresh_database_blocking(), nats.url()));
    let first = bench.start("first", &["--data-dir", "d"], &[("SERVICE_INSTANCE_REPLICA_ID", "ccm-1")]);
    // The second keeps nothing: no directory is named, as in the original's container.
    let mut second = bench.start("second", &[], &[]);
    for server in [&first, &second] {
        assert_eq!(server.ready["listeners"].as_object().unwrap().len(), 1, "{}", server.ready);
        let healthy = within(Duration::from_secs(30), || probe(server, "/health").status == 200);
        assert!(healthy, "{}", probe(server, "/health").text());
        assert_eq!(probe(server, "/ready").status, 200);
        assert!(probe(server, "/metrics").text().contains("ccm_auth_queue_length"));
        assert_eq!(probe(server, "/api/v1/tenants").status, 401);
    }
    let token = bench.path().join("d");
    let (one, two) = (Rest::plain(first.listener("http"), &token), Rest::plain(second.listener("http"), &token));
    let id = furnish(&one);
    let peer = NatsPeer::connect(nats.url());
    peer.subscribe(events::REVOKED);
    for round in 0..8 {
        assert_eq!(events::authenticate(&peer, &format!("before-{round}"), "bob"), [200]);
    }
    let shown = two.get(&format!("/api/v1/tenants/acme/credentials/{id}"));
    assert_eq!(shown.json()["state"], "Active", "{}", shown.text());
    assert_eq!(two.post(&format!("/api/v1/tenants/acme/credentials/{id}/revoke"), &json!({})).status, 200);
    for round in 0..8 {
        assert_eq!(events::authenticate(&peer, &format!("after-{round}"), "bob"), [403]);
    }
    events::exactly(&peer, &id, 1);
    // Kaa's own paths, on either replica.
    let kaa = [("Signet-Tenant", "acme"), ("Content-Type", "application/json")];
    let made = two.answered("POST", "/api/v1/basic-credentials", &kaa, br#"{"username":"eve","password":"pw"}"#);
    assert_eq!((made.status, &made.json()["state"]), (201, &json!("Inactive")), "{}", made.text());
    let listed = one.answered("GET", "/ccm/api/v1/basic-credentials?username=eve", &kaa, b"");
    assert_eq!((listed.status, &listed.json()[0]["id"]), (200, &made.json()["id"]), "{}", listed.text());
    let refused = one.answered("PUT", &format!("/api/v1/basic-credentials/{id}/state"), &kaa, br#"{"state":"Active"}"#);
    assert!(refused.status == 409 && refused.json()["message"].is_string(), "{}", refused.text());
    assert_eq!(one.answered("GET", "/api/v1/unknown", &kaa, b"").status, 404);
    // The command line finds the one listener in the data directory.
    run(bench.path(), &[("SIGNET_DATA_DIR", "d")], ["tenant", "list", "-o", "json"], b"").exits(0);
    let transient = PathBuf::from(second.ready["data_dir"].as_str().unwrap());
    assert!(transient.exists() && !transient.join("operator.token").exists());
    assert!(second.terminate().unwrap().success(), "{}", second.log_text());
    assert!(!transient.exists());
    // What the second sealed and signed, the first goes on with.
    let healthy = within(Duration::from_secs(30), || probe(&first, "/health").status == 200);
    assert!(healthy, "{}", probe(&first, "/health").text());
}

#[test]
fn the_environment_wins_and_a_login_in_the_nats_url_is_shown_to_the_server() {
    let nats = TestNats::private("authorization { users: [{ user: \"ccm\", password: \"p@ss,word\" }] }");
    let with_login = nats.url().replace("nats://", "nats://ccm:p%40ss%2Cword@");
    let database = TestPostgres::shared().fresh_database_blocking();
    let text = keys(&database, "nats://127.0.0.1:1").replace("port: 0", "port: 1") + "logging:\n  level: debug\n";
    let bench = Bench::with(text);
    let variables =
        [("NATS_URLS", with_login.as_str()), ("SERVER_PORT", "0"), ("KAA_LICENSE_CERT_PATH", "/nowhere"), ("KAA_TEKTON_ENABLED", "true")];
    let server = bench.start("server", &["--data-dir", "d"], &variables);
    let healthy = within(Duration::from_secs(30), || probe(&server, "/health").status == 200);
    assert!(healthy, "{}", probe(&server, "/health").text());
    let log = server.log_text();
    assert!(log.contains("unknown key `logging.level`"), "{log}");
    assert!(!log.contains("p@ss,word") && !log.contains("p%40ss"), "{log}");
}

#[test]
fn without_its_database_it_lives_says_so_and_recovers() {
    let (postgres, nats) = (TestPostgres::shared(), TestNats::private(""));
    let database = postgres.fresh_database_blocking();
    let proxy = FaultProxy::to(postgres.address());
    proxy.set(ProxyMode::Cut);
    let port = signet_testkit::free_port().unwrap();
    let bench = Bench::with(keys(&proxy.url_through(&database), nats.url()).replace("port: 0", &format!("port: {port}")));
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let helper = std::thread::scope(|scope| {
        let started = scope.spawn(|| bench.start("server", &[], &[]));
        let unwell = within(Duration::from_secs(30), || {
            http_1_0(address, "GET", "/health", &[]).is_ok_and(|answer| answer.status == 500 && answer.text().contains("database"))
        });
        assert!(unwell, "no /health that names the database");
        assert_eq!(http_1_0(address, "GET", "/api/v1/tenants", &[]).unwrap().status, 503);
        assert_eq!(http_1_0(address, "GET", "/ready", &[]).unwrap().status, 503);
        pause(Duration::from_millis(300));
        proxy.set(ProxyMode::Forward);
        started.join().unwrap()
    });
    let healthy = within(Duration::from_secs(30), || probe(&helper, "/health").status == 200);
    assert!(healthy, "{}", probe(&helper, "/health").text());
}

#[test]
fn without_its_tenant_manager_it_lives_says_so_and_recovers_and_then_knows_the_issuers() {
    let nats = TestNats::private("");
    let key = TokenKey::new(KeyKind::P256, "k1");
    let people = TestIssuer::start("/auth/realms/acme", &[&key]);
    let port = signet_testkit::free_port().unwrap();
    let manager = format!("http://127.0.0.1:{port}");
    let text = keys(&TestPostgres::shared().fresh_database_blocking(), nats.url())
        + &format!(
            "  security:\n    tenant-manager:\n      url: {manager}\n    issuer: {manager}/auth/realms/kaa\n    client-id: ccm\n    \
             client-secret: canary-5f2e\n"
        );
    let bench = Bench::with(text);
    let server = bench.start("server", &["--data-dir", "d"], &[]);
    let unwell = probe(&server, "/health");
    assert_eq!(unwell.status, 500, "{}", unwell.text());
    assert!(unwell.text().to_lowercase().contains("tenant"), "{}", unwell.text());
    let rest = Rest::plain(server.listener("http"), &bench.path().join("d")).with_token("");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"iss": people.issuer(), "sub": "ann", "iat": now, "exp": now + 600, "scope": "signet:auditor"});
    let authorization = format!("Bearer {}", key.token(&claims));
    let ask = || rest.answered("GET", "/api/v1/tenants/acme/identities", &[("Authorization", authorization.as_str())], b"").status;
    assert_eq!(ask(), 401, "an issuer that nobody named");
    let manager = TestTenantManager::start_at(ManagerVersion::Two, port);
    manager.require_login("ccm", "canary-5f2e");
    manager.put(ManagerTenant { issuer: people.issuer(), ..ManagerTenant::new("acme") });
    let healthy = within(Duration::from_secs(90), || probe(&server, "/health").status == 200);
    assert!(healthy, "{}; {}", probe(&server, "/health").text(), server.log_text());
    assert!(within(Duration::from_secs(30), || ask() == 200), "{}", server.log_text());
    assert!(!server.log_text().contains("canary"), "{}", server.log_text());
}

#[test]
fn windows_files_are_read_and_other_encodings_refused_with_the_fix() {
    let text = keys("postgres://u:pw@db:5432/d", "nats://nats:4222").replace('\n', "\r\n");
    let checked = Bench::with(format!("\u{feff}{text}")).check(&[]).ok();
    let host = checked["keys"].as_array().unwrap().iter().find(|key| key["key"] == "kaa.postgresql.host").unwrap().clone();
    assert_eq!((&host["value"], &host["given"]), (&json!("\"db\""), &json!(true)));
    assert!(!checked.to_string().contains("pw\""), "{checked}");
    type Encoding = fn(&str) -> Vec<u8>;
    let encodings: [(Encoding, &str); 2] = [
        (|text| [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(), "UTF-16"),
        (|text| [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(), "UTF-16"),
    ];
    for (encode, name) in encodings {
        let refused = Bench::with(encode(&text)).check(&[]);
        refused.refused(6, "config.encoding");
        assert!(refused.stderr.contains(name) && refused.stderr.contains("iconv"), "{}", refused.stderr);
    }
}

#[test]
fn what_is_wrong_ends_the_start_with_file_and_key() {
    for (text, reason, named) in [
        ("server:\n  port: canary\n", "config.value-invalid", "server.port"),
        ("server: {port: 99999}\n", "config.value-invalid", "server.port"),
        ("kaa:\n  cap: {provider: {basic: {concurrency: [canary]}}}\n", "config.value-invalid", "kaa.cap.provider.basic.concurrency"),
        ("kaa:\n  postgresql: canary\n", "config.value-invalid", "kaa.postgresql"),
        ("kaa: {postgresql: {sslmode: canary}}\n", "config.value-invalid", "kaa.postgresql.sslmode"),
        ("kaa: {postgresql: {url: 'mysql://u:canary@h/d'}}\n", "config.value-invalid", "kaa.postgresql.url"),
        ("nats: {urls: 'http://u:canary@h'}\n", "config.value-invalid", "nats.urls"),
        ("kaa: {x509: {enabled: true}}\n", "config.value-invalid", "kaa.x509.ca.cert-file"),
        ("kaa: [broken\n", "config.syntax", "service-config.yml:"),
        ("only words", "config.syntax", "service-config.yml:1"),
        ("a: 1\na: 2\n", "config.syntax", "service-config.yml:"),
    ] {
        let bench = Bench::with(text);
        let file = bench.file();
        // The very start, not the check: it ends before anything is bound.
        let started = run(bench.path(), &[("APP_CONFIG_PATH", file.to_str().unwrap())], ["compat", "kaa-ccm", "-o", "json"], b"");
        started.refused(6, reason);
        assert!(started.stderr.contains(named) && started.stderr.contains("service-config.yml"), "{text}: {}", started.stderr);
        assert!(!started.stderr.contains("canary"), "{}", started.stderr);
    }
    let bench = Bench::with("");
    let refused = bench.check(&[("KAA_POSTGRESQL_PORT", "tcp://10.0.0.1:5432")]);
    refused.refused(6, "config.value-invalid");
    assert!(refused.stderr.contains("KAA_POSTGRESQL_PORT") && refused.stderr.contains("kaa.postgresql.port"), "{}", refused.stderr);
    bench.check(&[("SIGNET_LISTEN__MANAGEMENT", "127.0.0.1:1")]).refused(6, "config.value-invalid");
    let missing = run(bench.path(), &[("APP_CONFIG_PATH", "/nonexistent/ccm.yml")], ["compat", "kaa-ccm", "-o", "json"], b"");
    missing.refused(6, "config.unreadable");
    assert!(missing.stderr.contains("/nonexistent/ccm.yml") && missing.stderr.contains("APP_CONFIG_PATH"), "{}", missing.stderr);
    let nowhere = run(bench.path(), &[], ["compat", "kaa-ccm", "-o", "json"], b"");
    assert!(nowhere.stderr.contains("/srv/ccm/service-config.yml"), "{}", nowhere.stderr);
}

#[test]
fn the_old_url_starts_with_a_warning() {
    let checked = Bench::with("kaa.postgresql.url: postgres://u:pw@db/d?sslmode=disable\n").check(&[]).ok();
    let warnings = checked["warnings"].as_array().unwrap();
    assert!(warnings[0].as_str().unwrap().contains("kaa.postgresql.url"), "{checked}");
    assert!(!checked.to_string().contains(":pw@"), "{checked}");
}
