//! The HTTP surface from outside: over real sockets, with clients that behave and clients that do not.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and its helpers with it"
)]

mod bodies;
mod drain;
mod guards;
mod hostile;
mod idempotency;
mod kaa;
mod listening;
mod logs;
mod management;
mod oidc;
mod openapi;
mod routes;
mod support;
mod tls;
