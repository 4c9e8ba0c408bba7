//! Bodies of REST: the strict reader against serde_json, which is liberal and known.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use futures_util::FutureExt;
use serde_json::Value;
use signet_http::{Json, MAX_BODY_BYTES, MAX_DEPTH};

/// What is taken, by any of the rooms' types too, is JSON of the same meaning, shallow, small and without NUL; what is refused has a reason of its own.
pub(crate) fn feed(bytes: &[u8]) {
    let accepted = signet_credentials::bodies_that_accept(bytes.to_vec().into()).now_or_never().unwrap_or_default();
    let request = Request::new(Body::from(bytes.to_vec()));
    let read = Json::<Value>::from_request(request, &()).now_or_never();
    match read.unwrap_or_else(|| panic!("a body that is there was waited for")) {
        Ok(Json(value)) => {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let known: Value = serde_json::from_slice(text).unwrap_or_else(|error| panic!("taken, and is no JSON: {error}"));
            assert!(value == known, "read as {value}, is {known}");
            assert!(bytes.len() <= MAX_BODY_BYTES && depth(&value) <= MAX_DEPTH && !holds_nul(&value), "beyond a limit");
        }
        Err(problem) => {
            assert!((400..500).contains(&problem.status().as_u16()), "{problem:?}");
            assert!(accepted.is_empty(), "no JSON, but taken as {accepted:?}");
        }
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(depth).max().unwrap_or(0) + 1,
        Value::Object(members) => members.values().map(depth).max().unwrap_or(0) + 1,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
