//! OpenBao as a test peer.

use serde_json::{Value, json};
use signet_testkit::{BaoKind, TestBao, process};

fn health(server: &TestBao) -> u16 {
    server.api("GET", "sys/health", &Value::Null).unwrap().0
}

#[test]
fn a_real_server_keeps_what_it_has_over_seal_unseal_and_a_kill() {
    let server = TestBao::private(BaoKind::Real);
    assert_eq!(health(&server), 200);
    server.must("POST", "sys/mounts/ca/acme", &json!({"type": "pki"}));
    server.seal();
    assert_eq!(health(&server), 503);
    assert_eq!(server.api("GET", "ca/acme/ca_chain", &Value::Null).unwrap().0, 503);
    server.unseal();
    assert_eq!(health(&server), 200);
    server.kill();
    assert!(server.api("GET", "sys/health", &Value::Null).is_err());
    server.resume().unwrap();
    assert_eq!(health(&server), 503, "sealed after a restart");
    server.unseal();
    assert!(server.must("GET", "sys/mounts", &Value::Null).get("ca/acme/").is_some());
    let pid = server.pid().unwrap();
    drop(server);
    assert!(!process::is_running(pid));
}

#[test]
fn a_dev_server_is_open_at_once_and_can_be_sealed() {
    let server = TestBao::private(BaoKind::Dev);
    assert_eq!(health(&server), 200);
    server.seal();
    assert_eq!(health(&server), 503);
    server.unseal();
    server.stop();
    server.resume().unwrap();
    assert_eq!(health(&server), 200);
    let secure = TestBao::private(BaoKind::DevTls);
    assert!(secure.url().starts_with("https://") && secure.ca_file().is_file());
}
