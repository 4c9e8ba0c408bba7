//! The management surface as probes and Prometheus see it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus_client::registry::Registry;
use signet_http::{HealthLine, HealthSource, HttpMetrics, Limits, Management, RunningListener, Site, TlsMode};

use crate::support::{Reply, ask, serve_site, talk};

#[derive(Default)]
struct Health {
    database: AtomicBool,
    unguarded: AtomicBool,
}

impl HealthSource for Health {
    fn lines(&self) -> Vec<HealthLine> {
        let ok = self.database.load(Ordering::SeqCst);
        let detail = if ok { String::new() } else { "unreachable\nsince noon".to_owned() };
        let mut lines = vec![HealthLine { name: "database", ok, detail }, HealthLine { name: "bus", ok: true, detail: String::new() }];
        if self.unguarded.load(Ordering::SeqCst) {
            lines.push(HealthLine { name: "security", ok: true, detail: "OFF".to_owned() });
        }
        lines
    }
}

async fn management() -> (RunningListener, Arc<Health>) {
    let health = Arc::new(Health::default());
    health.database.store(true, Ordering::SeqCst);
    let mut registry = Registry::default();
    HttpMetrics::register(&mut registry);
    let router = Management { health: health.clone(), registry: Arc::new(registry) }.into_router();
    (serve_site(Site::of(router), TlsMode::Plain, Limits::management()).await, health)
}

async fn get(address: SocketAddr, path: &str) -> Reply {
    ask(address, "GET", path, "", "").await
}

#[tokio::test]
async fn health_and_readiness_tell_what_is_wrong() {
    let (listener, health) = management().await;
    for path in ["/health", "/health/", "/ready", "/ready/"] {
        let reply = get(listener.address(), path).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "database: ok\nbus: ok\n"), "{path}");
        assert_eq!(reply.headers["content-type"], "text/plain; charset=utf-8");
    }
    health.database.store(false, Ordering::SeqCst);
    for (path, status) in [("/health", 500), ("/ready", 503)] {
        let reply = get(listener.address(), path).await;
        assert_eq!((reply.status, reply.body.as_str()), (status, "database: unreachable\u{fffd}since noon\n"), "{path}");
        let head = ask(listener.address(), "HEAD", path, "", "").await;
        assert_eq!((head.status, head.headers.get("content-length")), (status, reply.headers.get("content-length")));
    }
}

#[tokio::test]
async fn what_is_well_only_by_an_operators_word_is_always_told() {
    let (listener, health) = management().await;
    health.unguarded.store(true, Ordering::SeqCst);
    let reply = get(listener.address(), "/ready").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "database: ok\nbus: ok\nsecurity: OFF\n"));
    health.database.store(false, Ordering::SeqCst);
    let reply = get(listener.address(), "/ready").await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "database: unreachable\u{fffd}since noon\nsecurity: OFF\n"));
}

#[tokio::test]
async fn metrics_are_text_0_0_4_whatever_is_accepted() {
    let (listener, _) = management().await;
    for accept in [
        "",
        "Accept: application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n",
        "Accept: application/openmetrics-text\r\n",
        "Accept: application/json\r\nAccept-Encoding: gzip\r\n",
    ] {
        let reply = ask(listener.address(), "GET", "/metrics", accept, "").await;
        assert_eq!((reply.status, reply.headers["content-type"].as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"), "{accept}");
        assert!(!reply.headers.contains_key("content-encoding"));
        assert!(reply.body.contains("# TYPE signet_http_panics_total counter\nsignet_http_panics_total 0\n"), "{}", reply.body);
        assert!(!reply.body.contains("# EOF") && reply.body.ends_with('\n'));
    }
    assert_eq!(ask(listener.address(), "HEAD", "/metrics", "", "").await.status, 200);
}

#[tokio::test]
async fn old_probes_and_wrong_asks_get_their_answer() {
    let (listener, _) = management().await;
    let old = talk(listener.address(), b"GET /health HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 OK\r\n") && old.ends_with("database: ok\nbus: ok\n"), "{old}");
    assert_eq!(ask(listener.address(), "POST", "/health", "", "").await.status, 405);
    assert_eq!(get(listener.address(), "/admin").await.status, 404);
}

#[tokio::test]
async fn nothing_tells_version_or_place() {
    let (listener, _) = management().await;
    for path in ["/health", "/ready", "/metrics", "/nowhere"] {
        let reply = get(listener.address(), path).await;
        let text = format!("{:?} {}", reply.headers, reply.body).to_lowercase();
        for leak in [env!("CARGO_PKG_VERSION"), "acme", env!("CARGO_MANIFEST_DIR"), "server:"] {
            assert!(!text.contains(&leak.to_lowercase()), "{path}: {leak} in {text}");
        }
    }
}

#[tokio::test]
async fn on_one_listener_the_api_is_everything_else() {
    let health = Arc::new(Health::default());
    health.database.store(true, Ordering::SeqCst);
    let management = Management { health, registry: Arc::new(Registry::default()) };
    let site = Site::of(management.clone().beside(signet_http::starting_router(Arc::new(signet_testkit::SeededEntropy::new(1)))));
    let listener = serve_site(site.clone(), TlsMode::Plain, Limits::management()).await;
    let address = listener.address();
    assert_eq!(get(address, "/health").await.status, 200);
    let early = get(address, "/api/v1/anything").await;
    assert_eq!((early.status, early.headers["content-type"].as_str()), (503, "application/problem+json"));
    assert!(early.body.contains("\"starting\""), "{}", early.body);
    let api = axum::Router::new().route("/api/v1/anything", axum::routing::get(async || "here")).fallback(async || "nothing of ours");
    site.open(management.beside(api));
    for (path, body) in [("/api/v1/anything", "here"), ("/healthy", "nothing of ours"), ("/", "nothing of ours")] {
        assert_eq!(get(address, path).await.body, body, "{path}");
    }
    assert_eq!(get(address, "/ready/").await.body, "database: ok\nbus: ok\n");
    assert_eq!(ask(address, "POST", "/metrics", "", "").await.status, 405);
}
