//! Kaa's own REST (`kaa.md` 15): paths, bodies and answers as its dashboard and scripts know them. The errors get their form where
//! answers leave the house, and the paths their aliases in the route table, both by the path. One file per resource; what they
//! share stands in `list` and `shape`.

pub(super) mod basic;
pub(super) mod endpoint_tokens;
mod list;
mod shape;
mod ttl;
pub(super) mod x509;

use signet_http::{Guard, KaaResource, KaaRight};
use signet_model::Role;

/// Whoever holds `scope` on what belongs to the whole tenant, and tokens of ours with `role`.
const fn tenant_wide(scope: &'static str, role: Role) -> Guard {
    Guard::Kaa(KaaRight { resource: KaaResource::TenantSystem, scope, role })
}
