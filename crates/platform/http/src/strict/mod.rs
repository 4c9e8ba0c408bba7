//! Strict reading of JSON and of parameters: what is not known, not unique, too deep or holds a NUL is refused, by name.
//!
//! Strictness does not depend on what the target type says: a member that a plain struct would ignore is refused here.
//! Types with `flatten` or an inner tag buffer their members, so they must say `deny_unknown_fields` themselves.

mod read;
mod tree;

pub(crate) use read::read;
pub(crate) use tree::{Tree, parse};

use signet_model::{Refusal, kinds, log_text};

use crate::reasons;

/// Deepest nesting of a body.
pub const MAX_DEPTH: usize = 32;

/// What is wrong with an input, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No well-formed JSON.
    Malformed(String),
    /// The same member twice.
    Duplicate(String),
    /// A NUL in a text or in a member's name.
    Nul(String),
    /// A member that is not known, with those that are, where that is known.
    Unknown { path: String, known: &'static [&'static str] },
    /// A member that is not there.
    Missing(String),
    /// A value of the wrong type or form.
    Invalid { path: String, why: String },
}

impl Fault {
    /// As the caller is told; `place` is `the body` or `the query`.
    pub(crate) fn refusal(self, place: &str) -> Refusal {
        let name = |path: &str| log_text(path, 128);
        match self {
            Self::Malformed(why) => Refusal::new(&reasons::BODY_MALFORMED, format!("{place} is not acceptable JSON: {why}")),
            Self::Duplicate(path) => Refusal::new(&reasons::BODY_MALFORMED, format!("{place} has `{}` more than once", name(&path))),
            Self::Nul(path) if path.is_empty() => Refusal::new(&reasons::INPUT_NUL, format!("{place} holds a NUL character")),
            // A password has a reason of its own for it, the same here and on the command line.
            Self::Nul(path) if path == "password" => {
                Refusal::new(&signet_crypto::PASSWORD_NUL, format!("`password` of {place} holds a NUL character"))
            }
            Self::Nul(path) => Refusal::new(&reasons::INPUT_NUL, format!("`{}` of {place} holds a NUL character", name(&path))),
            Self::Unknown { path, known } => {
                let known = if known.is_empty() { String::new() } else { format!("; known here: {}", known.join(", ")) };
                Refusal::new(&reasons::INPUT_UNKNOWN_MEMBER, format!("{place} has `{}`, which does not exist here{known}", name(&path)))
            }
            Self::Missing(path) => Refusal::new(&kinds::INPUT_INVALID, format!("`{}` is missing from {place}", name(&path))),
            Self::Invalid { path, why } if path.is_empty() => Refusal::new(&kinds::INPUT_INVALID, format!("{place}: {why}")),
            Self::Invalid { path, why } => Refusal::new(&kinds::INPUT_INVALID, format!("`{}` of {place}: {why}", name(&path))),
        }
    }
}

/// `outer` and `inner` as one path: `labels.site`, `names[2].x`.
pub(crate) fn join(outer: &str, inner: &str) -> String {
    match (outer, inner) {
        ("", path) | (path, "") => path.to_owned(),
        (outer, inner) if inner.starts_with('[') => format!("{outer}{inner}"),
        (outer, inner) => format!("{outer}.{inner}"),
    }
}

#[cfg(test)]
mod tests;
