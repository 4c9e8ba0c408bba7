//! What a real server does not say on demand: each status, redirects, nonsense. The other side is a few lines of HTTP.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use signet_custody::vault::{VaultHealth, VaultPki};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{config, given, mount, start};

/// Answers by the request line; remembers the heads of requests.
pub(crate) struct Fake {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `answer` gets the whole request and gives a status, headers and a body.
pub(crate) async fn fake(answer: impl Fn(&str) -> (u16, String, String) + Send + Sync + 'static) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            tokio::spawn(async move {
                let mut request = Vec::new();
                let mut part = [0; 4096];
                while !whole(&request) {
                    match stream.read(&mut part).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => request.extend_from_slice(&part[..read]),
                    }
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let (status, headers, body) = answer(&request);
                log.lock().unwrap().push(request);
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
                // The asker may have given up.
                let _gone = stream.write_all(format!("{head}{body}").as_bytes()).await;
            });
        }
    });
    Fake { url, seen, task }
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

const KNOWN: &str = r#"{"data":{"ttl":0,"renewable":false}}"#;

/// A server that knows every token and gives this answer to all else.
async fn always(status: u16, body: &'static str) -> Fake {
    fake(
        move |request| {
            if request.contains("lookup-self") { (200, String::new(), KNOWN.to_owned()) } else { (status, String::new(), body.to_owned()) }
        },
    )
    .await
}

fn asker(fake: &Fake) -> Arc<VaultPki> {
    start(config(&fake.url, given("hvs.the-token")))
}

#[tokio::test]
async fn each_status_of_a_call_has_its_own_reason() {
    let cases = [
        (400, r#"{"errors":["bad hvs.the-token thing"]}"#, "custody.refused"),
        (403, r#"{"errors":["permission denied"]}"#, "custody.denied"),
        (404, r#"{"errors":[]}"#, "custody.missing"),
        (405, "", "custody.refused"),
        (412, "", "custody.busy"),
        (429, r#"{"errors":["rate limit quota exceeded"]}"#, "custody.busy"),
        (472, "", "custody.standby"),
        (473, "", "custody.standby"),
        (500, r#"{"errors":["local node not active but active cluster node not found"]}"#, "custody.standby"),
        (500, r#"{"errors":["internal error"]}"#, "custody.unavailable"),
        (501, "", "custody.uninitialised"),
        (502, "<html>", "custody.unavailable"),
        (503, r#"{"initialized":true,"sealed":true}"#, "custody.sealed"),
        (503, r#"{"errors":["no server is available"]}"#, "custody.unavailable"),
        (301, "", "custody.answer-invalid"),
        (200, "<html>", "custody.answer-invalid"),
    ];
    for (status, body, reason) in cases {
        let server = always(status, body).await;
        let error = asker(&server).ensure_mount(&mount("a")).await.unwrap_err();
        assert_eq!(error.reason().code, reason, "{status} {body}: {error}");
        assert!(!format!("{error} {error:?}").contains("hvs."), "{error}");
    }
    // A success without what belongs in it.
    let server = always(200, r#"{"data":{}}"#).await;
    let wanted = signet_custody::vault::CaRequest { issuer: "g1", common_name: "a", key_type: signet_crypto::sign::KeyType::P256 };
    let error = asker(&server).generate_ca_csr(&mount("a"), wanted).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.answer-invalid");
    assert!(error.to_string().contains("/data/csr"), "{error}");
}

#[tokio::test]
async fn each_status_of_health_is_told_apart() {
    let cases = [
        (200, "{}", VaultHealth::Active),
        (429, "{}", VaultHealth::Standby),
        (472, "{}", VaultHealth::RecoverySecondary),
        (473, "{}", VaultHealth::PerformanceStandby),
        (501, "{}", VaultHealth::Uninitialised),
        (503, r#"{"sealed":true}"#, VaultHealth::Sealed),
    ];
    for (status, body, health) in cases {
        let server = always(status, body).await;
        assert_eq!(asker(&server).health().await.unwrap(), health, "{status}");
    }
    for (status, body, reason) in
        [(503, "{}", "custody.unavailable"), (404, "", "custody.answer-invalid"), (503, "<", "custody.answer-invalid")]
    {
        let server = always(status, body).await;
        assert_eq!(asker(&server).health().await.unwrap_err().reason().code, reason, "{status} {body}");
    }
}

#[tokio::test]
async fn what_is_harmless_is_repeated_and_a_signature_only_if_it_was_not_made() {
    for (status, path, calls) in
        [(502, "sys/mounts", 3), (429, "sys/mounts", 3), (502, "/sign/", 1), (429, "/sign/", 3), (400, "sys/mounts", 1)]
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let server = fake(move |request| {
            if request.contains("lookup-self") {
                return (200, String::new(), KNOWN.to_owned());
            }
            if request.contains(path) {
                count.fetch_add(1, Ordering::SeqCst);
            }
            (status, String::new(), "{}".to_owned())
        })
        .await;
        let vault = asker(&server);
        if path == "/sign/" {
            super::sign(&vault, &mount("a")).await.unwrap_err();
        } else {
            vault.ensure_mount(&mount("a")).await.unwrap_err();
        }
        assert_eq!(asked.load(Ordering::SeqCst), calls, "{status} {path}");
    }
}

#[tokio::test]
async fn every_request_says_what_it_is_and_in_which_namespace() {
    let server = always(204, "").await;
    let vault = start(signet_custody::vault::VaultConfig {
        namespace: Some("team/a".to_owned()),
        ..config(&server.url, given(" hvs.the-token\n"))
    });
    vault.ensure_mount(&mount("a")).await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    assert!(!seen.is_empty());
    for request in seen {
        let head = request.to_ascii_lowercase();
        assert!(head.contains("x-vault-request: true\r\n") && head.contains("x-vault-namespace: team/a\r\n"), "{request}");
        assert!(request.contains("x-vault-token: hvs.the-token\r\n"), "{request}");
    }
}

/// A standby before `to`, which a redirect names with its host replaced by `host`.
async fn standby(status: u16, location: String) -> Fake {
    fake(move |request| {
        let path = request.split(' ').nth(1).unwrap().to_owned();
        (status, format!("Location: {location}{path}\r\n"), String::new())
    })
    .await
}

#[tokio::test]
async fn a_redirect_of_a_standby_is_followed_once_with_the_token_and_only_within_the_cluster() {
    let active = always(204, "").await;
    let port = active.url.rsplit(':').next().unwrap().to_owned();
    // Same host, another port.
    let near = standby(307, active.url.clone()).await;
    start(config(&near.url, given("hvs.the-token"))).ensure_mount(&mount("a")).await.unwrap();
    assert!(active.seen.lock().unwrap().iter().all(|request| request.contains("x-vault-token: hvs.the-token")));

    // Another name: refused until it is listed.
    let far = standby(307, format!("http://localhost:{port}")).await;
    let before = active.seen.lock().unwrap().len();
    let error = start(config(&far.url, given("hvs.the-token"))).ensure_mount(&mount("a")).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.redirect-refused");
    assert!(error.to_string().contains("localhost"), "{error}");
    assert_eq!(active.seen.lock().unwrap().len(), before, "the token went nowhere");
    let listed =
        signet_custody::vault::VaultConfig { cluster_hosts: vec!["LOCALHOST".to_owned()], ..config(&far.url, given("hvs.the-token")) };
    start(listed).ensure_mount(&mount("a")).await.unwrap();

    // Round and round, elsewhere, or of another kind.
    let first = standby(307, "http://127.0.0.1:1/other".to_owned()).await;
    assert_eq!(start(config(&first.url, given("t"))).ensure_mount(&mount("a")).await.unwrap_err().reason().code, "custody.answer-invalid");
    let again = standby(307, near.url.clone()).await;
    assert_eq!(start(config(&again.url, given("t"))).ensure_mount(&mount("a")).await.unwrap_err().reason().code, "custody.answer-invalid");
    let found = standby(302, active.url.clone()).await;
    assert_eq!(start(config(&found.url, given("t"))).ensure_mount(&mount("a")).await.unwrap_err().reason().code, "custody.answer-invalid");
}

#[tokio::test]
async fn an_address_that_is_not_allowed_is_not_asked() {
    let server = always(200, "{}").await;
    let narrow = signet_custody::vault::VaultConfig::new(&server.url, given("t"), "pki");
    let error = VaultPki::start(narrow, Arc::new(signet_crypto::SystemEntropy)).err().unwrap();
    assert_eq!(error.reason().code, "custody.config-invalid");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let endless = "x".repeat(17 * 1024 * 1024);
    let server =
        fake(
            move |request| {
                if request.contains("lookup-self") { (200, String::new(), KNOWN.to_owned()) } else { (200, String::new(), endless.clone()) }
            },
        )
        .await;
    let error = asker(&server).serials(&mount("a")).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.answer-invalid");
    assert!(error.to_string().contains("longer than"), "{error}");
}
