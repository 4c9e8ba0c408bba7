//! The authority: platform CA → tenant CA → client certificate, their rotation, and what says of a certificate that it is good
//! no more (CRL, OCSP). It stands in for the certificate half of Kaa's CCM.
//!
//! A certificate is recorded as intended before anything is signed, and answered when it is stored; what was cut off between the
//! two is an orphan that stands on the CRL. Its state is its credential's, which another room keeps ([`ports`]).

mod addresses;
mod alarms;
mod anchors;
mod bundle;
mod ca;
mod cleanup;
mod conditional;
mod config;
mod crl;
mod custody;
mod forecast;
mod idempotency;
mod import;
mod intent;
mod inventory;
mod issue;
mod keyed_locks;
mod keys;
mod listener;
mod metrics;
mod ocsp;
mod ocsp_issuers;
mod ocsp_path;
mod partition;
mod platform;
mod platform_files;
pub mod ports;
mod publisher;
pub mod reasons;
pub mod register;
mod rest;
mod revocation;
mod room;
mod rotate;
pub mod rotation;
mod rule_book;
mod rules;
mod schema;
mod serials;
mod sql;
mod status;
mod tenant_ca;
mod vault_ca;
mod vault_found;
mod vault_issue;
mod vault_revocations;
mod vouching;
mod wanted;

pub use alarms::EXPIRING_SUBJECT;
pub use config::{AuthorityConfig, CaCustody, LeafProfile, MOST_BACK_DATING, PlatformSource};
pub use forecast::Week;
pub use intent::{Orphan, Reconciled};
pub use issue::{IssueOrder, Issued, Remember, Source};
pub use metrics::AuthorityMetrics;
pub use platform::{check_platform_files, seal_key_of_platform};
pub use publisher::Round;
pub use reasons::REASONS;
pub use revocation::RevocationMetrics;
pub use room::{AuthorityError, AuthorityRoom, Parts};
pub use rotate::Stepped;
pub use rules::{CommonNameRule, IssuanceRule};
pub use schema::migrations;

use room::internal;
