//! What a tenant's own OAuth issuer lets a person do: scopes, some of them on named resources (`kaa.md` 17.1).
//!
//! Kaa's scopes open Kaa's paths, each exactly its own. The scopes `signet:auditor`, `signet:operator` and `signet:owner` are
//! roles, which open both surfaces.

use std::collections::BTreeSet;
use std::fmt;

use crate::Role;
use crate::log_text::log_text;

/// The resource of what belongs to a whole tenant.
pub const TENANT_RESOURCE: &str = "tenant-system";

/// Scopes that are roles, the highest first.
const ROLE_SCOPES: [(&str, Role); 3] =
    [("signet:owner", Role::Owner), ("signet:operator", Role::Operator), ("signet:auditor", Role::Auditor)];
/// Characters of a person's name that are kept.
const LONGEST_SUBJECT: usize = 128;

/// Scopes that a verified token carries. Nothing is allowed that is not written down here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    plain: BTreeSet<String>,
    on_resources: BTreeSet<(String, String)>,
}

impl Rights {
    /// Rights from plain scopes, good for every resource of the tenant, and from pairs of resource and scope. How many a token
    /// may carry is bounded where it is read.
    pub fn new(plain: impl IntoIterator<Item = String>, on_resources: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { plain: plain.into_iter().collect(), on_resources: on_resources.into_iter().collect() }
    }

    /// Whether `scope` is held for `resource`: by that very pair, or as a plain scope.
    pub fn allows(&self, resource: &str, scope: &str) -> bool {
        self.plain.contains(scope) || self.on_resources.contains(&(resource.to_owned(), scope.to_owned()))
    }

    /// The highest role that is held in the tenant.
    pub fn role(&self) -> Option<Role> {
        ROLE_SCOPES.iter().find(|(scope, _)| self.allows(TENANT_RESOURCE, scope)).map(|(_, role)| *role)
    }
}

/// A person or program as its issuer names it: foreign text, made safe for logs and audit records when it was taken in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PersonSubject(String);

impl PersonSubject {
    /// The subject, at most 128 characters of it, control characters replaced.
    pub fn new(text: &str) -> Self {
        Self(log_text(text, LONGEST_SUBJECT))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(resource, scope)| ((*resource).to_owned(), (*scope).to_owned())).collect()
    }

    #[test]
    fn a_scope_counts_for_its_own_resource_only_unless_it_is_plain() {
        let rights = Rights::new(["endpoint:read".to_owned()], pairs(&[("endpoint-1", "endpoint:update")]));
        for (resource, scope, allowed) in [
            ("endpoint-1", "endpoint:update", true),
            ("endpoint-2", "endpoint:update", false),
            ("endpoint-2", "endpoint:read", true),
            ("endpoint-1", "endpoint:delete", false),
            ("", "", false),
        ] {
            assert_eq!(rights.allows(resource, scope), allowed, "{resource} {scope}");
        }
    }

    #[test]
    fn the_highest_role_scope_is_the_role_and_other_scopes_are_none() {
        let role = |on: &[(&str, &str)]| Rights::new([], pairs(on)).role();
        assert_eq!(role(&[]), None);
        assert_eq!(role(&[("tenant-system", "tenant:basic-credentials:update")]), None);
        assert_eq!(role(&[("kaa-system", "signet:owner")]), None);
        assert_eq!(role(&[("tenant-system", "signet:platform")]), None);
        assert_eq!(role(&[("tenant-system", "signet:auditor"), ("tenant-system", "signet:operator")]), Some(Role::Operator));
        assert_eq!(Rights::new(["signet:owner".to_owned()], []).role(), Some(Role::Owner));
    }

    #[test]
    fn a_subject_cannot_forge_a_log_line() {
        assert_eq!(PersonSubject::new("a\nb").as_str(), "a\u{fffd}b");
        assert!(PersonSubject::new(&"x".repeat(500)).as_str().chars().count() <= LONGEST_SUBJECT + 1);
    }
}
