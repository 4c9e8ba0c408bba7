//! The authority: platform CA → tenant CA → client certificate, their rotation, and what says of a certificate that it is good
//! no more (CRL, OCSP). It stands in for the certificate half of Kaa's CCM.
//!
//! A certificate is recorded as intended before anything is signed, and answered when it is stored; what was cut off between the
//! two is an orphan that stands on the CRL. Its state is its credential's, which another room keeps ([`ports`]).

mod config;
mod metrics;
pub mod ports;
pub mod reasons;
mod room;
pub mod rotation;
mod schema;
mod sql;

pub use config::{AuthorityConfig, CaCustody, LeafProfile, PlatformSource};
pub use metrics::AuthorityMetrics;
pub use reasons::REASONS;
pub use room::{AuthorityError, AuthorityRoom, Parts};
pub use schema::migrations;

use room::internal;
