//! What the room needs of the rest of the house: the credentials that its certificates are.

use futures_util::future::BoxFuture;
use signet_ledger::Change;
use signet_model::{CredentialId, IdentityId, Refusal, Scope, TenantId, Timestamp};
use signet_pki::{IssuerName, Serial};

/// A certificate as the room of credentials knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialFacts {
    /// Its id, which certificate and credential share.
    pub id: CredentialId,
    /// Who issued it.
    pub issuer: IssuerName,
    /// Its number there.
    pub serial: Serial,
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
    /// When it is made.
    pub made_at: Timestamp,
}

/// The room of credentials, as this room uses it.
pub trait Credentials: Send + Sync {
    /// Whether a credential may be made now in the tenant, of this identity (id or name): asked before a key is made. The answer is
    /// the identity's name.
    fn leaning<'a>(&'a self, scope: &'a Scope, identity: Option<&'a str>) -> BoxFuture<'a, Result<Option<String>, Refusal>>;

    /// The id of an identity of the tenant, given by id or name; none when there is none.
    fn identity<'a>(&'a self, scope: &'a Scope, identity: &'a str) -> BoxFuture<'a, Result<Option<IdentityId>, Refusal>>;

    /// What makes the credential of a certificate, to be joined with the commit that stores the certificate. Asked before anything
    /// is signed; refused like [`Self::leaning`].
    fn birth<'a>(
        &'a self,
        scope: &'a Scope,
        facts: &'a CredentialFacts,
        identity: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Birth, Refusal>>;

    /// A birth was committed; for numbers only.
    fn born(&self);

    /// Revokes these, with their events, in pages of its own; those that are revoked already stay as they are.
    fn revoke<'a>(&'a self, scope: &'a Scope, ids: &'a [CredentialId], reason: &'a str) -> BoxFuture<'a, Result<(), Refusal>>;

    /// At most `most` tenants that work, by name, behind `after`.
    fn tenants<'a>(&'a self, after: Option<&'a TenantId>, most: u32) -> BoxFuture<'a, Result<Vec<TenantId>, Refusal>>;
}
