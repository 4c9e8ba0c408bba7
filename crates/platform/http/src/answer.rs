//! What a handler answers when it does not refuse: a status, a JSON value, where the new thing is, and its tag.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::Problem;

/// A good answer with the JSON value `T`.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    status: StatusCode,
    location: Option<String>,
    tag: Option<String>,
    value: T,
}

impl<T> Answer<T> {
    /// 200 with a value.
    pub fn ok(value: T) -> Self {
        Self { status: StatusCode::OK, location: None, tag: None, value }
    }

    /// 201 with the new thing and its path.
    pub fn created(location: impl Into<String>, value: T) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location.into()), tag: None, value }
    }

    /// The same with the thing's strong `ETag`, given without its quotes.
    #[must_use]
    pub fn with_tag(self, tag: impl Into<String>) -> Self {
        Self { tag: Some(tag.into()), ..self }
    }

    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The path of the new thing, of a 201.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }
}

impl<T: Serialize> Answer<T> {
    /// The body's bytes: JSON and a newline. The same value gives the same bytes.
    pub fn encode(&self) -> Result<Vec<u8>, Problem> {
        let mut body = serde_json::to_vec(&self.value).map_err(|error| Problem::internal(&error))?;
        body.push(b'\n');
        Ok(body)
    }
}

/// 204: done, and nothing to say.
#[derive(Clone, Copy, Debug)]
pub struct NoContent;

/// A JSON answer from finished bytes.
pub(crate) fn json_response(status: StatusCode, location: Option<&str>, body: Vec<u8>) -> Response {
    let mut response = (status, body).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = location {
        match HeaderValue::from_str(location) {
            Ok(value) => drop(response.headers_mut().insert(header::LOCATION, value)),
            Err(_) => return Problem::internal(&"a location is no header value").into_response(),
        }
    }
    response
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match self.encode() {
            Ok(body) => match (json_response(self.status, self.location.as_deref(), body), self.tag) {
                (response, None) => response,
                (mut response, Some(tag)) => match HeaderValue::from_str(&format!("\"{tag}\"")) {
                    Ok(value) => {
                        response.headers_mut().insert(header::ETAG, value);
                        response
                    }
                    Err(_) => Problem::internal(&"an entity tag is no header value").into_response(),
                },
            },
            Err(problem) => problem.into_response(),
        }
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}
