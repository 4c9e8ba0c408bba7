//! The room's statements, one file per table, and the rows that they yield. Every statement on a tenant's things names the
//! tenant. Parameters appear for the first time in the order of their numbers, as SQLite counts them.

/// The text of a statement that reads whole credentials: the columns that [`credential::read`] takes, then this.
macro_rules! credentials {
    ($tail:literal) => {
        concat!(
            "SELECT id, kind, state, username, application, endpoint, identity, created_at, updated_at, last_used_at, version, \
             issuer_dn, serial_decimal, spki_sha256, common_name, not_before, not_after, anchor FROM credential ",
            $tail
        )
    };
}

pub(crate) mod api_token;
pub(crate) mod certificate;
pub(crate) mod credential;
pub(crate) mod endpoint_list;
pub(crate) mod endpoint_token;
pub(crate) mod identity;
pub(crate) mod import;
pub(crate) mod kaa_list;
pub(crate) mod leaning;
pub(crate) mod managed_tenant;
pub(crate) mod operator_token;
#[cfg(test)]
mod plans;
pub(crate) mod sweep;
pub(crate) mod tenant;
pub(crate) mod tenant_truth;

use std::fmt::Display;

use serde::{Deserialize, Serialize};
pub(crate) use signet_db::domain::{all, damaged, one, opt_parsed, parsed};
use signet_model::Timestamp;

/// Where a page of a list begins: behind this row. Lists are newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// When the row was made, in microseconds since the epoch.
    created_at: i64,
    /// Its id.
    id: String,
}

impl Cursor {
    /// The cursor behind a row.
    pub(crate) fn behind(created_at: Timestamp, id: impl Display) -> Self {
        Self { created_at: created_at.micros(), id: id.to_string() }
    }

    /// Before the newest row.
    pub(crate) fn start() -> Self {
        Self { created_at: i64::MAX, id: String::new() }
    }
}
