//! What a request leaves in the log.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{ask, plain};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

// One thread, so that the subscriber of this test sees the tasks of its server.
#[tokio::test]
async fn each_request_is_one_line_with_its_trace_and_without_secrets() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(lines.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (listener, _) = plain().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let head = |token: &str| format!("Authorization: Bearer {token}\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let address = listener.address();
    ask(address, "GET", "/t/acme/things/secret-id?x=secret-query", &head("owner@acme/secret-token"), "").await;
    ask(address, "POST", "/t/acme/things", &head("platform"), r#"{"name":7,"secret-member":"secret-password"}"#).await;
    ask(address, "GET", "/panic", &head("x"), "").await;
    ask(address, "GET", "/secret-path", &head("x"), "").await;
    let text = String::from_utf8(lines.0.lock().clone()).expect("text");
    let ours = text.lines().filter(|line| line.contains("signet::http"));
    let ours: Vec<Value> = ours.map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let answered = ours.iter().filter(|line| line["fields"]["message"] == "answered");
    let told: Vec<String> = answered
        .map(|line| {
            assert_eq!(line["span"]["trace_id"], trace);
            assert!(line["fields"]["micros"].is_u64());
            ["method", "route", "status", "reason", "caller"].map(|name| line["fields"][name].to_string().replace('"', "")).join(" ")
        })
        .collect();
    let wanted = [
        "GET /t/{tenant}/things/{id} 200 none api-token",
        "POST /t/{tenant}/things 400 input.invalid operator-token",
        "GET /panic 500 internal none",
        "GET none 404 route.not-found none",
    ];
    assert_eq!(told, wanted);
    assert!(!ours.iter().any(|line| line.to_string().contains("secret")), "{text}");
    assert_eq!(ours.iter().filter(|line| line["fields"]["message"] == "panic").count(), 1);
}
