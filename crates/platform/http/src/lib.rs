//! HTTP for every room (design 8, 9): the route table with its guards, strict input, problem details, paging, the OpenAPI
//! document, listeners with TLS, and the management surface. Not for outbound calls.
//!
//! ```
//! use signet_http::{Answer, Guard, Problem, Route, RouteTable, Scoped};
//! use signet_model::Role;
//!
//! #[derive(serde::Serialize, utoipa::ToSchema)]
//! struct Greeting {
//!     tenant: String,
//! }
//!
//! async fn greet(Scoped(scope): Scoped) -> Result<Answer<Greeting>, Problem> {
//!     Ok(Answer::ok(Greeting { tenant: scope.tenant.to_string() }))
//! }
//!
//! let greeting = Route::get("/api/v1/tenants/{tenant}/greeting", Guard::Tenant(Role::Auditor))
//!     .operation_id("greetingShow")
//!     .summary("Greets the tenant")
//!     .answer::<Greeting>(200)
//!     .handler(greet);
//! assert!(RouteTable::new().route(greeting).check().is_ok());
//! ```

mod answer;
mod context;
mod correlation;
mod exchange;
mod exposition;
mod guard;
mod health;
mod idempotency;
mod json;
mod kaa;
mod leftover;
mod listen;
mod management;
mod metrics;
pub mod oidc;
mod openapi;
mod page;
mod precondition;
mod problem;
mod query;
pub mod reasons;
mod route;
mod router;
mod strict;
mod tagged;
mod trace;

pub use answer::{Answer, NoContent};
pub use context::{Asker, Scoped};
pub use correlation::CORRELATION_ID_HEADER;
pub use exchange::MAX_HEADER_BYTES;
pub use guard::{Authenticate, BearerToken, Guard, TENANT_PARAMETER, TenantExists};
pub use health::{CHECK_LIMIT, HealthBoard, HealthCheck, HealthLine, HealthSource};
pub use idempotency::{IDEMPOTENCY_KEY_HEADER, IdempotencyStore, Idempotent, KeyState, KeyedRequest, MaybeIdempotent, REPLAYED_HEADER};
pub use json::{Json, MAX_BODY_BYTES, OptionalJson};
pub use kaa::{ENDPOINT_PARAMETER, KaaResource, KaaRight, TENANT_HEADER};
pub use listen::{
    BoundListener, Drained, Limits, ListenError, ListenerWatch, PeerAddress, RunningListener, Site, TlsMode, server_config, starting_router,
};
pub use management::Management;
pub use metrics::HttpMetrics;
pub use openapi::ApiInfo;
pub use page::{DEFAULT_LIMIT, Listing, MAX_LIMIT, NoFilter, Page, PageQuery, cursor};
pub use precondition::IfMatch;
pub use problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemBody};
pub use query::{Path, Query, RepeatedQuery};
pub use route::{Method, Route, RouteBuilder, RouteEntry};
pub use router::{Parts, RouteTable, TableError};
pub use strict::MAX_DEPTH;
pub use tagged::IfNoneMatch;
pub use trace::TRACE_ID_HEADER;
