//! The runtime of commands that only talk to a server: one thread.

use std::future::Future;

use signet_model::kinds;

use super::failure::{Failure, Outcome};

/// Runs the work of one command.
pub(crate) fn client(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(&kinds::INTERNAL, format!("cannot start the runtime: {e}")))?;
    runtime.block_on(work)
}
