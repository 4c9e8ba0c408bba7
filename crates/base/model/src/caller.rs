//! Who asks: settled once by the guard, then carried in the [`Scope`](crate::Scope).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ApiTokenId, PersonSubject, Rights, TenantId};

/// What a caller may do (design 9). Each tenant role includes the ones below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything of a tenant, changes nothing.
    Auditor,
    /// Works with identities and credentials of a tenant.
    Operator,
    /// Also gives and takes API tokens of a tenant.
    Owner,
    /// Above all tenants.
    Platform,
}

impl Role {
    /// The role's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Owner => "owner",
            Self::Platform => "platform",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auditor" => Ok(Self::Auditor),
            "operator" => Ok(Self::Operator),
            "owner" => Ok(Self::Owner),
            "platform" => Ok(Self::Platform),
            _ => Err("wanted auditor, operator, owner or platform".to_owned()),
        }
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever holds the operator token: role `platform`.
    OperatorToken,
    /// An API token of ours, of one tenant.
    ApiToken {
        /// The token's id.
        id: ApiTokenId,
        /// The tenant it belongs to.
        tenant: TenantId,
        /// What it may do there.
        role: Role,
    },
    /// An API token of ours that stands above all tenants: role `platform`.
    PlatformToken {
        /// The token's id.
        id: ApiTokenId,
    },
    /// A person or program that the tenant's own OAuth issuer vouches for.
    Person {
        /// The tenant whose issuer it is.
        tenant: TenantId,
        /// Who, in the issuer's words.
        subject: PersonSubject,
        /// What the issuer lets it do.
        rights: Arc<Rights>,
    },
    /// A service that asked over the message bus, such as a gateway: authenticated by the bus.
    Bus,
    /// Signet itself, such as the sequencer or the first start.
    System(&'static str),
}

impl Caller {
    /// Whether this caller may act in `tenant` with at least `role`. Exhaustive: a new kind of caller may nothing until
    /// it is written down here.
    pub fn may(&self, tenant: &TenantId, role: Role) -> bool {
        match self {
            Self::OperatorToken | Self::PlatformToken { .. } | Self::System(_) => true,
            Self::ApiToken { tenant: own, role: held, .. } => own == tenant && *held >= role,
            Self::Person { tenant: own, rights, .. } => own == tenant && rights.role() >= Some(role),
            Self::Bus => false,
        }
    }

    /// Whether this caller may do in `tenant` what Kaa calls `scope` on `resource`; `role` is what our own tokens need for it.
    pub fn may_scope(&self, tenant: &TenantId, resource: &str, scope: &str, role: Role) -> bool {
        match self {
            Self::Person { tenant: own, rights, .. } => own == tenant && (rights.allows(resource, scope) || self.may(tenant, role)),
            Self::OperatorToken | Self::PlatformToken { .. } | Self::ApiToken { .. } | Self::Bus | Self::System(_) => {
                self.may(tenant, role)
            }
        }
    }

    /// The tenant that this caller belongs to; none for those above and outside the tenants.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::ApiToken { tenant, .. } | Self::Person { tenant, .. } => Some(tenant),
            Self::OperatorToken | Self::PlatformToken { .. } | Self::Bus | Self::System(_) => None,
        }
    }

    /// Whether this caller stands above all tenants.
    pub fn is_platform(&self) -> bool {
        match self {
            Self::OperatorToken | Self::PlatformToken { .. } | Self::System(_) => true,
            Self::ApiToken { .. } | Self::Person { .. } | Self::Bus => false,
        }
    }
}

/// As written in audit records: `operator-token`, `api-token:atk_…`, `person:SUBJECT`, `bus`, `system:sequencer`.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OperatorToken => f.write_str("operator-token"),
            Self::ApiToken { id, .. } | Self::PlatformToken { id } => write!(f, "api-token:{id}"),
            Self::Person { subject, .. } => write!(f, "person:{subject}"),
            Self::Bus => f.write_str("bus"),
            Self::System(part) => write!(f, "system:{part}"),
        }
    }
}
