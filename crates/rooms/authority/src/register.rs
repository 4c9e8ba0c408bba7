//! What is written beside a move of x509 credentials, in the same commit: the certificates' state, the counters of their CRLs'
//! partitions, and the keys that are refused for good. Pure: the room of credentials commits it.

use std::collections::BTreeSet;

use signet_db::Statement;
use signet_model::{CredentialId, CredentialState, TenantId, Timestamp};
use signet_pki::RevocationReason;

use crate::sql::{anchor, issuance_rule, status, tenant_ca};
use crate::status::named_reason;

/// A certificate that moves.
#[derive(Clone, Copy, Debug)]
pub struct Moving<'a> {
    /// Its id, which is its credential's.
    pub id: &'a CredentialId,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: &'a [u8; 32],
}

/// Certificates that move together; of foreign CAs too, which have no row here: of those only the key may be refused.
#[derive(Clone, Copy, Debug)]
pub struct Moves<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// Which, at most a page of a sweep.
    pub certificates: &'a [Moving<'a>],
    /// Where they move to.
    pub to: CredentialState,
    /// The reason that was given; a name of RFC 5280 section 5.3.1 becomes the CRL's.
    pub reason: Option<&'a str>,
    /// When.
    pub at: Timestamp,
}

/// What is written beside moves. No two statements touch the same row.
pub fn on_move(moves: &Moves<'_>) -> Vec<Statement> {
    let Moves { tenant, certificates, to, at, .. } = *moves;
    let reason = match to {
        CredentialState::Revoked => named_reason(moves.reason),
        CredentialState::Inactive | CredentialState::Active | CredentialState::Suspended => None,
    };
    let name = reason.map(RevocationReason::name);
    let mut statements = match certificates {
        [] => Vec::new(),
        [one] => vec![status::mark_partition(tenant, one.id, to), status::move_one(tenant, one.id, to, name, at)],
        many => several(tenant, many.iter().map(|moving| moving.id), to, name, at),
    };
    if reason == Some(RevocationReason::KeyCompromise) {
        let keys: BTreeSet<&[u8; 32]> = certificates.iter().map(|moving| moving.spki_sha256).collect();
        statements.extend(keys.into_iter().map(|key| status::refuse_key(tenant, key, at)));
    }
    statements
}

/// What is written where a certificate that is revoked already is revoked once more: a key that turns out to be compromised is
/// refused from then on, and list and answers give that as the reason (RFC 5280 section 5.3.1). Nothing for every other reason: the
/// first one stays.
pub fn on_report(tenant: &TenantId, certificate: Moving<'_>, reason: &str, at: Timestamp) -> Vec<Statement> {
    if named_reason(Some(reason)) != Some(RevocationReason::KeyCompromise) {
        return Vec::new();
    }
    let name = RevocationReason::KeyCompromise.name();
    vec![
        status::mark_report(tenant, certificate.id, name),
        status::report(tenant, certificate.id, name),
        status::refuse_key(tenant, certificate.spki_sha256, at),
    ]
}

/// What is written beside the removal of x509 credentials: the certificates are out there, so they are revoked and stay on their
/// CRLs until they have expired, whatever became of the tenant.
pub fn on_removal(tenant: &TenantId, ids: &[CredentialId], at: Timestamp) -> Vec<Statement> {
    let reason = RevocationReason::CessationOfOperation.name();
    if ids.is_empty() { Vec::new() } else { several(tenant, ids.iter(), CredentialState::Revoked, Some(reason), at) }
}

/// What is written beside the end of a tenant, whose name is free then: foreign CAs are trusted no longer, the rule is again the safe
/// one, and its CAs begin to retire. Whoever takes the name gets a CA of its own.
pub fn on_tenant_gone(tenant: &TenantId, at: Timestamp) -> Vec<Statement> {
    vec![anchor::delete_all(tenant), issuance_rule::reset(tenant, at), tenant_ca::retire_all(tenant, at)]
}

fn several<'a>(
    tenant: &TenantId,
    ids: impl Iterator<Item = &'a CredentialId>,
    to: CredentialState,
    reason: Option<&str>,
    at: Timestamp,
) -> Vec<Statement> {
    // Ids are digits and letters, so nothing in them needs an escape.
    let quoted: Vec<String> = ids.map(|id| format!("\"{id}\"")).collect();
    let ids = format!("[{}]", quoted.join(","));
    vec![status::mark_partitions(tenant, &ids, to), status::move_many(tenant, &ids, to, reason, at)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(certificates: &[Moving<'_>], to: CredentialState, reason: Option<&str>) -> Vec<Statement> {
        let tenant = "acme".parse().unwrap();
        on_move(&Moves { tenant: &tenant, certificates, to, reason, at: Timestamp::EPOCH })
    }

    #[test]
    fn a_compromised_key_is_refused_once_however_many_certificates_have_it() {
        let (one, two) = ("00000000000000000001".parse().unwrap(), "00000000000000000002".parse().unwrap());
        let (key, other) = ([1; 32], [2; 32]);
        let moving =
            [Moving { id: &one, spki_sha256: &key }, Moving { id: &two, spki_sha256: &key }, Moving { id: &two, spki_sha256: &other }];
        assert_eq!(statements(&moving, CredentialState::Revoked, Some("keyCompromise")).len(), 4);
        assert_eq!(statements(&moving[..1], CredentialState::Revoked, Some("keyCompromise")).len(), 3);
        assert_eq!(statements(&moving, CredentialState::Revoked, Some("superseded")).len(), 2);
        assert_eq!(statements(&moving[..1], CredentialState::Suspended, Some("keyCompromise")).len(), 2, "suspended only");
        assert!(statements(&[], CredentialState::Revoked, Some("keyCompromise")).is_empty());
    }
}
