//! Reasons: one stable code for one refusal, the same in API, command line, log, audit and docs (design 8).
//!
//! Beside the code that refuses stands the reason, declared with [`reasons!`](crate::reasons):
//!
//! ```
//! signet_model::reasons! {
//!     /// A tenant of that name exists already.
//!     TENANT_EXISTS = ("tenant.exists", 409, "Choose another name, or list what exists with `signet tenant list`.");
//! }
//! assert_eq!(TENANT_EXISTS.exit(), signet_model::ExitCode::Conflict);
//! assert_eq!(REASONS.len(), 1);
//! ```

use std::fmt;
use std::time::Duration;

/// A stable reason code with the HTTP status it is answered with and what the reader can do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    /// Stable code such as `credential.suspended`.
    pub code: &'static str,
    /// HTTP status of REST answers.
    pub status: u16,
    /// One sentence: what happened, in general.
    pub title: &'static str,
    /// What to do about it, in general. A [`Refusal`] may know better.
    pub fix: &'static str,
}

impl Reason {
    /// The exit code of a command that ends with this reason (design 8).
    pub const fn exit(&self) -> ExitCode {
        ExitCode::from_status(self.status)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

/// Declares reasons as `pub static`s and collects them in `REASONS` of the module.
#[macro_export]
macro_rules! reasons {
    ($($(#[doc = $title:literal])+ $name:ident = ($code:literal, $status:literal, $fix:literal);)+) => {
        $($(#[doc = $title])+
        pub static $name: $crate::Reason =
            $crate::Reason { code: $code, status: $status, title: concat!($($title),+), fix: $fix };)+

        /// Every reason of this module.
        pub static REASONS: &[&$crate::Reason] = &[$(&$name),+];
    };
}

/// Exit codes of every command (design 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ExitCode {
    /// Done.
    Ok = 0,
    /// A fault of ours.
    Internal = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Not allowed.
    Refused = 3,
    /// No such thing.
    NotFound = 4,
    /// Conflicts with what is there.
    Conflict = 5,
    /// The input is wrong.
    InvalidInput = 6,
    /// Unreachable or unavailable for now.
    Unavailable = 7,
    /// A check failed.
    CheckFailed = 8,
}

impl ExitCode {
    /// The exit code that an HTTP status maps to.
    pub const fn from_status(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            401 | 403 => Self::Refused,
            404 => Self::NotFound,
            409 | 412 => Self::Conflict,
            400 | 405 | 413 | 415 | 422 | 431 => Self::InvalidInput,
            429 | 502..=504 => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

/// A refusal of a domain function: the reason, what exactly was seen, and what would fix it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The stable reason.
    pub reason: &'static Reason,
    /// What was refused and why, with the value seen; never a secret.
    pub detail: String,
    /// A command or step that helps here; falls back to the reason's own.
    pub fix: Option<String>,
    /// After how long the same request may be taken; REST tells it as `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal with its particulars.
    pub fn new(reason: &'static Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), fix: None, retry_after: None }
    }

    /// The same with a more helpful fix.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The same with the time after which the request may be taken.
    #[must_use]
    pub fn with_retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }

    /// What to do about it.
    pub fn fix(&self) -> &str {
        self.fix.as_deref().unwrap_or(self.reason.fix)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.code, self.detail)
    }
}
impl std::error::Error for Refusal {}

/// Reasons that no single room owns.
pub mod kinds {
    crate::reasons! {
        /// Something failed inside Signet.
        INTERNAL = ("internal", 500, "Look for the trace id in the server's log and report it with that line.");
        /// The input is not valid.
        INPUT_INVALID = ("input.invalid", 400, "Correct the named member and try again.");
        /// The credential store cannot be reached.
        STORAGE_UNAVAILABLE = ("storage.unavailable", 503, "Check the database with `signet doctor`; the request can be repeated.");
        /// The disk or the database is full: reads go on, writes are refused.
        STORAGE_FULL = ("storage.full", 503, "Free space on the volume of the database; writes resume by themselves.");
        /// The request lost to other writers three times.
        STORAGE_CONTENTION = ("storage.contention", 409, "Read the object again and repeat the request.");
        /// The view of revocations is older than its bound, so nothing can be allowed on it.
        STANDING_STALE = ("standing.stale", 503, "Check the message bus and the worker role with `signet doctor`.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map_to_exit_codes() {
        for (status, exit) in [
            (200, 0),
            (401, 3),
            (403, 3),
            (404, 4),
            (409, 5),
            (412, 5),
            (400, 6),
            (405, 6),
            (413, 6),
            (415, 6),
            (422, 6),
            (431, 6),
            (429, 7),
            (502, 7),
            (503, 7),
            (504, 7),
            (500, 1),
            (302, 1),
        ] {
            assert_eq!(ExitCode::from_status(status) as u8, exit, "{status}");
        }
    }

    #[test]
    fn a_refusal_prefers_its_own_fix() {
        let plain = Refusal::new(&kinds::INTERNAL, "x");
        assert_eq!(plain.fix(), kinds::INTERNAL.fix);
        assert_eq!(plain.with_fix("do this").fix(), "do this");
    }
}
