//! Kinds and states, spelled as on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire and in the database.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(UnknownWord { wanted: &[$($word),+] }) }
            }
        }
    };
}

/// A word outside the closed set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownWord {
    /// The words that exist.
    pub wanted: &'static [&'static str],
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown word: wanted one of {}", self.wanted.join(", "))
    }
}
impl std::error::Error for UnknownWord {}

words! {
    /// What a credential is (design 3).
    CredentialKind {
        /// Username and password.
        Basic = "basic",
        /// A certificate, by issuer and serial number.
        X509 = "x509",
        /// A bare public key, by its fingerprint.
        PublicKey = "public_key",
        /// A Kaa endpoint token.
        EndpointToken = "endpoint_token",
    }
}

words! {
    /// Where a credential stands in its life (`kaa.md` 14.1). Spelled exactly so on the wire.
    CredentialState {
        /// Provisioned, never used.
        Inactive = "Inactive",
        /// In use.
        Active = "Active",
        /// Refused for now.
        Suspended = "Suspended",
        /// Refused for ever.
        Revoked = "Revoked",
    }
}

impl CredentialState {
    /// Whether a credential in this state may authenticate.
    pub const fn usable(self) -> bool {
        match self {
            Self::Inactive | Self::Active => true,
            Self::Suspended | Self::Revoked => false,
        }
    }
}

words! {
    /// Where a tenant stands in its life.
    TenantState {
        /// What leans on it works.
        Enabled = "enabled",
        /// Everything that leans on it is refused.
        Disabled = "disabled",
        /// Deleted: refused like a disabled one, and gone for good when its grace has passed.
        Deleting = "deleting",
    }
}

impl TenantState {
    /// Whether what leans on the tenant works.
    pub const fn works(self) -> bool {
        match self {
            Self::Enabled => true,
            Self::Disabled | Self::Deleting => false,
        }
    }
}

words! {
    /// Identities and services are enabled or disabled, and so is what leans on a tenant.
    Enabled {
        /// Works.
        Enabled = "enabled",
        /// Everything that leans on it is refused.
        Disabled = "disabled",
    }
}

words! {
    /// What an identity is.
    IdentityKind {
        /// A device.
        Device = "device",
        /// A service.
        Service = "service",
        /// A person who operates.
        Operator = "operator",
    }
}
