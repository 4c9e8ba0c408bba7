//! Black-box scenarios against the built binary: this library starts it, speaks to it by its command line and stops it.
//!
//! The scenarios are in `tests/it/`. They know the binary only by what a user knows: arguments, output, exit codes,
//! REST, NATS, files. A scenario takes a [`House`] and so runs on each [`Deployment`].

mod binary;
mod house;
mod output;
mod peer;
mod rest;
mod server;

pub use binary::signet_binary;
pub use house::{Deployment, House, Plan};
pub use output::{Output, run, run_in};
pub use peer::{Delivery, NatsPeer};
pub use rest::{Answer, Rest, http_1_0};
pub use server::Server;

use std::time::{Duration, Instant};

/// Looks again and again until `condition` holds; whether it did within the time.
pub fn within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if started.elapsed() >= limit {
            return false;
        }
        signet_testkit::process::pause(Duration::from_millis(20));
    }
}

/// Whether the long form of a suite is wanted: `cargo xtask test --deep`.
pub fn deep() -> bool {
    std::env::var_os("SIGNET_DEEP").is_some()
}
