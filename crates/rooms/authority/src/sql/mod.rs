//! The room's statements, one file per table, and the rows that they yield. Every statement on a tenant's things names the
//! tenant. Parameters appear for the first time in the order of their numbers, as SQLite counts them.

pub(crate) mod anchor;
pub(crate) mod certificate;
pub(crate) mod expiry;
pub(crate) mod inventory;
pub(crate) mod issuance_rule;
pub(crate) mod ocsp;
pub(crate) mod partition;
#[cfg(test)]
mod plans;
pub(crate) mod platform_ca;
pub(crate) mod status;
pub(crate) mod tenant_ca;
pub(crate) mod vault;

use std::fmt::Display;

use serde::{Deserialize, Serialize};
pub(crate) use signet_db::domain::{all, damaged, one, opt_parsed, parsed};
use signet_model::Timestamp;

/// Where a page of a list begins: behind this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// What the list is sorted by, in microseconds since the epoch.
    pub(crate) at: i64,
    /// The row's id.
    pub(crate) id: String,
}

impl Cursor {
    /// The cursor behind a row.
    pub(crate) fn behind(at: Timestamp, id: impl Display) -> Self {
        Self { at: at.micros(), id: id.to_string() }
    }

    /// Before the row that ends soonest.
    pub(crate) fn soonest() -> Self {
        Self { at: i64::MIN, id: String::new() }
    }

    /// Before the newest row.
    pub(crate) fn newest() -> Self {
        Self { at: i64::MAX, id: String::new() }
    }
}
