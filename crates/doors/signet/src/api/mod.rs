//! Routes that belong to no room: the audit log and the public keys, which are the ledger's. And the one table of all routes,
//! from which the router, the OpenAPI document and the list of guards are made.

mod audit;
mod keys;

use std::sync::Arc;

use signet_authority::AuthorityRoom;
use signet_credentials::CredentialsRoom;
#[cfg(test)]
use signet_http::ApiInfo;
use signet_http::RouteTable;
use signet_ledger::Ledger;

/// What the OpenAPI document says of itself.
#[cfg(test)]
pub(crate) const INFO: ApiInfo = ApiInfo {
    title: "Signet",
    version: env!("CARGO_PKG_VERSION"),
    description: "Identities and credentials of machines. Every refusal is an RFC 9457 problem with a stable `reason`, a `fix` and \
                  a `trace_id`; lists are paged by `limit` and `after`.",
};

/// Every route of a process with these rooms.
pub(crate) fn table(ledger: &Ledger, credentials: &Arc<CredentialsRoom>, authority: Option<&Arc<AuthorityRoom>>) -> RouteTable {
    let certificates = authority.map(AuthorityRoom::routes).unwrap_or_default();
    RouteTable::new().routes(credentials.routes()).routes(certificates).routes(audit::routes(ledger)).route(keys::route(ledger))
}

/// The OpenAPI document of that table, as committed; a test compares the two.
pub(crate) const DOCUMENT: &str = include_str!("../../../../../docs/reference/openapi.json");

signet_model::reasons! {
    /// There is no such audit record, or none that this caller may see.
    AUDIT_NOT_FOUND = ("audit.not-found", 404, "Check the position with `signet audit list`.");
}
