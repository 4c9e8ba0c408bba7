//! Kaa's own REST (`kaa.md` 15 and 17): every row of its tables, as a client of Kaa sees it.

mod calls;
mod correlation;
mod endpoint_tokens;
mod errors;
mod lists;
mod who;
mod x509;

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::house::House;

const LIST: &str = "/api/v1/basic-credentials";

/// An answer with all that a client can see of it.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    fn good(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        if !self.text.is_empty() {
            assert_eq!(self.header("content-type"), "application/json");
        }
        self
    }

    /// The message of a refusal, whose form is the documented one to the byte.
    #[track_caller]
    fn message(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!((self.header("content-type"), self.header("x-content-type-options")), ("application/json", "nosniff"));
        let body = self.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        let message = body["message"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        assert_eq!(self.text, format!("{}\n", serde_json::json!({ "message": message })));
        message
    }
}

/// A call as the operator, who names the tenant `acme`.
async fn call(house: &House, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
    let headers = [&[("signet-tenant", "acme")], headers].concat();
    let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
    bytes(house, method, path, &house.token, &headers, body).await
}

/// A call as whoever holds `token`.
async fn bytes(house: &House, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = house.raw(request.body(Body::from(body)).unwrap()).await;
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text }
}

async fn get(house: &House, path: &str) -> Reply {
    call(house, "GET", path, &[], None).await
}

async fn put(house: &House, path: &str, body: &Value) -> Reply {
    call(house, "PUT", path, &[], Some(body)).await
}

/// Makes a basic credential in `acme` on Kaa's path; its id.
async fn made(house: &House, username: &str) -> String {
    let body = serde_json::json!({ "username": username, "password": "pw" });
    let reply = call(house, "POST", LIST, &[], Some(&body)).await.good(201);
    reply.json()["id"].as_str().unwrap().to_owned()
}
