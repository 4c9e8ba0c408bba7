//! What travels: the bodies of REST, spelled as there. Answers keep members that this version does not know in `more`, so
//! that a newer server's answer is shown whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use signet_model::{
    ApiTokenId, CredentialId, CredentialKind, CredentialState, Enabled, IdentityId, IdentityKind, Role, TenantId, TenantState, Timestamp,
};

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// What `after` must be to go on; null at the end.
    pub next: Option<String>,
}

/// A tenant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tenant {
    /// Its name, which is its id.
    pub id: TenantId,
    /// Enabled, disabled or being deleted.
    pub state: TenantState,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When everything of it is removed; only of one that is being deleted.
    #[serde(default)]
    pub purge_at: Option<Timestamp>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// An identity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// Its id.
    pub id: IdentityId,
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it is.
    pub kind: IdentityKind,
    /// Enabled or disabled.
    pub state: Enabled,
    /// Free labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A credential. Never with a secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Credential {
    /// Its id, an xid.
    pub id: CredentialId,
    /// What it is.
    pub kind: CredentialKind,
    /// Username of a basic credential.
    #[serde(default)]
    pub username: Option<String>,
    /// Application of an endpoint token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Endpoint of an endpoint token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Where it stands in its life.
    pub state: CredentialState,
    /// The identity that it proves.
    #[serde(default)]
    pub identity: Option<IdentityId>,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// Its last successful use.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// After a transition: whether anything changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The answer of a check: data, not an error (design 8).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckDecision {
    /// Whether the credential may authenticate.
    pub allowed: bool,
    /// Reason code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What would change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// Further members: what it is about.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// An API token; its text is shown once, at its creation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// What it may do.
    pub role: Role,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Further members, and `token` after the creation.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The public keys of the log and of the feed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PublicKeys {
    /// Verifies checkpoints: PEM of a SubjectPublicKeyInfo.
    pub log: String,
    /// Verifies the feed: PEM of a SubjectPublicKeyInfo.
    pub feed: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Makes a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct NewTenant {
    /// The name, which becomes the id.
    pub id: String,
}

/// Makes an identity.
#[derive(Clone, Debug, Serialize)]
pub struct NewIdentity {
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: IdentityKind,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

/// Makes a basic credential. Holds a secret: no `Debug`.
#[derive(Serialize)]
pub struct NewBasicCredential<'a> {
    /// Always [`CredentialKind::Basic`].
    pub kind: CredentialKind,
    /// The username, without `@tenant`.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// Id or name of the identity.
    pub identity: Option<&'a str>,
}

/// Makes an endpoint token. May hold a secret: no `Debug`.
#[derive(Serialize)]
pub struct NewEndpointToken<'a> {
    /// Always [`CredentialKind::EndpointToken`].
    pub kind: CredentialKind,
    /// The application that the endpoint is of.
    pub application: &'a str,
    /// The endpoint.
    pub endpoint: &'a str,
    /// The token; without it one is generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
    /// Id or name of the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<&'a str>,
}

/// An endpoint token that was just made. Holds its text: no `Debug`.
#[derive(Serialize, Deserialize)]
pub struct MadeEndpointToken {
    /// What is kept of it.
    #[serde(flatten)]
    pub credential: Credential,
    /// Its text, shown this once.
    pub token: String,
}

/// Another password for a credential. Holds a secret: no `Debug`.
#[derive(Serialize)]
pub struct NewPassword<'a> {
    /// The password.
    pub password: &'a str,
}

/// Checks a username and a password. Holds a secret: no `Debug`.
#[derive(Serialize)]
pub struct CredentialCheck<'a> {
    /// The username, without `@tenant`.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
}

/// Makes an API token.
#[derive(Clone, Debug, Serialize)]
pub struct NewApiToken {
    /// What it may do.
    pub role: Role,
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// Makes an API token above all tenants.
#[derive(Clone, Debug, Serialize)]
pub struct NewPlatformToken {
    /// When it ends by itself.
    pub expires_at: Timestamp,
}

/// The body of `suspend`, `resume` and `revoke`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TransitionRequest {
    /// Why, for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A tenant with what it holds, what it asks, and what somebody should look after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TenantSummary {
    /// Its name, which is its id.
    pub id: TenantId,
    /// Enabled, disabled or being deleted.
    pub state: TenantState,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// When everything of it is removed; only of one that is being deleted.
    #[serde(default)]
    pub purge_at: Option<Timestamp>,
    /// What it holds.
    pub credentials: Holding,
    /// When a credential of it was last used.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// What it asks of those who connect.
    pub required: Map<String, Value>,
    /// What somebody should look after.
    pub warnings: Vec<Warning>,
    /// Further members.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What a tenant holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holding {
    /// When it was counted.
    pub counted_at: Timestamp,
    /// False when only some were counted.
    pub complete: bool,
    /// By kind and state; what is not there is zero.
    pub counts: Vec<Count>,
}

/// How many credentials of a kind are in a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Count {
    /// The kind.
    pub kind: CredentialKind,
    /// The state.
    pub state: CredentialState,
    /// How many.
    pub number: i64,
}

/// Something that somebody should look after.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Warning {
    /// A word from a closed set.
    pub code: String,
    /// What it is about.
    pub detail: String,
}

/// How a tenant is deleted.
#[derive(Clone, Debug, Default)]
pub struct Deletion {
    /// How long it can be taken back, such as `24h`; the server's default when absent.
    pub grace: Option<String>,
    /// Although the Tenant Manager keeps it.
    pub force: bool,
}

/// A move in a credential's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// Refused for now.
    Suspend,
    /// Back to use.
    Resume,
    /// Refused for ever.
    Revoke,
}

impl Transition {
    /// The word in the path.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
        }
    }
}
