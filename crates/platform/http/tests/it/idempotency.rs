//! `Idempotency-Key` as a caller sees it.

use crate::support::{plain, post};

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer_byte_for_byte() {
    let (listener, _) = plain().await;
    let create =
        async |key: &str, body: &str| post(listener.address(), "/t/acme/things", &format!("Idempotency-Key: {key}\r\n"), body).await;
    let first = create("k-1", r#"{"name":"a"}"#).await;
    let again = create("k-1", r#"{"name":"a"}"#).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.body, again.body);
    assert_eq!((first.headers.get("idempotency-replayed"), again.headers["idempotency-replayed"].as_str()), (None, "true"));
    assert_eq!(create("running", r#"{"name":"a"}"#).await.status, 409);
    assert_eq!(create("a b", r#"{"name":"a"}"#).await.reason(), "idempotency.key-invalid");
    assert_eq!(create("k-2", r#"{"nmae":"a"}"#).await.status, 400);
    assert_eq!(create("k-2", r#"{"name":"b"}"#).await.json()["name"], "b", "a refused request used no key up");
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    assert_eq!(create("k-3", &large).await.status, 413);
}
