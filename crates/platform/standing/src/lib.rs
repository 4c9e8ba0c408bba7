//! The view of what is withdrawn, how old it is, and its reconciler (design 6, "The feed is signed and fresh").
//!
//! Whoever can publish on the bus can restore nothing: a view applies only what the feed key signed, in order, of its own
//! history, and only a signed answer to its own fresh question renews its age. Events make a view fast; the question
//! "what came after P", once per interval, makes it right. Too old, it refuses everything.
//!
//! Two things put a view out of use until the process is restarted, because nothing that arrives later can tell what was
//! missed: a fresh answer from another history or from before what was applied (a restored backup, a second database), and
//! more withdrawn subjects than it has room for. Both refuse everything, loudly.

mod history;
#[cfg(test)]
mod property;
mod reasons;
mod signed;
mod tasks;
mod view;

pub use history::{Cause, ViewFault, Withdrawn};
pub use reasons::{REASONS, STANDING_FULL, STANDING_OTHER_HISTORY, STANDING_WITHDRAWN};
pub use tasks::ViewTasks;
pub use view::{DEFAULT_CAPACITY, SHORTEST_INTERVAL, SHORTEST_MAX_AGE, View, ViewConfig};
