//! What a listener serves: a router that can be put in place later. Until then every request is told to come again.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use signet_model::Entropy;
use tower::Service as _;

use crate::trace::{self, TRACE_ID_HEADER};
use crate::{Problem, reasons};

/// A router, or the answer `starting` until there is one. Clones share it.
#[derive(Clone)]
pub struct Site {
    router: Arc<ArcSwapOption<Router>>,
    entropy: Option<Arc<dyn Entropy>>,
}

impl Site {
    /// A site that answers 503 `starting` until [`Site::open`]; `entropy` makes the trace ids of those answers.
    pub fn starting(entropy: Arc<dyn Entropy>) -> Self {
        Self { router: Arc::new(ArcSwapOption::empty()), entropy: Some(entropy) }
    }

    /// A site that serves `router` from the start.
    pub fn of(router: Router) -> Self {
        Self { router: Arc::new(ArcSwapOption::from_pointee(router)), entropy: None }
    }

    /// Serves `router` from the next request on.
    pub fn open(&self, router: Router) {
        self.router.store(Some(Arc::new(router)));
    }

    /// Whether there is a router.
    pub fn is_open(&self) -> bool {
        self.router.load().is_some()
    }

    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let router = self.router.load().as_deref().cloned();
        match router {
            Some(mut router) => match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            },
            None => not_yet(request.headers(), self.entropy.as_deref()),
        }
    }
}

/// A router that answers everything as a [`Site`] does that has not opened yet; for a listener whose other routes are there
/// before the API is ([`Management::beside`](crate::Management::beside)).
pub fn starting_router(entropy: Arc<dyn Entropy>) -> Router {
    Router::new().fallback(move |headers: HeaderMap| {
        let entropy = Arc::clone(&entropy);
        async move { not_yet(&headers, Some(entropy.as_ref())) }
    })
}

fn not_yet(asked: &HeaderMap, entropy: Option<&dyn Entropy>) -> Response {
    let trace = entropy.map(|entropy| trace::of(asked, entropy));
    let mut response = Problem::new(&reasons::STARTING, "the server has not finished starting").render(trace.as_ref());
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(trace.as_str()).ok()) {
        headers.insert(TRACE_ID_HEADER, trace);
    }
    response
}
