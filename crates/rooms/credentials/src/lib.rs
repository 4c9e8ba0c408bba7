//! Identities, credentials, tenants and API tokens, and the answer to "may this client connect?" over REST and over the bus
//! (Kaa's 22/CAP). It stands in for Kaa's CCM.
//!
//! Where to look: the life of a credential is one pure function, [`transition`]; what becomes of a username and password is
//! `check` (beside it: `verdicts` remembers what bcrypt said, `flights` lets equal questions share one run of it in
//! `password_pool`, `limits` bounds guessing), that of a certificate `certificate_check`; each noun (`tenant`, `identity`, `credential`, `api_token`, `operator_token`) has its own file with what can be done
//! to it; its table stands in `schema`, its statements in `sql/`, its routes in `rest/`. The bus is `nats/`. A new reason goes
//! into [`reasons`].

mod api_token;
mod authenticate;
mod certificate;
mod certificate_check;
mod check;
mod credential;
mod endpoint_list;
mod endpoint_token;
mod flights;
mod idempotency;
mod identity;
mod import;
mod kaa_list;
mod last_use;
mod leaning;
mod limits;
mod metrics;
mod nats;
mod new_password;
mod operator_token;
mod password_pool;
pub mod ports;
pub mod reasons;
mod rest;
mod revocation;
mod room;
mod schema;
mod sql;
mod sweep;
mod tenant;
mod tenant_manager;
mod tenant_truth;
mod tenants_seen;
pub mod transition;
mod verdict;
mod verdicts;

pub use authenticate::{Authenticator, People};
pub use certificate::{Birth, X509Facts};
pub use idempotency::IdempotencyKeys;
pub use import::{Fate, ForeignCredential, Import, ImportParts, MOST_ROWS_OF_A_PAGE, Skip};
pub use limits::{LimitConfig, Quota};
pub use metrics::CredentialMetrics;
pub use nats::BusProvider;
pub use operator_token::{
    LONGEST_OPERATOR_TOKEN_LIFETIME, OPERATOR_TOKEN_LIFETIME, OperatorTokenParts, RotatedOperatorToken, first_operator_token,
    rotate_operator_token,
};
pub use reasons::REASONS;
pub use rest::bodies_that_accept;
pub use room::{CredentialsConfig, CredentialsError, CredentialsRoom, Parts};
pub use schema::migrations;
pub use tenant::DELETION_GRACE;
pub use tenant_manager::{ManagerLogin, TenantManager, TenantManagerParts, tenants_told};
pub use verdicts::VerdictConfig;

use room::internal;
