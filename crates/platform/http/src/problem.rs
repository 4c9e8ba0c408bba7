//! The one shape of errors on our own surface: RFC 9457 problem details with `reason`, `fix` and `trace_id` (design 8).
//! Foreign protocols keep their own bodies and do not use this.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use signet_model::{Reason, Refusal, TraceId, kinds};
use utoipa::ToSchema;

/// Media type of every problem.
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// A refusal on its way to the caller. The trace id is filled in where the answer leaves, by the exchange layer.
#[derive(Clone, Debug)]
pub struct Problem {
    refusal: Refusal,
}

/// The body of every error answer, as RFC 9457 section 3.1 lays it out, with our extension members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: `reason` is what programs tell problems apart by.
    #[serde(rename = "type")]
    pub kind: String,
    /// The phrase of the status.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable code of the reason, such as `credential.suspended`.
    pub reason: String,
    /// What was refused and why, with the value seen.
    pub detail: String,
    /// What to do about it.
    pub fix: String,
    /// Finds this request in the server's log and in the audit log.
    pub trace_id: String,
}

impl Problem {
    /// A problem with its particulars.
    pub fn new(reason: &'static Reason, detail: impl Into<String>) -> Self {
        Self { refusal: Refusal::new(reason, detail) }
    }

    /// The same with a more helpful fix.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.refusal = self.refusal.with_fix(fix);
        self
    }

    /// The refusal that this problem tells of.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    /// The HTTP status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.refusal.reason.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body with the trace id of the request.
    pub fn body(&self, trace: Option<&TraceId>) -> ProblemBody {
        ProblemBody {
            kind: "about:blank".to_owned(),
            title: self.status().canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status().as_u16(),
            reason: self.refusal.reason.code.to_owned(),
            detail: self.refusal.detail.clone(),
            fix: self.refusal.fix().to_owned(),
            trace_id: trace.map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The whole answer under `trace`.
    pub(crate) fn render(&self, trace: Option<&TraceId>) -> Response {
        let mut text = serde_json::to_vec(&self.body(trace)).unwrap_or_default();
        text.push(b'\n');
        let mut response = (self.status(), text).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        self.add_headers(response.headers_mut());
        response
    }

    /// The headers that belong to the status, whatever the body looks like.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        match self.status() {
            StatusCode::UNAUTHORIZED => {
                // RFC 6750 section 3: without a token the challenge names no error.
                let missing = self.refusal.reason == &crate::reasons::AUTH_MISSING;
                let challenge = if missing { "Bearer" } else { "Bearer error=\"invalid_token\"" };
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                // In whole seconds (RFC 9110 section 10.2.3), and never too early.
                let wait = self.refusal.retry_after.unwrap_or_default();
                let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            // The rest of such a request is not worth reading.
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { refusal }
    }
}

impl Problem {
    /// A fault of ours. What happened goes to the log, not to the caller.
    pub fn internal(what: &dyn std::fmt::Display) -> Self {
        tracing::error!(target: "signet::http", error = %what, "internal");
        Self::new(&kinds::INTERNAL, "the server failed to answer this request")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons;

    static LATER: Reason = Reason { code: "test.later", status: 429, title: "x", fix: "x" };

    #[test]
    fn a_problem_says_reason_fix_and_trace() {
        let trace: TraceId = "0123456789abcdef0123456789abcdef".parse().expect("trace id");
        let body = Problem::new(&reasons::TENANT_NOT_FOUND, "tenant `x` does not exist").body(Some(&trace));
        assert_eq!((body.status, body.reason.as_str(), body.title.as_str()), (404, "tenant.not-found", "Not Found"));
        assert_eq!(body.trace_id, trace.to_string());
        assert!(body.fix.contains("signet tenant list"));
    }

    #[test]
    fn a_401_challenges_and_a_503_or_429_says_when_to_come_back() {
        let challenge = |reason| Problem::new(reason, "x").into_response().headers().get(header::WWW_AUTHENTICATE).cloned();
        assert_eq!(challenge(&reasons::AUTH_MISSING).expect("challenge"), "Bearer");
        assert_eq!(challenge(&reasons::AUTH_EXPIRED).expect("challenge"), "Bearer error=\"invalid_token\"");
        assert_eq!(Problem::new(&reasons::STARTING, "x").into_response().headers()[header::RETRY_AFTER], "1");
        let later = Refusal::new(&LATER, "x").with_retry_after(std::time::Duration::from_millis(2_001));
        assert_eq!(Problem::from(later).into_response().headers()[header::RETRY_AFTER], "3");
    }
}
