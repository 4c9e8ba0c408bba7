//! The room behind a Tenant Manager: what it takes over, and what it makes of one that is away, slow, or lies.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use signet_bus::Subject;
use signet_credentials::{ManagerLogin, TenantManager, TenantManagerParts};
use signet_crypto::Secret;
use signet_db::Statement;
use signet_http::HealthLine;
use signet_http::oidc::TenantIssuer;
use signet_kaa::Record as _;
use signet_kaa::tle::{UnregisteredEvent, UpdatedEvent};
use signet_outbound::{AddressPolicy, Outbound, OutboundConfig};
use signet_testkit::{ManagerMode, ManagerTenant, ManagerVersion, TestTenantManager, free_port};

use crate::house::{House, Kind, Settings, eventually};
use crate::on_both;

/// How a house follows a Manager.
struct Following {
    url: String,
    login: Option<ManagerLogin>,
    every: Duration,
}

impl Following {
    fn of(manager: &TestTenantManager) -> Self {
        Self { url: manager.url(), login: None, every: Duration::from_millis(50) }
    }

    fn seldom(self) -> Self {
        Self { every: Duration::from_secs(3_600), ..self }
    }

    async fn start(self, house: &House) -> TenantManager {
        let outbound = OutboundConfig {
            total_timeout: Duration::from_secs(2),
            max_body: 256 * 1024,
            ..OutboundConfig::new(AddressPolicy::permissive())
        };
        let parts = TenantManagerParts {
            outbound: Outbound::new(outbound).unwrap(),
            sealer: house.sealer(),
            url: self.url,
            login: self.login,
            refresh_interval: self.every,
        };
        house.room.start_tenant_manager(&house.bus, parts).await.unwrap()
    }
}

fn line(manager: &TenantManager) -> HealthLine {
    manager.health().lines().remove(0)
}

async fn well(manager: &TenantManager) {
    eventually("the Tenant Manager's list is taken over", || async { line(manager).ok }).await;
}

async fn ill(manager: &TenantManager, with: &str) {
    eventually(with, || async { line(manager).detail.contains(with) }).await;
    assert!(!line(manager).ok);
}

fn issuer(manager: &TenantManager, tenant: &str) -> Option<Arc<TenantIssuer>> {
    manager.issuers().by_issuer(&format!("http://127.0.0.1:1/auth/realms/{tenant}"))
}

async fn state(house: &House, tenant: &str) -> Option<String> {
    let answer = house.get(&format!("/api/v1/tenants/{tenant}")).await;
    (answer.status == 200).then(|| answer.text("state").to_owned())
}

async fn becomes(house: &House, tenant: &str, wanted: &str) {
    eventually(&format!("{tenant} is {wanted}"), || async { state(house, tenant).await.as_deref() == Some(wanted) }).await;
}

async fn tell(house: &House, what: &str, tenant: &str) {
    let head = ("c-1".into(), 1_767_225_600_000, 0, tenant.into(), "tm-1".into());
    let (correlation_id, timestamp, timeout, tenant_id, originator_replica_id) = head;
    let payload = match what {
        "updated" => UpdatedEvent { correlation_id, timestamp, timeout, tenant_id, originator_replica_id }.encode(),
        _ => UnregisteredEvent { correlation_id, timestamp, timeout, tenant_id, originator_replica_id }.encode(),
    };
    let subject = Subject::new(&format!("kaa.v1.events.tenant-manager.tenant.lifecycle.{what}")).unwrap();
    house.bus.publish(&subject, None, payload).await.unwrap();
}

on_both! {
    async fn the_list_is_taken_over_in_both_versions_of_the_api(kind) {
        for version in [ManagerVersion::One, ManagerVersion::Two] {
            let house = House::new(kind).await;
            let peer = TestTenantManager::start(version);
            peer.require_login("signet", "s3cret +&=%");
            for number in 0..230 {
                peer.put(ManagerTenant::new(&format!("t-{number}")));
            }
            peer.put(ManagerTenant::new("young").in_status("CREATING"));
            peer.put(ManagerTenant { status: None, ..ManagerTenant::new("unsaid") });
            peer.put(ManagerTenant { id: "no name of ours".to_owned(), realm_name: "ä".to_owned(), ..ManagerTenant::new("x") });
            let login = ManagerLogin { issuer: peer.issuer(), client_id: "signet".to_owned(), client_secret: Secret::from("s3cret +&=%") };
            let manager = Following { login: Some(login), ..Following::of(&peer).seldom() }.start(&house).await;
            well(&manager).await;
            for tenant in ["t-0", "t-229", "unsaid"] {
                assert_eq!(state(&house, tenant).await.as_deref(), Some("enabled"), "{tenant}");
                let issuer = issuer(&manager, tenant).unwrap();
                assert_eq!((issuer.tenant.as_str(), issuer.client_id.clone()), (tenant, Some(format!("{tenant}-backend"))));
                assert!(issuer.client_secret.as_ref().unwrap().ct_eq(&Secret::from(format!("secret-of-{tenant}"))));
            }
            assert_eq!(state(&house, "young").await, None, "what is not available yet is not made");
            assert_eq!(peer.logins(), 1, "one token for all");
            let lists = peer.asked().into_iter().filter(|path| path.contains("offset=")).count();
            assert!(lists >= 3, "paged until the count: {:?}", peer.asked());
            house.end().await;
        }
    }

    async fn without_the_manager_the_last_known_list_holds_even_over_a_restart(kind) {
        let peer = TestTenantManager::start(ManagerVersion::One);
        peer.put(ManagerTenant::new("acme"));
        let house = House::new(kind).await;
        let manager = Following::of(&peer).start(&house).await;
        well(&manager).await;
        peer.set(ManagerMode::Gone);
        ill(&manager, "its last known list holds").await;
        assert!(issuer(&manager, "acme").is_some() && state(&house, "acme").await.as_deref() == Some("enabled"));
        drop(manager);
        let house = house.restarted(Settings::default()).await;
        let manager = Following::of(&peer).start(&house).await;
        let known = issuer(&manager, "acme").expect("from the database, before the Manager was asked");
        assert!(known.client_secret.as_ref().unwrap().ct_eq(&Secret::from("secret-of-acme")));
        ill(&manager, "its last known list holds").await;
        peer.put(ManagerTenant::new("later"));
        peer.set(ManagerMode::Answering);
        well(&manager).await;
        assert_eq!(state(&house, "later").await.as_deref(), Some("enabled"), "recovers by itself");
        let known_still = issuer(&manager, "acme").unwrap();
        assert!(Arc::ptr_eq(&known, &known_still), "unchanged, so nobody has to derive anything anew");
        house.end().await;
    }

    async fn what_changes_there_changes_here_and_what_an_operator_did_stays(kind) {
        let peer = TestTenantManager::start(ManagerVersion::One);
        peer.put(ManagerTenant::new("acme"));
        let house = House::new(kind).await;
        let manager = Following::of(&peer).start(&house).await;
        well(&manager).await;
        peer.put(ManagerTenant::new("acme").in_status("SUSPENDED"));
        becomes(&house, "acme", "disabled").await;
        // By hand, though the Manager has not changed its mind: the next refreshes leave it.
        house.room.set_tenant_enabled(&house.scope("acme"), true).await.unwrap();
        let asked = peer.asked().len();
        eventually("asked again", || async { peer.asked().len() > asked + 2 }).await;
        assert_eq!(state(&house, "acme").await.as_deref(), Some("enabled"));
        peer.put(ManagerTenant::new("acme"));
        peer.put(ManagerTenant::new("marker"));
        becomes(&house, "marker", "enabled").await;
        peer.put(ManagerTenant::new("acme").in_status("DELETING"));
        becomes(&house, "acme", "disabled").await;
        peer.put(ManagerTenant::new("acme"));
        becomes(&house, "acme", "enabled").await;
        // One that is not listed any more is not ended by that.
        peer.remove("acme");
        let asked = peer.asked().len();
        eventually("asked again", || async { peer.asked().len() > asked + 2 }).await;
        assert_eq!(state(&house, "acme").await.as_deref(), Some("enabled"));
        assert!(issuer(&manager, "acme").is_some() && line(&manager).ok);
        house.end().await;
    }

    async fn secrets_of_tenants_are_sealed_at_rest(kind) {
        let peer = TestTenantManager::start(ManagerVersion::One);
        peer.put(ManagerTenant { client_backend_secret: "canary-4711".to_owned(), ..ManagerTenant::new("acme") });
        let house = House::new(kind).await;
        let manager = Following::of(&peer).start(&house).await;
        well(&manager).await;
        let sql = "SELECT client_secret FROM managed_tenant WHERE tenant = 'acme'";
        let row = house.db.query_optional(Statement::new(sql, Vec::new())).await.unwrap().unwrap();
        let stored = row.bytes(0).unwrap();
        assert!(!stored.is_empty() && !stored.windows(6).any(|window| window == b"canary"));
        for record in house.records("acme").await {
            assert!(!format!("{record:?}").contains("canary"), "{record:?}");
        }
        house.end().await;
    }

    async fn an_unregistered_tenant_loses_every_credential_with_an_event_each(kind) {
        let peer = TestTenantManager::start(ManagerVersion::One);
        // Events name the realm in one installation and the id in another.
        peer.put(ManagerTenant { realm_name: "acme-realm".to_owned(), ..ManagerTenant::new("acme") });
        let house = House::new(kind).await;
        let mut ids = vec![house.credential("u-1", "p").await, house.credential("u-2", "p").await];
        let _sweeping = house.room.start_sweeping();
        let manager = Following::of(&peer).start(&house).await;
        well(&manager).await;
        let mut events = house.events().await;
        peer.remove("acme");
        tell(&house, "unregistered", "unknown").await;
        tell(&house, "unregistered", "acme-realm").await;
        let mut told: Vec<String> = events.next(2).await.into_iter().map(|event| event.credential).collect();
        ids.sort();
        told.sort();
        assert_eq!(told, ids);
        eventually("forgotten", || async { issuer(&manager, "acme").is_none() }).await;
        assert_eq!(house.number("SELECT COUNT(*) FROM managed_tenant").await, 0);
        let revoked = "SELECT COUNT(*) FROM credential WHERE tenant = 'acme' AND state = 'Revoked'";
        eventually("all are revoked", || async { house.number(revoked).await == 2 }).await;
        assert_eq!(house.ask("u-1", "p").await.status, 403);
        // The Manager's list may lag behind its event; that does not bring anything back.
        peer.put(ManagerTenant::new("acme"));
        let asked = peer.asked().len();
        eventually("asked again", || async { peer.asked().len() > asked + 2 }).await;
        assert_eq!(house.ask("u-1", "p").await.status, 403);
        assert_ne!(state(&house, "acme").await.as_deref(), Some("enabled"));
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_that_is_not_there_at_the_start_is_waited_for() {
    let house = House::new(Kind::SqliteInProcess).await;
    let port = free_port().unwrap();
    let every = Duration::from_millis(50);
    let manager = Following { url: format!("http://127.0.0.1:{port}"), login: None, every }.start(&house).await;
    ill(&manager, "outbound.unreachable").await;
    assert!(line(&manager).detail.ends_with("no list of it is known yet"), "{}", line(&manager).detail);
    assert!(!line(&manager).detail.contains("127.0.0.1"), "health is for strangers");
    let peer = TestTenantManager::start_at(ManagerVersion::One, port);
    peer.put(ManagerTenant::new("acme"));
    well(&manager).await;
    assert!(issuer(&manager, "acme").is_some());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_manager_says_or_does_what_is_known_holds() {
    let house = House::new(Kind::SqliteInProcess).await;
    let peer = TestTenantManager::start(ManagerVersion::One);
    peer.put(ManagerTenant::new("acme"));
    let manager = Following::of(&peer).start(&house).await;
    well(&manager).await;
    let say = |status, text: &str| ManagerMode::Saying(status, text.to_owned());
    let row = r#"{"id":"acme","status":"AVAILABLE"}"#;
    let cases = [
        (ManagerMode::Gone, "outbound."),
        (ManagerMode::Slow(Duration::from_secs(5)), "outbound.timeout"),
        (say(500, "Internal Server Error"), "outbound.refused"),
        (say(503, ""), "outbound.refused"),
        (say(429, "{}"), "outbound.refused"),
        (say(302, ""), "outbound.refused"),
        (say(401, "{}"), "tenant-manager.refused"),
        (say(403, "{}"), "tenant-manager.refused"),
        (say(404, "{}"), "tenant-manager.answer-invalid"),
        (say(200, ""), "outbound.answer-invalid"),
        (say(200, "<html>sign in</html>"), "outbound.answer-invalid"),
        (say(200, "{}"), "outbound.answer-invalid"),
        (say(200, "null"), "outbound.answer-invalid"),
        (say(200, "{\"results\":["), "outbound.answer-invalid"),
        (say(200, &format!("[{row},7]")), "outbound.answer-invalid"),
        (say(200, &"[".repeat(100_000)), "outbound.answer-invalid"),
        (say(200, &format!("[{}{row}]", format!("{row},").repeat(10_000))), "outbound.too-large"),
        // It counts more than it has, and gives the same page again and again.
        (say(200, &format!("{{\"count\":1000,\"results\":[{row}]}}")), "tenant-manager.answer-invalid"),
        (say(200, "{\"count\":1000,\"results\":[{}]}"), "tenant-manager.answer-invalid"),
    ];
    for (mode, reason) in cases {
        let shown = format!("{mode:?}").chars().take(80).collect::<String>();
        peer.set(mode);
        eventually(&format!("{shown} is told as {reason}"), || async { line(&manager).detail.starts_with(reason) }).await;
        assert!(line(&manager).detail.ends_with("its last known list holds"), "{shown}");
        assert!(issuer(&manager, "acme").is_some(), "{shown}");
        assert_eq!(state(&house, "acme").await.as_deref(), Some("enabled"), "{shown}");
        peer.set(ManagerMode::Answering);
        well(&manager).await;
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_understood_is_taken_over_however_it_is_written() {
    let house = House::new(Kind::SqliteInProcess).await;
    let peer = TestTenantManager::start(ManagerVersion::One);
    peer.set(ManagerMode::Saying(
        200,
        json!([
            {"id": "bare", "issuer": "http://127.0.0.1:1/auth/realms/bare/", "client_frontentd_id": "f", "surplus": [{"a": 1}]},
            {"realm_name": "by-realm", "status": null},
            {"id": 17, "issuer": 5},
            {"id": "twice", "issuer": "http://127.0.0.1:1/auth/realms/a"},
            {"id": "twice", "issuer": "http://127.0.0.1:1/auth/realms/b"},
            {"id": "rival-1", "issuer": "http://127.0.0.1:1/auth/realms/one"},
            {"id": "rival-2", "issuer": "http://127.0.0.1:1/auth/realms/one/"},
        ])
        .to_string(),
    ));
    let manager = Following::of(&peer).start(&house).await;
    well(&manager).await;
    for tenant in ["bare", "by-realm", "17", "rival-1", "rival-2"] {
        assert_eq!(state(&house, tenant).await.as_deref(), Some("enabled"), "{tenant}");
    }
    assert_eq!(state(&house, "twice").await, None, "told twice in different words");
    assert_eq!(issuer(&manager, "bare").unwrap().tenant.as_str(), "bare");
    assert!(issuer(&manager, "one").is_none(), "an issuer that two tenants claim speaks for neither");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_is_asked_about_at_once_also_of_a_tenant_that_nobody_knew() {
    for version in [ManagerVersion::One, ManagerVersion::Two] {
        let house = House::new(Kind::SqliteInProcess).await;
        let peer = TestTenantManager::start(version);
        peer.put(ManagerTenant { realm_name: "acme-realm".to_owned(), ..ManagerTenant::new("acme") });
        let manager = Following::of(&peer).seldom().start(&house).await;
        well(&manager).await;
        let moved = ManagerTenant { realm_name: "acme-realm".to_owned(), ..ManagerTenant::new("acme") };
        peer.put(ManagerTenant { issuer: "http://127.0.0.1:1/auth/realms/moved".to_owned(), ..moved });
        tell(&house, "updated", "acme").await;
        eventually("the new issuer is known", || async { issuer(&manager, "moved").is_some() }).await;
        assert!(issuer(&manager, "acme").is_none(), "the old one is not believed any more");
        peer.put(ManagerTenant::new("new-one"));
        tell(&house, "updated", "new-one").await;
        becomes(&house, "new-one", "enabled").await;
        eventually("its issuer is known, too", || async { issuer(&manager, "new-one").is_some() }).await;
        tell(&house, "updated", "nobody").await;
        let subject = Subject::new("kaa.v1.events.tenant-manager.tenant.lifecycle.updated").unwrap();
        for damaged in [&b""[..], b"\xff\xff\xff", &[0; 70_000]] {
            house.bus.publish(&subject, None, damaged.to_vec()).await.unwrap();
        }
        peer.put(ManagerTenant::new("last"));
        tell(&house, "updated", "last").await;
        becomes(&house, "last", "enabled").await;
        well(&manager).await;
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_refused_is_fetched_anew_and_a_wrong_secret_is_said() {
    let house = House::new(Kind::SqliteInProcess).await;
    let peer = TestTenantManager::start(ManagerVersion::One);
    peer.require_login("signet", "right");
    let login = |secret: &str| ManagerLogin { issuer: peer.issuer(), client_id: "signet".to_owned(), client_secret: Secret::from(secret) };
    let manager = Following { login: Some(login("right")), ..Following::of(&peer) }.start(&house).await;
    well(&manager).await;
    peer.expire_tokens();
    peer.put(ManagerTenant::new("after"));
    becomes(&house, "after", "enabled").await;
    assert!(peer.logins() >= 2 && line(&manager).ok);
    drop(manager);
    let manager = Following { login: Some(login("canary-wrong")), ..Following::of(&peer) }.start(&house).await;
    ill(&manager, "tenant-manager.refused").await;
    assert!(!line(&manager).detail.contains("canary"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_must_not_be_asked_is_refused_at_the_start() {
    let house = House::new(Kind::SqliteInProcess).await;
    for (url, policy) in [
        ("http://127.0.0.1:1", AddressPolicy::deny_by_default()),
        ("https://10.0.0.1", AddressPolicy::deny_by_default()),
        ("http://169.254.169.254", AddressPolicy::permissive()),
        ("file:///etc/passwd", AddressPolicy::permissive()),
    ] {
        let parts = TenantManagerParts {
            outbound: Outbound::new(OutboundConfig::new(policy)).unwrap(),
            sealer: house.sealer(),
            url: url.to_owned(),
            login: None,
            refresh_interval: Duration::from_secs(60),
        };
        let refused = house.room.start_tenant_manager(&house.bus, parts).await.err().map(|error| error.to_string());
        assert!(refused.as_deref().is_some_and(|text| text.contains("Tenant Manager")), "{url}: {refused:?}");
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_take_over_the_same_list_without_hurting_each_other() {
    let house = House::new(Kind::PostgresNats).await;
    let other = house.replica().await;
    let peer = TestTenantManager::start(ManagerVersion::One);
    for number in 0..40 {
        peer.put(ManagerTenant::new(&format!("t-{number}")));
    }
    let (one, two) = (Following::of(&peer).start(&house).await, Following::of(&peer).start(&other).await);
    well(&one).await;
    well(&two).await;
    assert_eq!(house.number("SELECT COUNT(*) FROM managed_tenant").await, 40);
    assert_eq!(house.number("SELECT MAX(version) FROM managed_tenant").await, 1, "nothing was written twice");
    assert!(issuer(&one, "t-39").is_some() && issuer(&two, "t-39").is_some());
    other.end().await;
    house.end().await;
}
