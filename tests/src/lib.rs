//! Black-box scenarios against the built binary: this library starts it, speaks to it by its command line and stops it.
//!
//! The scenarios are in `tests/it/`. They know the binary only by what a user knows: arguments, output, exit codes,
//! REST, NATS, files. A scenario takes a [`House`] and so runs on each [`Deployment`].

mod binary;
mod house;
mod output;
mod server;

pub use binary::signet_binary;
pub use house::{Deployment, House};
pub use output::{Output, run};
pub use server::Server;
