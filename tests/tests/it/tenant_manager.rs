//! A server whose tenants a Tenant Manager keeps: away at the start, back later, and the end of a tenant.

use std::time::Duration;

use serde_json::json;
use signet_kaa::Record as _;
use signet_kaa::tle::UnregisteredEvent;
use signet_testkit::{ManagerTenant, ManagerVersion, TestTenantManager, free_port};
use signet_tests::{Answer, Deployment, House, Plan, http_1_0, within};

use crate::events;

const SOON: Duration = Duration::from_secs(60);

fn management(house: &House, path: &str) -> Answer {
    http_1_0(house.server().listener("management"), "GET", path, &[]).unwrap()
}

/// Settings live as long as the test program.
fn kept(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[test]
fn a_tenant_manager_that_is_away_is_said_and_its_tenants_end_with_their_credentials() {
    let port = free_port().unwrap();
    let plan = Plan::of(Deployment::Production)
        .setting("SIGNET_TENANT_MANAGER__URL", kept(format!("http://127.0.0.1:{port}")))
        .setting("SIGNET_TENANT_MANAGER__ALLOW_NETWORKS", "127.0.0.0/8")
        .setting("SIGNET_TENANT_MANAGER__ALLOW_PLAIN_HTTP", "true")
        .setting("SIGNET_TENANT_MANAGER__REFRESH_INTERVAL", "1s");
    let house = plan.open();
    let said = |path: &str, status: u16| {
        let answer = management(&house, path);
        answer.status == status && answer.text().contains("tenant-manager: outbound.unreachable")
    };
    assert!(within(SOON, || said("/health", 500)), "{}", management(&house, "/health").text());
    assert!(said("/ready", 503), "{}", management(&house, "/ready").text());
    assert!(!management(&house, "/health").text().contains("127.0.0.1"));

    house.furnish();
    let id = house.active_credential("bob");
    let peer = house.peer();
    peer.subscribe(events::REVOKED);
    assert_eq!(events::authenticate(&peer, "without-manager", "bob"), [200], "alive all the same");

    let manager = TestTenantManager::start_at(ManagerVersion::Two, port);
    for tenant in ["acme", "globex"] {
        manager.put(ManagerTenant::new(tenant));
    }
    assert!(within(SOON, || management(&house, "/health").status == 200), "{}", management(&house, "/health").text());
    assert_eq!(house.rest().get("/api/v1/tenants/globex").status, 200);

    manager.remove("acme");
    let gone = UnregisteredEvent {
        correlation_id: "tm-1".into(),
        timestamp: 0,
        timeout: 0,
        tenant_id: "acme".into(),
        originator_replica_id: "tm".into(),
    };
    peer.publish("kaa.v1.events.tenant-manager.tenant.lifecycle.unregistered", "", &gone.encode()).unwrap();
    events::exactly(&peer, &id, 1);
    assert_eq!(events::authenticate(&peer, "after-the-end", "bob"), [403]);
    let refused = house.rest().post("/api/v1/tenants/acme/identities", &json!({"name": "dev-9", "kind": "device"}));
    assert_eq!((refused.status, refused.reason().as_str()), (403, "tenant.disabled"), "{}", refused.text());
    assert_eq!(house.rest().get("/api/v1/tenants/globex").status, 200);
    let log = house.server().log_text();
    assert!(log.contains("tenant-manager.unregistered") && !log.contains("secret-of-"), "{log}");
}
