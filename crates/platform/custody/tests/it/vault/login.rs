//! Logins, renewal, and tokens that end while Signet runs.

use std::time::Duration;

use signet_custody::vault::VaultPki;

use super::statuses::fake;
use super::*;

/// A server with AppRole, a role that may do all below `pki`, whose tokens live `seconds`; and its role id and a secret id.
fn approle(bao: &TestBao, seconds: u32) -> (String, String) {
    policy(bao, "pki", "pki/*");
    // Another test may have enabled it.
    let _there_already = bao.api("POST", "sys/auth/approle", &json!({"type": "approle"})).unwrap();
    let role = format!("auth/approle/role/signet-{seconds}");
    bao.must(
        "POST",
        &role,
        &json!({"token_policies": ["pki"], "token_ttl": format!("{seconds}s"), "token_max_ttl": format!("{}s", seconds * 3)}),
    );
    let text = |value: Value, at: &str| value.pointer(at).and_then(Value::as_str).unwrap().to_owned();
    let role_id = text(bao.must("GET", &format!("{role}/role-id"), &Value::Null), "/data/role_id");
    let secret_id = text(bao.must("POST", &format!("{role}/secret-id"), &json!({})), "/data/secret_id");
    (role_id, secret_id)
}

fn by_approle(bao: &TestBao, role_id: &str, secret_id: PathBuf) -> Arc<VaultPki> {
    let secret_id = SecretSource::File(secret_id);
    start(config(&bao.url(), VaultAuth::AppRole { mount: "approle".to_owned(), role_id: role_id.to_owned(), secret_id }))
}

#[tokio::test]
async fn approle_logs_in_with_a_secret_id_that_ends_in_a_line_end() {
    let bao = shared();
    let (role_id, secret_id) = approle(bao, 600);
    let dir = tempfile::tempdir().unwrap();
    let (mount, _) = ready(&as_root(bao), "approle", &Platform::new()).await;
    let path = file(dir.path(), "secret-id", format!("{secret_id}\r\n"));
    let vault = by_approle(bao, &role_id, path.clone());
    sign(&vault, &mount).await.unwrap();
    // A wrong one is refused without its value; the next login reads the file again.
    let wrong = file(dir.path(), "wrong", "0123-not-a-secret-id\n");
    let vault = by_approle(bao, &role_id, wrong.clone());
    let error = sign(&vault, &mount).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.login-refused");
    assert!(!format!("{error} {error:?}").contains("0123"), "{error}");
    std::fs::copy(&path, &wrong).unwrap();
    let outcome = until(|| async { sign(&vault, &mount).await.is_ok() }).await;
    assert!(outcome, "after the pause it logs in with what the file holds now");
    let two_lines = by_approle(bao, &role_id, file(dir.path(), "two", "a\nb\n"));
    assert_eq!(sign(&two_lines, &mount).await.unwrap_err().reason().code, "custody.bad-token-file");
}

#[tokio::test]
async fn a_token_that_is_revoked_or_expires_is_replaced_by_a_new_login_in_the_same_call() {
    let bao = shared();
    let (role_id, secret_id) = approle(bao, 600);
    let dir = tempfile::tempdir().unwrap();
    let (mount, _) = ready(&as_root(bao), "revoked", &Platform::new()).await;
    let vault = by_approle(bao, &role_id, file(dir.path(), "secret-id", &secret_id));
    for _ in 0..2 {
        sign(&vault, &mount).await.unwrap();
        let accessors = bao.must("LIST", "auth/token/accessors", &Value::Null);
        for accessor in accessors.pointer("/data/keys").and_then(Value::as_array).unwrap() {
            let found = bao.must("POST", "auth/token/lookup-accessor", &json!({"accessor": accessor}));
            let ours = found.pointer("/data/meta/role_name") == Some(&json!("signet-600")) && found.pointer("/data/ttl") != Some(&json!(0));
            if ours {
                bao.must("POST", "auth/token/revoke-accessor", &json!({"accessor": accessor}));
            }
        }
    }
    sign(&vault, &mount).await.unwrap();
    vault.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn short_leases_are_renewed_and_had_anew_while_calls_go_on() {
    let bao = shared();
    let (role_id, secret_id) = approle(bao, 2);
    let dir = tempfile::tempdir().unwrap();
    let (mount, _) = ready(&as_root(bao), "leases", &Platform::new()).await;
    let vault = by_approle(bao, &role_id, file(dir.path(), "secret-id", &secret_id));
    // Beyond two greatest ages of 6 s: renewed several times, had anew at least once.
    let end = tokio::time::Instant::now() + Duration::from_secs(13);
    while tokio::time::Instant::now() < end {
        sign(&vault, &mount).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_token_file_is_trimmed_read_anew_and_its_end_named() {
    let bao = shared();
    policy(bao, "pki", "pki/*");
    let dir = tempfile::tempdir().unwrap();
    let (mount, _) = ready(&as_root(bao), "file", &Platform::new()).await;
    let first = token(bao, &["pki"], 600);
    let path = file(dir.path(), "token", format!("{first}\n"));
    let vault = start(config(&bao.url(), VaultAuth::Token { token: SecretSource::File(path.clone()) }));
    sign(&vault, &mount).await.unwrap();
    bao.must("POST", "auth/token/revoke", &json!({"token": first}));
    let error = sign(&vault, &mount).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.login-refused");
    assert!(!format!("{error} {error:?}").contains(&first), "{error}");
    file(dir.path(), "token", format!("{}\r\n", token(bao, &["pki"], 600)));
    assert!(until(|| async { sign(&vault, &mount).await.is_ok() }).await);
    for bad in ["", "\n", "two words", "\u{feff}hvs.x"] {
        let vault = start(config(&bao.url(), VaultAuth::Token { token: SecretSource::File(file(dir.path(), "bad", bad)) }));
        assert_eq!(sign(&vault, &mount).await.unwrap_err().reason().code, "custody.bad-token-file", "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubernetes_logs_in_with_the_token_of_the_pod() {
    let bao = shared();
    policy(bao, "pki", "pki/*");
    let cluster = fake(|request| {
        assert!(request.contains("/apis/authentication.k8s.io/v1/tokenreviews"), "{request}");
        let user = r#"{"username":"system:serviceaccount:signet:signet","uid":"1","groups":[]}"#;
        let good = request.contains("eyJ");
        (201, "Content-Type: application/json\r\n".to_owned(), format!(r#"{{"status":{{"authenticated":{good},"user":{user}}}}}"#))
    })
    .await;
    bao.must("POST", "sys/auth/kubernetes", &json!({"type": "kubernetes"}));
    let settings = json!({"kubernetes_host": cluster.url, "disable_local_ca_jwt": true, "disable_iss_validation": true, "token_reviewer_jwt": JWT, "kubernetes_ca_cert": Platform::new().certificate.to_pem()});
    bao.must("POST", "auth/kubernetes/config", &settings);
    let role = json!({"bound_service_account_names": ["signet"], "bound_service_account_namespaces": ["signet"], "token_policies": ["pki"], "token_ttl": "600s"});
    bao.must("POST", "auth/kubernetes/role/signet", &role);
    let dir = tempfile::tempdir().unwrap();
    let jwt_file = file(dir.path(), "token", format!("{JWT}\n"));
    super::super::set_mode(&jwt_file, 0o644);
    let auth = |role: &str| VaultAuth::Kubernetes { mount: "kubernetes".to_owned(), role: role.to_owned(), jwt_file: jwt_file.clone() };
    let (mount, _) = ready(&as_root(bao), "kubernetes", &Platform::new()).await;
    sign(&start(config(&bao.url(), auth("signet"))), &mount).await.unwrap();
    let error = sign(&start(config(&bao.url(), auth("nobody"))), &mount).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.login-refused");
    assert!(!format!("{error} {error:?}").contains(JWT), "{error}");
}

#[tokio::test]
async fn a_refused_login_is_not_repeated_at_once() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let server = fake(move |_| {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        (403, String::new(), r#"{"errors":["permission denied"]}"#.to_owned())
    })
    .await;
    let vault = start(config(&server.url, given("hvs.gone")));
    for _ in 0..50 {
        assert_eq!(sign(&vault, &mount("a")).await.unwrap_err().reason().code, "custody.login-refused");
    }
    assert!(asked.load(std::sync::atomic::Ordering::SeqCst) <= 5, "{asked:?}");
}

#[tokio::test]
async fn a_namespace_has_its_own_mounts() {
    let bao = shared();
    bao.must("POST", "sys/namespaces/team", &json!({}));
    let inside =
        start(signet_custody::vault::VaultConfig { namespace: Some("team".to_owned()), ..config(&bao.url(), given(bao.root_token())) });
    let (mount, _) = ready(&inside, "namespaced", &Platform::new()).await;
    sign(&inside, &mount).await.unwrap();
    assert_eq!(sign(&as_root(bao), &mount).await.unwrap_err().reason().code, "custody.missing");
    let elsewhere =
        signet_custody::vault::VaultConfig { namespace: Some("none".to_owned()), ..config(&bao.url(), given(bao.root_token())) };
    assert!(sign(&start(elsewhere), &mount).await.is_err());
}

/// Waits for something that comes by itself; false after half a minute.
async fn until<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) -> bool {
    for _ in 0..300 {
        if holds().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// The token of a service account: header, claims (`sub`, namespace, name), a signature that only the cluster looks at.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50Iiwia3ViZXJuZXRlcy5pby9zZXJ2aWNlYWNjb3VudC9uYW1lc3BhY2UiOiJzaWduZXQiLCJrdWJlcm5ldGVzLmlvL3NlcnZpY2VhY2NvdW50L3NlcnZpY2UtYWNjb3VudC5uYW1lIjoic2lnbmV0Iiwia3ViZXJuZXRlcy5pby9zZXJ2aWNlYWNjb3VudC9zZXJ2aWNlLWFjY291bnQudWlkIjoiMSIsInN1YiI6InN5c3RlbTpzZXJ2aWNlYWNjb3VudDpzaWduZXQ6c2lnbmV0In0.c2lnbmF0dXJl";
