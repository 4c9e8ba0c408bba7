//! Every body that the routes of this room take, by name, for tools that meet bodies at run time: fuzzing, recorded
//! requests. The types themselves stay private.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use signet_http::Json;

use super::Why;
use super::api_tokens::NewApiTokenBody;
use super::certificates::CheckBody as CertificateBody;
use super::creation::NewCredential;
use super::credentials::CheckBody;
use super::identities::NewIdentityBody;
use super::kaa::basic::{NewBasicCredential, StateBody};
use super::kaa::endpoint_tokens::NewToken;
use super::kaa::x509::NewX509Credential;
use super::new_password::NewPassword;
use super::tenants::NewTenant;

/// The names of the bodies that these bytes are, read as their routes read them.
pub async fn bodies_that_accept(bytes: Bytes) -> Vec<&'static str> {
    let all = [
        ("tenant", accepts::<NewTenant>(&bytes).await),
        ("identity", accepts::<NewIdentityBody>(&bytes).await),
        ("credential", accepts::<NewCredential>(&bytes).await),
        ("check", accepts::<CheckBody>(&bytes).await),
        ("password", accepts::<NewPassword>(&bytes).await),
        ("basic-credential", accepts::<NewBasicCredential>(&bytes).await),
        ("state", accepts::<StateBody>(&bytes).await),
        ("api-token", accepts::<NewApiTokenBody>(&bytes).await),
        ("kaa-endpoint-token", accepts::<NewToken>(&bytes).await),
        ("certificate-check", accepts::<CertificateBody>(&bytes).await),
        ("kaa-x509-credential", accepts::<NewX509Credential>(&bytes).await),
        ("reason", accepts::<Why>(&bytes).await),
    ];
    all.into_iter().filter(|(_, accepted)| *accepted).map(|(name, _)| name).collect()
}

async fn accepts<T: DeserializeOwned>(bytes: &Bytes) -> bool {
    Json::<T>::from_request(Request::new(Body::from(bytes.clone())), &()).await.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_known_by_its_members() {
        for (body, names) in [
            (r#"{"id":"acme"}"#, &["tenant"][..]),
            (r#"{"name":"dev-1","kind":"device"}"#, &["identity"]),
            (r#"{"username":"bob","password":"pw"}"#, &["check", "basic-credential"]),
            (r#"{"password":"pw"}"#, &["password"]),
            (r#"{"state":"Suspended"}"#, &["state"]),
            (r#"{"state":"suspended"}"#, &[]),
            (r#"{"reason":"lost"}"#, &["reason"]),
            (r#"{"issuer":"CN=acme","serial":"1"}"#, &["certificate-check"]),
            (r#"{"commonName":"dev-1","ttl":"90m"}"#, &["kaa-x509-credential"]),
            (r#"{"csr":"-----BEGIN","ttl":60}"#, &["kaa-x509-credential"]),
            ("{}", &["kaa-x509-credential", "reason"]),
            (r#"{"id":"acme","colour":1}"#, &[]),
            ("nonsense", &[]),
        ] {
            assert_eq!(bodies_that_accept(Bytes::from_static(body.as_bytes())).await, names, "{body}");
        }
    }
}
