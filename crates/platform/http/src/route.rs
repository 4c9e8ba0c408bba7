//! One entry per route: method, path, guard, what it takes, answers and refuses. Router, OpenAPI document and the list of
//! guards are all made from it.

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use signet_model::Reason;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::openapi::{Ref, RefOr};

use crate::Guard;

/// HTTP methods of our routes. HEAD is answered on every GET route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes in part.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name as sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A schema as a route uses it, with those that it refers to.
#[derive(Clone)]
pub(crate) struct SchemaUse {
    pub(crate) name: String,
    pub(crate) own: RefOr<Schema>,
    pub(crate) others: Vec<(String, RefOr<Schema>)>,
}

impl SchemaUse {
    fn of<T: ToSchema>() -> Self {
        let mut others = Vec::new();
        T::schemas(&mut others);
        Self { name: T::name().into_owned(), own: T::schema(), others }
    }
}

/// What a route is, apart from its handler.
#[derive(Clone)]
pub struct RouteEntry {
    /// Method.
    pub method: Method,
    /// Path with `{parameters}`.
    pub path: &'static str,
    /// Who passes.
    pub guard: Guard,
    /// Unique name, such as `credentialSuspend`; clients are generated from it.
    pub operation_id: &'static str,
    /// One line on what it does.
    pub summary: &'static str,
    /// Reasons that the handler answers, besides those of the surface itself.
    pub reasons: Vec<&'static Reason>,
    /// Whether it takes an `Idempotency-Key`.
    pub idempotent: bool,
    /// Whether it heeds `If-Match`.
    pub conditional: bool,
    /// Whether it takes `limit` and `after`.
    pub paged: bool,
    pub(crate) query: Option<SchemaUse>,
    pub(crate) body: Option<(SchemaUse, bool)>,
    pub(crate) answers: Vec<(u16, Option<SchemaUse>)>,
}

impl std::fmt::Debug for RouteEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {} {}", self.method, self.path, self.guard, self.operation_id)
    }
}

impl RouteEntry {
    /// Names of the parameters in the path, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }

    /// Whether it is one of Kaa's: with its form of errors, its headers and its aliases.
    pub fn is_kaa(&self) -> bool {
        crate::kaa::is_kaa_path(self.path)
    }

    /// The further paths under which it is served, where Kaa's ingress puts its services.
    pub fn aliases(&self) -> impl Iterator<Item = String> {
        let prefixes = crate::kaa::PREFIXES.iter().filter(|_| self.is_kaa() && crate::kaa::canonical(self.path) == self.path);
        prefixes.map(|prefix| format!("{prefix}{}", self.path))
    }

    /// Whose things it is about: `tenant` or `platform`.
    pub fn scope(&self) -> &'static str {
        let named = self.path_parameters().any(|name| name == crate::TENANT_PARAMETER);
        if named || matches!(self.guard, Guard::Kaa(_)) { "tenant" } else { "platform" }
    }
}

/// A whole route. Made by [`Route::get`] and its siblings, finished by [`RouteBuilder::handler`].
pub struct Route {
    pub(crate) entry: RouteEntry,
    pub(crate) handler: MethodRouter,
}

impl Route {
    /// A route that reads.
    pub fn get(path: &'static str, guard: Guard) -> RouteBuilder {
        RouteBuilder::new(Method::Get, path, guard)
    }

    /// A route that creates or acts.
    pub fn post(path: &'static str, guard: Guard) -> RouteBuilder {
        RouteBuilder::new(Method::Post, path, guard)
    }

    /// A route that replaces.
    pub fn put(path: &'static str, guard: Guard) -> RouteBuilder {
        RouteBuilder::new(Method::Put, path, guard)
    }

    /// A route that changes in part.
    pub fn patch(path: &'static str, guard: Guard) -> RouteBuilder {
        RouteBuilder::new(Method::Patch, path, guard)
    }

    /// A route that removes.
    pub fn delete(path: &'static str, guard: Guard) -> RouteBuilder {
        RouteBuilder::new(Method::Delete, path, guard)
    }

    /// What it is, apart from its handler.
    pub fn entry(&self) -> &RouteEntry {
        &self.entry
    }
}

/// A route without its handler yet.
#[must_use]
pub struct RouteBuilder(RouteEntry);

impl RouteBuilder {
    fn new(method: Method, path: &'static str, guard: Guard) -> Self {
        Self(RouteEntry {
            method,
            path,
            guard,
            operation_id: "",
            summary: "",
            reasons: Vec::new(),
            idempotent: false,
            conditional: false,
            paged: false,
            query: None,
            body: None,
            answers: Vec::new(),
        })
    }

    /// Its unique name; a table with a nameless route is refused.
    pub fn operation_id(mut self, name: &'static str) -> Self {
        self.0.operation_id = name;
        self
    }

    /// One line on what it does.
    pub fn summary(mut self, line: &'static str) -> Self {
        self.0.summary = line;
        self
    }

    /// Reasons that the handler answers; those of guard, body, query and server are known here.
    pub fn reasons(mut self, reasons: &[&'static Reason]) -> Self {
        self.0.reasons.extend_from_slice(reasons);
        self
    }

    /// Its query parameters: the members of the struct `Q`, which the handler takes as [`Query<Q>`](crate::Query).
    pub fn query<Q: ToSchema>(mut self) -> Self {
        self.0.query = Some(SchemaUse::of::<Q>());
        self
    }

    /// A list: takes `limit` and `after` besides the filter `F`; the handler takes [`Listing<F>`](crate::Listing).
    pub fn paged<F: ToSchema>(mut self) -> Self {
        self.0.paged = true;
        self.query::<F>()
    }

    /// Its JSON body; the handler takes [`Json<B>`](crate::Json).
    pub fn body<B: ToSchema>(mut self) -> Self {
        self.0.body = Some((SchemaUse::of::<B>(), true));
        self
    }

    /// Its JSON body, which may be absent; the handler takes [`OptionalJson<B>`](crate::OptionalJson).
    pub fn optional_body<B: ToSchema>(mut self) -> Self {
        self.0.body = Some((SchemaUse::of::<B>(), false));
        self
    }

    /// What it answers with `status`.
    pub fn answer<T: ToSchema>(mut self, status: u16) -> Self {
        self.0.answers.push((status, Some(SchemaUse::of::<T>())));
        self
    }

    /// It answers with `status` an array of `T`.
    pub fn answer_list<T: ToSchema>(mut self, status: u16) -> Self {
        let SchemaUse { name, own, mut others } = SchemaUse::of::<T>();
        let array = ArrayBuilder::new().items(Ref::from_schema_name(&name)).build();
        let list = format!("{name}List");
        others.push((name, own));
        self.0.answers.push((status, Some(SchemaUse { name: list, own: array.into(), others })));
        self
    }

    /// Answers 204.
    pub fn no_content(mut self) -> Self {
        self.0.answers.push((204, None));
        self
    }

    /// It takes an `Idempotency-Key`; the handler takes [`MaybeIdempotent`](crate::MaybeIdempotent) and writes the answer's
    /// record in its Change.
    pub fn idempotent(mut self) -> Self {
        self.0.idempotent = true;
        self
    }

    /// It heeds `If-Match`; the handler takes [`IfMatch`](crate::IfMatch).
    pub fn conditional(mut self) -> Self {
        self.0.conditional = true;
        self
    }

    /// The handler, an axum handler without state.
    pub fn handler<H: Handler<T, ()>, T: 'static>(self, handler: H) -> Route {
        self.handler_with((), handler)
    }

    /// The handler with its state, taken as axum's `State<S>`.
    pub fn handler_with<S: Clone + Send + Sync + 'static, H: Handler<T, S>, T: 'static>(self, state: S, handler: H) -> Route {
        Route { handler: on(self.0.method.filter(), handler).with_state(state), entry: self.0 }
    }
}
