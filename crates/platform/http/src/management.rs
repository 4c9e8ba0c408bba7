//! The management surface (`kaa.md` 17.4): `/health`, `/ready`, `/metrics`, for probes and Prometheus. No token, so nothing
//! here tells versions, tenants or paths, and nothing changes anything.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderName, HeaderValue, StatusCode, header};
use prometheus_client::registry::Registry;
use signet_model::log_text;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{HealthSource, exposition};

/// Longest line of a health answer, in characters.
const MAX_LINE: usize = 300;

/// What the management surface shows.
#[derive(Clone)]
pub struct Management {
    /// How everything is.
    pub health: Arc<dyn HealthSource>,
    /// All metrics.
    pub registry: Arc<Registry>,
}

impl Management {
    /// The router; serve it with [`Limits::management`](crate::Limits::management).
    pub fn into_router(self) -> Router {
        let router = self.routes().fallback(async || text(StatusCode::NOT_FOUND, "There is /health, /ready and /metrics.\n".to_owned()));
        finished(router)
    }

    /// The management surface and `api` on one listener, as Kaa's own services have it: everything that is not
    /// `/health`, `/ready` or `/metrics` is the API's.
    pub fn beside(self, api: Router) -> Router {
        // The API's own fallback and layers stay its own; only one of the two routers may have a fallback.
        finished(self.routes()).merge(api)
    }

    fn routes(self) -> Router {
        let routes = [("/health", get(health)), ("/ready", get(ready)), ("/metrics", get(metrics))];
        routes
            .into_iter()
            .fold(Router::new(), |router, (path, handler)| router.route(&format!("{path}/"), handler.clone()).route(path, handler))
            .method_not_allowed_fallback(async || text(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD.\n".to_owned()))
            .with_state(self)
    }
}

fn finished(router: Router) -> Router {
    let fixed = |name: HeaderName, value: &'static str| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::CACHE_CONTROL, "no-store"))
}

fn text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!(target: "signet::http", "panic on the management listener");
    text(StatusCode::INTERNAL_SERVER_ERROR, "internal\n".to_owned())
}

async fn health(State(management): State<Management>) -> Response {
    lines(&management, StatusCode::INTERNAL_SERVER_ERROR)
}

async fn ready(State(management): State<Management>) -> Response {
    lines(&management, StatusCode::SERVICE_UNAVAILABLE)
}

/// `name: ok` for each when all is well, else what is wrong, one per line; and in any case what is well only by an operator's word.
fn lines(management: &Management, unwell: StatusCode) -> Response {
    let lines = management.health.lines();
    let well = lines.iter().all(|line| line.ok);
    let told = lines.iter().filter(|line| line.ok == well || !line.detail.is_empty()).map(|line| {
        let state = if line.ok && line.detail.is_empty() { "ok" } else { line.detail.as_str() };
        format!("{}: {}\n", line.name, log_text(state, MAX_LINE))
    });
    text(if well { StatusCode::OK } else { unwell }, told.collect())
}

async fn metrics(State(management): State<Management>) -> Response {
    match exposition::render(&management.registry) {
        Ok(text) => ([(header::CONTENT_TYPE, exposition::MEDIA_TYPE)], text).into_response(),
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written\n".to_owned()),
    }
}
