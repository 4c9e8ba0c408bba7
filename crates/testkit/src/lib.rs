//! Test support: real servers on free loopback ports, doubles for time and randomness, a proxy that breaks on request.
//!
//! Dev-only. Nothing here is linked into what we ship. Servers end with the process that started them, even when it
//! is killed ([`process`]); a program that is not installed fails the test with the line that installs it.

mod bao;
pub mod debian;
mod doubles;
mod error;
mod issuer;
mod json_server;
mod nats;
mod postgres;
pub mod process;
mod provider;
mod proxy;
mod scratch;
mod tenant_manager;
mod token_key;

pub use bao::{BAO_ENV, BAO_IN_TOOLS, BAO_LIST, BaoKind, TestBao, bao_install_line};
pub use doubles::{FakeClock, SeededEntropy};
pub use error::TestkitError;
pub use issuer::{Fetches, IssuerMode, TestIssuer};
pub use nats::{NATS_ENV, NATS_MONITORING_ENV, TestNats};
pub use postgres::{POSTGRES_ENV, POSTGRES_ICU_ENV, PostgresOptions, TestPostgres, psql};
pub use provider::{NODE_MODULES_ENV, TestProvider};
pub use proxy::{FaultProxy, ProxyMode};
pub use scratch::{free_port, scratch_dir};
pub use tenant_manager::{ManagerMode, ManagerTenant, ManagerVersion, TestTenantManager};
pub use token_key::{KeyKind, TokenKey};
