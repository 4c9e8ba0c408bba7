//! The route table, and the axum router made from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware;
use signet_model::{Clock, Entropy, log_text};

use crate::guard::{Gate, enforce};
use crate::kaa::{ENDPOINT_PARAMETER, KaaResource};
use crate::{
    Authenticate, Guard, HttpMetrics, IdempotencyStore, Problem, Route, RouteEntry, TENANT_PARAMETER, TenantExists, exchange, reasons,
};

/// All routes of a surface.
#[derive(Default)]
pub struct RouteTable {
    routes: Vec<Route>,
}

/// What guards and handlers lean on.
#[derive(Clone)]
pub struct Parts {
    /// Turns tokens into callers.
    pub auth: Arc<dyn Authenticate>,
    /// Knows the tenants.
    pub tenants: Arc<dyn TenantExists>,
    /// Knows the idempotency keys.
    pub idempotency: Arc<dyn IdempotencyStore>,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where random bytes come from.
    pub entropy: Arc<dyn Entropy>,
    /// Counts requests.
    pub metrics: HttpMetrics,
    /// How long a request may take until it is answered 503.
    pub request_deadline: Duration,
}

/// Parts on the inside.
pub(crate) type Shared = Parts;

/// A route table that makes no surface: a fault in the code, found by the first test that builds it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A path that is not made of plain segments and `{parameters}`.
    #[error("{0}: a path is `/` and segments, each plain or one `{{parameter}}`, with distinct parameters")]
    Path(&'static str),
    /// The same method and path twice, or paths that differ only in the names of parameters.
    #[error("{0}: another route has this shape")]
    Duplicate(String),
    /// A route without a name, or two of one name.
    #[error("{0}: operation id `{1}` is empty or taken")]
    OperationId(&'static str, &'static str),
    /// A tenant's guard on a path that names no tenant.
    #[error("{0}: the guard wants a `{{tenant}}` in the path")]
    NoTenant(&'static str),
    /// An endpoint's guard on a path that names no endpoint.
    #[error("{0}: the guard wants an `{{endpoint}}` in the path")]
    NoEndpoint(&'static str),
    /// An idempotent route that does not know its caller.
    #[error("{0}: a public route cannot be idempotent")]
    PublicIdempotent(&'static str),
    /// A route that does not say what it answers.
    #[error("{0}: no answer is declared")]
    NoAnswer(&'static str),
}

impl RouteTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// The same with more routes.
    #[must_use]
    pub fn routes(mut self, routes: impl IntoIterator<Item = Route>) -> Self {
        self.routes.extend(routes);
        self
    }

    /// Each route apart from its handler, in the order they were added.
    pub fn entries(&self) -> impl Iterator<Item = &RouteEntry> {
        self.routes.iter().map(|route| &route.entry)
    }

    /// Refuses what would make an ambiguous or unguarded surface.
    pub fn check(&self) -> Result<(), TableError> {
        let mut shapes = BTreeMap::new();
        let (mut taken, mut names) = (BTreeSet::new(), BTreeSet::new());
        for entry in self.entries() {
            let shape = shape(entry.path).ok_or(TableError::Path(entry.path))?;
            let duplicate = || TableError::Duplicate(format!("{} {}", entry.method, entry.path));
            if *shapes.entry(shape).or_insert(entry.path) != entry.path || !taken.insert((entry.path, entry.method)) {
                return Err(duplicate());
            }
            if entry.operation_id.is_empty() || !names.insert(entry.operation_id) {
                return Err(TableError::OperationId(entry.path, entry.operation_id));
            }
            match entry.guard {
                Guard::Tenant(_) if !entry.path_parameters().any(|name| name == TENANT_PARAMETER) => {
                    return Err(TableError::NoTenant(entry.path));
                }
                Guard::Public if entry.idempotent => return Err(TableError::PublicIdempotent(entry.path)),
                Guard::Kaa(right)
                    if right.resource == KaaResource::Endpoint && !entry.path_parameters().any(|name| name == ENDPOINT_PARAMETER) =>
                {
                    return Err(TableError::NoEndpoint(entry.path));
                }
                Guard::Public | Guard::Platform | Guard::Tenant(_) | Guard::AnyCaller | Guard::Kaa(_) => {}
            }
            if entry.answers.is_empty() {
                return Err(TableError::NoAnswer(entry.path));
            }
        }
        Ok(())
    }

    /// The router: every route behind its guard, Kaa's under their aliases too, unknown paths and methods answered with problems, all of it inside the
    /// exchange layer (trace, log line, deadline, panics, headers).
    pub fn into_router(self, parts: Parts) -> Result<Router, TableError> {
        self.check()?;
        let shared = Arc::new(parts);
        let mut router = Router::new();
        for Route { entry, handler } in self.routes {
            let gate =
                Gate { shared: Arc::clone(&shared), guard: entry.guard, operation_id: entry.operation_id, idempotent: entry.idempotent };
            let guarded = handler.route_layer(middleware::from_fn_with_state(Arc::new(gate), enforce));
            for alias in entry.aliases() {
                router = router.route(&alias, guarded.clone());
            }
            router = router.route(entry.path, guarded);
        }
        let router = router.fallback(no_route).method_not_allowed_fallback(no_method);
        Ok(router.layer(middleware::from_fn_with_state(shared, exchange::exchange)))
    }
}

async fn no_route(request: Request) -> Problem {
    Problem::new(&reasons::ROUTE_NOT_FOUND, format!("there is no `{}` here", log_text(request.uri().path(), 200)))
}

async fn no_method(request: Request) -> Problem {
    let (method, path) = (request.method().as_str(), request.uri().path());
    Problem::new(&reasons::ROUTE_METHOD_NOT_ALLOWED, format!("`{}` does not take {}", log_text(path, 200), log_text(method, 32)))
}

/// The path with its parameters' names taken out; none when it is malformed.
fn shape(path: &'static str) -> Option<String> {
    let mut names = BTreeSet::new();
    let plain = |segment: &str| !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let mut shape = String::new();
    for segment in path.strip_prefix('/')?.split('/') {
        shape.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if plain(name) && names.insert(name) => shape.push('*'),
            Some(_) => return None,
            None if plain(segment) => shape.push_str(segment),
            None => return None,
        }
    }
    Some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoContent;

    fn route(path: &'static str, guard: Guard, name: &'static str) -> Route {
        Route::get(path, guard).operation_id(name).no_content().handler(async || NoContent)
    }

    #[test]
    fn tables_that_make_no_surface_are_refused() {
        let check = |routes: Vec<Route>| RouteTable::new().routes(routes).check();
        let role = signet_model::Role::Auditor;
        assert_eq!(check(vec![route("/a/{x}", Guard::Platform, "a"), route("/a/{x}/b", Guard::Platform, "b")]), Ok(()));
        for bad in ["", "a", "/a//b", "/{a}/{a}", "/a{b}", "/{*rest}", "/a b"] {
            assert_eq!(check(vec![route(bad, Guard::Platform, "a")]), Err(TableError::Path(bad)), "{bad}");
        }
        let twice = |second| check(vec![route("/a/{x}", Guard::Platform, "a"), route(second, Guard::Platform, "b")]);
        assert!(matches!(twice("/a/{x}"), Err(TableError::Duplicate(_))));
        assert!(matches!(twice("/a/{y}"), Err(TableError::Duplicate(_))));
        assert!(matches!(check(vec![route("/a", Guard::Platform, "")]), Err(TableError::OperationId(..))));
        assert!(matches!(
            check(vec![route("/a", Guard::Platform, "a"), route("/b", Guard::Platform, "a")]),
            Err(TableError::OperationId(..))
        ));
        assert_eq!(check(vec![route("/a", Guard::Tenant(role), "a")]), Err(TableError::NoTenant("/a")));
        let keyed = |path| Route::post(path, Guard::Tenant(role)).operation_id("a").idempotent().no_content().handler(async || NoContent);
        assert_eq!(check(vec![keyed("/{tenant}/a")]), Ok(()));
        assert_eq!(check(vec![keyed("/{tenant}/a/{id}")]), Ok(()));
        let silent = Route::get("/a", Guard::Platform).operation_id("a").handler(async || NoContent);
        assert_eq!(check(vec![silent]), Err(TableError::NoAnswer("/a")));
    }
}
