//! What monitors ask: health, readiness, metrics, by every client that is out there.

use signet_tests::{Deployment, House, http_1_0};

#[test]
fn head_is_get_without_a_body_and_a_trailing_slash_is_forgiven() {
    let house = House::open(Deployment::Embedded);
    let management = house.server().listener("management");
    for path in ["/health", "/health/", "/ready", "/metrics"] {
        let get = http_1_0(management, "GET", path, &[]).unwrap();
        let head = http_1_0(management, "HEAD", path, &[]).unwrap();
        assert_eq!((get.status, head.status), (200, 200), "{path}: {}", get.text());
        assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
        assert!(head.body.is_empty(), "{path}: HEAD has a body");
    }
    let rest = house.rest();
    for path in ["/api/v1/tenants", "/api/v1/tenants/default", "/api/v1/tenants/default/credentials"] {
        let (get, head) = (rest.get(path), rest.answered("HEAD", path, &[], b""));
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert_eq!(get.header("content-type"), head.header("content-type"));
        assert!(head.body.is_empty());
    }
    let nowhere = http_1_0(management, "GET", "/admin", &[]).unwrap();
    assert_eq!(nowhere.status, 404, "no other route on this listener");
}

#[test]
fn metrics_are_text_of_version_0_0_4_whatever_is_accepted() {
    let house = House::open(Deployment::Embedded);
    let management = house.server().listener("management");
    let prometheus_3 = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for headers in [
        &[][..],
        &[("Accept", prometheus_3)],
        &[("Accept", "application/openmetrics-text")],
        &[("Accept", "application/json")],
        &[("Host", "a.example"), ("User-Agent", "x")],
    ] {
        let answer = http_1_0(management, "GET", "/metrics", headers).unwrap();
        assert_eq!(answer.status, 200, "{headers:?}");
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8", "{headers:?}");
        assert!(!answer.text().contains("# EOF"), "the mark of the other format");
    }
    // A counter with labels is there from its first use on.
    house.furnish();
    house.active_credential("bob");
    let text = http_1_0(management, "GET", "/metrics", &[]).unwrap().text();
    for name in ["signet_feed_position", "signet_view_position", "signet_view_age_seconds", "ccm_auth_total", "ccm_auth_queue_length"] {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is missing in:\n{text}");
    }
    for tenant in ["acme", "default"] {
        assert!(!text.contains(tenant), "no tenant in a label");
    }
    let gzip = http_1_0(management, "GET", "/metrics", &[("Accept-Encoding", "gzip")]).unwrap();
    assert_eq!((gzip.status, gzip.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(gzip.header("content-encoding") == "gzip", gzip.body.starts_with(&[0x1f, 0x8b]), "the body is what its header says");
}
