//! Names that people give: parsed once at the edge, then compared byte by byte.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a name was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    /// What kind of name, such as `tenant`.
    pub what: &'static str,
    /// The rule that was broken.
    pub rule: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} name is not allowed: {}", self.what, self.rule)
    }
}
impl std::error::Error for NameError {}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The rule for this name in words.
            pub const RULE: &'static str = $rule;

            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) { Ok(Self(text.to_owned())) } else { Err(NameError { what: $what, rule: $rule }) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn starts_alphanumeric_then(text: &str, longest: usize, also: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= longest
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || also.contains(b))
}

name!(
    /// A tenant: the wall. Case-sensitive; it becomes `CN=` of the tenant's CA and is Kaa's realm name.
    TenantId,
    "tenant",
    "1 to 64 characters, first a letter or digit, then letters, digits, `.`, `_` and `-`",
    |text| starts_alphanumeric_then(text, 64, b"._-")
);
name!(
    /// An identity's name: unique in its tenant and accepted wherever its id is.
    IdentityName,
    "identity",
    "1 to 128 characters, first a letter or digit, then letters, digits and `.` `_` `~` `:` `@` `-`",
    |text| starts_alphanumeric_then(text, 128, b"._~:@-")
);
name!(
    /// A username of basic credentials, without the `@tenant` suffix (`kaa.md` 15.2).
    Username,
    "user",
    "1 to 255 characters, no control characters, no space at either end",
    |text| {
        let spaced = |c: Option<char>| c.is_some_and(char::is_whitespace);
        (1..=255).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && !spaced(text.chars().next())
            && !spaced(text.chars().next_back())
    }
);
name!(
    /// An application of Kaa (`kaa.md` 1): what its endpoint tokens are told apart by. Never an application *version*.
    ApplicationName,
    "application",
    "1 to 128 characters of lower-case letters, digits, `_` and `-`",
    |text| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
        (1..=128).contains(&text.len()) && text.bytes().all(allowed)
    }
);
name!(
    /// An endpoint of Kaa, the twin of one device (`kaa.md` 1).
    EndpointId,
    "endpoint",
    "1 to 128 letters, digits, `.`, `_`, `~` and `-`",
    |text| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._~-".contains(&b);
        (1..=128).contains(&text.len()) && text.bytes().all(allowed)
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_and_endpoints_follow_kaas_patterns() {
        for good in ["demo", "demo_application", "bspu542ikfmmfgrk47s0", "-", "0", &"x".repeat(128)] {
            assert!(good.parse::<ApplicationName>().is_ok(), "{good}");
            assert!(good.parse::<EndpointId>().is_ok(), "{good}");
        }
        for bad in ["", "Demo", "a.b", "a~b", "a b", "a/b", "ä", "a\0", "a*", ">", &"x".repeat(129)] {
            assert!(bad.parse::<ApplicationName>().is_err(), "{bad}");
        }
        for good in ["ep-1", "A.b_c~d-9", "6f1e1b8e-5c3d-4c2a-9d21-0f6c3a1b2c3d", "..."] {
            assert!(good.parse::<EndpointId>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a/b", "a+b", "a#b", "ä", "a\0", "a*", ">", "a:b", &"x".repeat(129)] {
            assert!(bad.parse::<EndpointId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tenant_names_follow_their_pattern() {
        for good in ["a", "acme", "A.b_c-9", "0", &"x".repeat(64)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "-a", "a b", "a/b", "ä", "a\0", &"x".repeat(65), "#", "a*"] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn usernames_follow_their_rule_and_are_not_folded() {
        for good in ["bob", "user@with@at", "ünï", "a b", &"ä".repeat(255), "a_b", "100%"] {
            assert!(good.parse::<Username>().is_ok(), "{good}");
        }
        for bad in ["", " bob", "bob ", "a\u{7}b", "a\0b", "\u{a0}b", &"u".repeat(256)] {
            assert!(bad.parse::<Username>().is_err(), "{bad}");
        }
    }

    #[test]
    fn identity_names_cannot_hold_wildcards_or_slashes() {
        for bad in ["#", "+", "a/b", "a*", "~a", "", &"x".repeat(129)] {
            assert!(bad.parse::<IdentityName>().is_err(), "{bad}");
        }
        assert!("dev-1:a~b@c.d_e".parse::<IdentityName>().is_ok());
    }
}
