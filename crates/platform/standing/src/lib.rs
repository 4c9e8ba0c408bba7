//! The view of what is withdrawn, how old it is, and its reconciler (design 6, "The feed is signed and fresh").
//!
//! Whoever can publish on the bus can restore nothing: a view applies only what the feed key signed, in order, of its own
//! history, and only a signed answer to its own fresh question renews its age. Events make a view fast; the question
//! "what came after P", once per interval, makes it right. Too old, it refuses everything.
//!
//! Two things put a view out of use until the process is restarted, because nothing that arrives later can tell what was
//! missed: a fresh answer from another history or from before what was applied (a restored backup, a second database), and
//! more withdrawn subjects than it has room for. Both refuse everything, loudly.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use signet_crypto::sign::Ed25519Key;
//! use signet_model::StandingSubject;
//! use signet_standing::{View, ViewConfig};
//! use signet_testkit::{FakeClock, SeededEntropy};
//!
//! let entropy = Arc::new(SeededEntropy::new(1));
//! let feed_key = Ed25519Key::generate(&*entropy)?.public();
//! let view = View::new(ViewConfig::new(feed_key, Duration::from_secs(30), Arc::new(FakeClock::new()), entropy));
//! // Nothing was heard yet, so nothing is allowed. `ViewTasks::start` feeds the view from a bus.
//! let refusal = view.check(&[StandingSubject::OperatorToken]).unwrap_err();
//! assert_eq!(refusal.reason.code, "standing.stale");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
