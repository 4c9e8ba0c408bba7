//! Settings that choose among words.

use std::fmt;

use super::value::{Raw, Setting, quoted};

/// Declares an enum whose values are words, as a setting.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident: $wanted:literal { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// The word in the file.
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $crate::config::Setting for $name {
            const WANTED: &'static str = $wanted;
            const EXAMPLE: &'static str = "";

            fn read(raw: &$crate::config::Raw) -> Option<Self> {
                Self::parse(raw.text()?)
            }

            fn toml(&self) -> Option<String> {
                Some($crate::config::quoted(self.as_str()))
            }
        }
    };
}

pub(crate) use words;

words! {
    /// What a process does.
    Role: "\"api\" or \"worker\"" {
        /// REST and CAP.
        Api = "api",
        /// Sequencer, relay and upkeep.
        Worker = "worker",
    }
}
words! {
    /// How log lines are written.
    LogFormat: "\"auto\", \"text\" or \"json\"" {
        /// Text on a terminal, else JSON.
        Auto = "auto",
        /// For people.
        Text = "text",
        /// One object per line.
        Json = "json",
    }
}
words! {
    /// From which level on log lines are written.
    LogLevel: "\"error\", \"warn\", \"info\" or \"debug\"" {
        /// Failures.
        Error = "error",
        /// And what needs attention.
        Warn = "warn",
        /// And what happens.
        Info = "info",
        /// And how.
        Debug = "debug",
    }
}
words! {
    /// Where CA keys and sealing live.
    CustodyKind: "\"software\" or \"vault\"" {
        /// In this process, sealed at rest by the key file.
        Software = "software",
        /// In Vault or OpenBao.
        Vault = "vault",
    }
}

/// The roles of one process; at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Roles(Vec<Role>);

impl Roles {
    /// Every role of this build.
    pub(crate) fn all() -> Self {
        Self(vec![Role::Api, Role::Worker])
    }

    /// Whether the process has this role.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.0.contains(&role)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|r| r.as_str()).collect::<Vec<_>>().join(","))
    }
}

impl Setting for Roles {
    const WANTED: &'static str = "an array of one or more of \"api\" and \"worker\"";
    const EXAMPLE: &'static str = "[\"api\", \"worker\"]";

    fn read(raw: &Raw) -> Option<Self> {
        let words: Vec<String> = match raw {
            Raw::List(words) => words.clone(),
            Raw::Environment(text) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            Raw::Text(_) | Raw::Integer(_) | Raw::Boolean(_) | Raw::Other(_) => return None,
        };
        let mut roles = words.iter().map(|word| Role::parse(word)).collect::<Option<Vec<Role>>>()?;
        roles.sort_unstable();
        roles.dedup();
        (!roles.is_empty()).then_some(Self(roles))
    }

    fn toml(&self) -> Option<String> {
        Some(format!("[{}]", self.0.iter().map(|r| quoted(r.as_str())).collect::<Vec<_>>().join(", ")))
    }
}
