//! `signet doctor`: looks at everything that a server leans on, with or without one running, and says of each thing what was seen
//! and what would mend it.

mod callers;
mod certificates;
mod files;
mod host;
mod running;
mod storage;

use std::path::Path;

use serde::Serialize;
use signet_client::Endpoint;

use crate::cli::Globals;
use crate::config::Settings;

/// One look at one thing.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// What was looked at.
    pub(crate) name: &'static str,
    /// Whether it is as it should be.
    pub(crate) ok: bool,
    /// What was seen.
    pub(crate) detail: String,
    /// What would mend it; with `ok`, what would make it better.
    pub(crate) fix: Option<String>,
}

impl Check {
    /// As it should be.
    pub(crate) fn fine(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), fix: None }
    }

    /// It works, but could be better.
    pub(crate) fn warning(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, ok: true, detail: detail.into(), fix: Some(fix.into()) }
    }

    /// Somebody has to do something.
    pub(crate) fn failed(name: &'static str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { name, ok: false, detail: detail.into(), fix: Some(fix.into()) }
    }
}

/// What the checks look at.
pub(crate) struct Patient<'a> {
    /// Options of the command line.
    pub(crate) globals: &'a Globals,
    /// The settings that a server on this directory would have.
    pub(crate) settings: &'a Settings,
    /// The data directory.
    pub(crate) data_dir: &'a Path,
    /// The server that says it runs here.
    pub(crate) endpoint: Option<Endpoint>,
}

/// Every check, in the order in which they help.
pub(crate) async fn examine(patient: &Patient<'_>) -> Vec<Check> {
    let mut checks = vec![host::clock(patient), host::hardening()];
    checks.extend(files::all(patient));
    checks.extend(storage::all(patient).await);
    checks.extend(callers::all(patient).await);
    checks.extend(certificates::all(patient).await);
    checks.extend(running::all(patient).await);
    checks
}
