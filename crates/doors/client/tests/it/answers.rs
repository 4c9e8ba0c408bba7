//! What becomes of answers.

use std::time::Duration;

use signet_client::{Client, ClientConfig, ClientError, PageRequest, Transition, TransitionRequest, probe};

use crate::server::Canned;

fn config(server: &Canned, dir: &tempfile::TempDir) -> ClientConfig {
    std::fs::write(dir.path().join("operator.token"), "sgo_abc\n").unwrap();
    ClientConfig {
        data_dir: dir.path().to_path_buf(),
        server: Some(format!("http://{}", server.address)),
        token_file: None,
        ca_file: None,
        timeout: Duration::from_secs(5),
    }
}

async fn tenants(server: &Canned) -> ClientError {
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(&config(server, &dir)).unwrap();
    client.tenants(&PageRequest::default()).await.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_problem_is_taken_whole() {
    let body = r#"{"type":"about:blank","title":"x","status":409,"reason":"tenant.exists","detail":"d","fix":"f","trace_id":"t"}"#;
    let server = Canned::answering(409, "application/problem+json", body);
    let error = tenants(&server).await;
    assert!(matches!(error, ClientError::Refused(_)));
    let problem = error.problem();
    assert_eq!((problem.reason.as_str(), problem.status, problem.exit() as u8), ("tenant.exists", 409, 5));
    assert_eq!((problem.detail.as_str(), problem.fix.as_deref(), problem.trace_id.as_deref()), ("d", Some("f"), Some("t")));
    let asked = server.asked();
    assert!(asked.starts_with("GET /api/v1/tenants HTTP/1.1\r\n") && asked.contains("authorization: Bearer sgo_abc\r\n"), "{asked}");
}

#[tokio::test]
async fn members_of_a_newer_server_are_kept() {
    let body = r#"{"id":"br7si8mg10l7an82que0","kind":"basic","username":"bob","state":"Suspended","identity":null,"created_at":"2026-01-02T03:04:05.000006Z","last_used_at":null,"changed":true,"colour":"red"}"#;
    let server = Canned::answering(200, "application/json", body);
    let dir = tempfile::tempdir().unwrap();
    let client = Client::open(&config(&server, &dir)).unwrap();
    let moved = client.transition("acme", "br7si8mg10l7an82que0", Transition::Suspend, &TransitionRequest::default()).await.unwrap();
    assert_eq!(moved.changed, Some(true));
    let shown = serde_json::to_value(&moved).unwrap();
    assert_eq!((&shown["colour"], &shown["last_used_at"]), (&"red".into(), &serde_json::Value::Null));
    assert!(server.asked().starts_with("POST /api/v1/tenants/acme/credentials/br7si8mg10l7an82que0/suspend HTTP/1.1\r\n"));
}

#[tokio::test]
async fn what_is_no_answer_of_ours_is_said_to_be_none() {
    for (status, body) in [(200, "<html>"), (200, "{}"), (502, "<html>"), (404, "{\"error\":\"x\"}"), (302, "")] {
        let server = Canned::answering(status, "text/html", body);
        let problem = tenants(&server).await.problem();
        assert_eq!((problem.reason.as_str(), problem.exit() as u8), ("server.answer-not-understood", 7), "{status} {body}");
        assert!(problem.detail.contains(&server.address.to_string()), "{}", problem.detail);
    }
}

#[tokio::test]
async fn a_redirect_carries_no_token_away() {
    let elsewhere = Canned::answering(200, "application/json", "{\"items\":[],\"next\":null}");
    let head = format!(
        "HTTP/1.1 307 X\r\nLocation: http://{}/api/v1/tenants\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        elsewhere.address
    );
    let server = Canned::start(head, Duration::ZERO);
    assert_eq!(tenants(&server).await.problem().reason, "server.answer-not-understood");
    assert!(!elsewhere.was_asked());
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let mut endless = b"HTTP/1.1 200 X\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n".to_vec();
    endless.resize(endless.len() + 17 * 1024 * 1024, b' ');
    let problem = tenants(&Canned::start(endless, Duration::ZERO)).await.problem();
    assert_eq!(problem.reason, "server.answer-not-understood");
}

#[tokio::test]
async fn silence_and_absence_are_unreachable_with_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let silent = Canned::start("", Duration::from_secs(3));
    let mut config = config(&silent, &dir);
    config.timeout = Duration::from_millis(200);
    let problem = Client::open(&config).unwrap().tenants(&PageRequest::default()).await.map(|_| ()).unwrap_err().problem();
    assert_eq!((problem.reason.as_str(), problem.exit() as u8), ("server.unreachable", 7));
    assert!(problem.detail.contains(&silent.address.to_string()) && problem.detail.contains("in time"), "{}", problem.detail);
    config.server = None;
    let problem = Client::open(&config).map(|_| ()).unwrap_err().problem();
    assert!(problem.detail.contains("endpoint.json does not exist"), "{}", problem.detail);
}

#[tokio::test]
async fn the_management_listener_is_probed_without_a_token() {
    let server = Canned::answering(500, "text/plain", "database: away\n");
    let (status, text) = probe(&server.address.to_string(), "/health", Duration::from_secs(5)).await.unwrap();
    assert_eq!((status, text.as_str()), (500, "database: away\n"));
    assert!(!server.asked().contains("authorization"));
}
