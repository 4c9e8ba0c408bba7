//! The client against servers and name servers that mean no good.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking, and its helpers with it"
)]

mod addresses;
mod answers;
mod corpus;
mod limits;
mod proxies;
mod rebinding;
mod support;
mod tls;
mod urls;
