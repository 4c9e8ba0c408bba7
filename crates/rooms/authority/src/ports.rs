//! What the room needs of the rest of the house: the credentials that its certificates are.

use futures_util::future::BoxFuture;
use signet_ledger::Change;
use signet_model::{CredentialId, IdentityId, Refusal, Scope, TenantId, Timestamp};

/// A certificate as the room of credentials knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFacts {
    /// Its id, which certificate and credential share.
    pub id: CredentialId,
    /// The issuer's name in canonical form.
    pub issuer_dn: String,
    /// The serial number in decimal digits, with a `-` where it is negative.
    pub serial_decimal: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// The subject's common name.
    pub common_name: Option<String>,
    /// Valid from.
    pub not_before: Timestamp,
    /// Valid until.
    pub not_after: Timestamp,
    /// The trust anchor that vouches for it; none for certificates of the tenant's own CA.
    pub anchor: Option<String>,
}

/// The part of a commit that makes a credential.
#[derive(Debug)]
pub struct Birth {
    /// Inserts the credential, Inactive; expects that tenant and identity still are what was read.
    pub change: Change,
    /// The identity that it proves.
    pub identity: Option<IdentityId>,
}

/// The room of credentials, as this room uses it.
pub trait Credentials: Send + Sync {
    /// Whether a credential may be made now in the tenant, of this identity (id or name): cheap, and asked before a key is made.
    fn leaning<'a>(&'a self, scope: &'a Scope, identity: Option<&'a str>) -> BoxFuture<'a, Result<(), Refusal>>;

    /// What makes the credential of a certificate, to be joined with the commit that stores the certificate. Asked before anything
    /// is signed; refused like [`Self::leaning`].
    fn birth<'a>(
        &'a self,
        scope: &'a Scope,
        facts: &'a CredentialFacts,
        identity: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Birth, Refusal>>;

    /// Revokes these, with their events, in pages of its own; those that are revoked already stay as they are.
    fn revoke<'a>(&'a self, scope: &'a Scope, ids: &'a [CredentialId], reason: &'a str) -> BoxFuture<'a, Result<(), Refusal>>;

    /// At most `most` tenants that work, by name, behind `after`.
    fn tenants<'a>(&'a self, after: Option<&'a TenantId>, most: u32) -> BoxFuture<'a, Result<Vec<TenantId>, Refusal>>;
}
