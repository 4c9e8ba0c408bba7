//! Who asks: settled once by the guard, then carried in the [`Scope`](crate::Scope).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{ApiTokenId, TenantId};

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
            Self::OperatorToken | Self::System(_) => true,
            Self::ApiToken { tenant: own, role: held, .. } => own == tenant && *held >= role,
            Self::Bus => false,
        }
    }

    /// Whether this caller stands above all tenants.
    pub fn is_platform(&self) -> bool {
        match self {
            Self::OperatorToken | Self::System(_) => true,
            Self::ApiToken { .. } | Self::Bus => false,
        }
    }
}

/// As written in audit records: `operator-token`, `api-token:atk_…`, `bus`, `system:sequencer`.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OperatorToken => f.write_str("operator-token"),
            Self::ApiToken { id, .. } => write!(f, "api-token:{id}"),
            Self::Bus => f.write_str("bus"),
            Self::System(part) => write!(f, "system:{part}"),
        }
    }
}
