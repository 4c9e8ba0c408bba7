//! The authority: platform CA → tenant CA → client certificate, their rotation, and what says of a certificate that it is good
//! no more (CRL, OCSP). It stands in for the certificate half of Kaa's CCM.
//!
//! A certificate is recorded as intended before anything is signed, and answered when it is stored; what was cut off between the
//! two is an orphan that stands on the CRL. Its state is its credential's, which another room keeps ([`ports`]).

mod addresses;
mod bundle;
mod ca;
mod config;
mod idempotency;
mod intent;
mod inventory;
mod issue;
mod keys;
mod metrics;
mod partition;
mod platform;
mod platform_files;
pub mod ports;
pub mod reasons;
mod rest;
mod room;
pub mod rotation;
mod rule_book;
mod rules;
mod schema;
mod sql;
mod status;
mod tenant_ca;
mod wanted;

pub use config::{AuthorityConfig, CaCustody, LeafProfile, PlatformSource};
pub use intent::{Orphan, Reconciled};
pub use issue::{IssueOrder, Issued, Remember, Source};
pub use metrics::AuthorityMetrics;
pub use platform::{check_platform_files, seal_key_of_platform};
pub use reasons::REASONS;
pub use room::{AuthorityError, AuthorityRoom, Parts};
pub use rules::{CommonNameRule, IssuanceRule};
pub use schema::migrations;

use room::internal;
