//! What a request leaves in the log.

use std::io;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{KAA_ROUTE, ask, plain};

/// What is written to a log.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).expect("text")
    }

    /// Everything that this thread logs, until the guard is dropped.
    pub(crate) fn of_this_thread() -> (Self, tracing::subscriber::DefaultGuard) {
        // While there is only one subscriber, tracing decides for good whether an event is of interest by what the thread that
        // comes to it first listens to; a test without a log would silence this one. With two more it asks each of them.
        static OTHERS: LazyLock<[tracing::Dispatch; 2]> = LazyLock::new(|| {
            let deaf = || tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(io::sink).finish();
            [tracing::Dispatch::new(deaf()), tracing::Dispatch::new(deaf())]
        });
        LazyLock::force(&OTHERS);
        let lines = Self::default();
        let subscriber = tracing_subscriber::fmt().json().with_max_level(tracing::Level::DEBUG).with_writer(lines.clone()).finish();
        (lines, tracing::subscriber::set_default(subscriber))
    }
}

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
    let (lines, _guard) = Lines::of_this_thread();
    let (listener, _) = plain().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let head = |token: &str| format!("Authorization: Bearer {token}\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let address = listener.address();
    ask(address, "GET", "/t/acme/things/secret-id?x=secret-query", &head("owner@acme/secret-token"), "").await;
    ask(address, "POST", "/t/acme/things", &head("platform"), r#"{"name":7,"secret-member":"secret-password"}"#).await;
    ask(address, "GET", "/panic", &head("x"), "").await;
    ask(address, "GET", "/secret-path", &head("x"), "").await;
    ask(address, "GET", KAA_ROUTE, &format!("{}Correlation-ID: c-1\r\n", head("operator@acme")), "").await;
    let text = lines.text();
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
        &format!("GET {KAA_ROUTE} 200 none api-token"),
    ];
    assert_eq!(told, wanted);
    let correlated: Vec<&Value> = ours.iter().filter_map(|line| line["span"].get("correlation_id")).collect();
    assert_eq!(correlated, ["c-1"], "on Kaa's paths alone");
    assert!(!ours.iter().any(|line| line.to_string().contains("secret")), "{text}");
    assert_eq!(ours.iter().filter(|line| line["fields"]["message"] == "panic").count(), 1);
}
