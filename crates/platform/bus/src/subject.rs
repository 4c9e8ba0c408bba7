//! Subjects and patterns: text that was checked once, so that no caller's string reaches the wire protocol as a wildcard,
//! an empty token or a line break.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Longest subject or pattern in bytes; NATS bounds its whole control line at 4,096.
pub const LONGEST_SUBJECT: usize = 1_024;
/// Most tokens of a subject or pattern.
pub const MOST_TOKENS: usize = 64;

/// Why a text is no subject, pattern or queue group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// Longer than [`LONGEST_SUBJECT`] bytes or more than [`MOST_TOKENS`] tokens.
    #[error("longer than {LONGEST_SUBJECT} bytes or {MOST_TOKENS} tokens")]
    TooLong,
    /// An empty token: nothing at all, a dot at an end, or two dots in a row.
    #[error("an empty token")]
    EmptyToken,
    /// White space or a control character.
    #[error("white space or a control character")]
    Character,
    /// A wildcard where none may stand, or `*` or `>` inside a token, or `>` before the last token.
    #[error("a wildcard out of place")]
    Wildcard,
}

fn check(text: &str, wildcards: bool) -> Result<(), SubjectError> {
    if text.len() > LONGEST_SUBJECT || text.split('.').count() > MOST_TOKENS {
        return Err(SubjectError::TooLong);
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(SubjectError::Character);
    }
    let mut tokens = text.split('.').peekable();
    while let Some(token) = tokens.next() {
        match token {
            "" => return Err(SubjectError::EmptyToken),
            "*" if wildcards => {}
            ">" if wildcards && tokens.peek().is_none() => {}
            _ if token.contains(['*', '>']) => return Err(SubjectError::Wildcard),
            _ => {}
        }
    }
    Ok(())
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, wildcards: $wildcards:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes a text.
            ///
            /// # Errors
            /// What is wrong with it.
            pub fn new(text: &str) -> Result<Self, SubjectError> {
                check(text, $wildcards)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = SubjectError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

checked_text!(
    /// Where a message goes: tokens parted by dots, no wildcard.
    ///
    /// ```
    /// use signet_bus::Subject;
    /// assert!(Subject::new("kaa.v1.service.ccm.cap.basic-request").is_ok());
    /// assert!(Subject::new("kaa.v1.*").is_err());
    /// ```
    Subject, wildcards: false
);
checked_text!(
    /// What a subscription listens to: a subject in which `*` stands for one token and a last `>` for one or more.
    Pattern, wildcards: true
);

impl Subject {
    pub(crate) fn inbox_in_process() -> Self {
        Self(Arc::from("_INBOX"))
    }

    /// This subject with its last token replaced, as Kaa's responders do when they answer with another message type
    /// (`kaa.md` 2.4).
    ///
    /// # Errors
    /// The token is no single valid token.
    pub fn with_last_token(&self, token: &str) -> Result<Self, SubjectError> {
        if token.contains('.') {
            return Err(SubjectError::EmptyToken);
        }
        match self.0.rsplit_once('.') {
            Some((before, _)) => Self::new(&format!("{before}.{token}")),
            None => Self::new(token),
        }
    }
}

impl Pattern {
    /// Whether it holds no wildcard.
    pub fn is_exact(&self) -> bool {
        !self.0.split('.').any(|token| matches!(token, "*" | ">"))
    }

    /// Whether a message to `subject` is delivered here.
    pub fn matches(&self, subject: &Subject) -> bool {
        let mut wanted = self.0.split('.');
        let mut tokens = subject.0.split('.');
        loop {
            match (wanted.next(), tokens.next()) {
                (None, None) => return true,
                (Some(">"), Some(_)) => return true,
                (Some("*"), Some(_)) => {}
                (Some(want), Some(token)) if want == token => {}
                _ => return false,
            }
        }
    }
}

impl From<Subject> for Pattern {
    fn from(subject: Subject) -> Self {
        Self(subject.0)
    }
}

/// A queue group's name is a single token.
pub(crate) fn check_queue_group(name: &str) -> Result<(), SubjectError> {
    if name.contains('.') {
        return Err(SubjectError::EmptyToken);
    }
    check(name, false)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subjects_hold_no_wildcards_and_no_gaps() {
        for good in ["a", "a.b", "kaa.v1.replica.rep_0.esp.ExtensionData", "_INBOX.x", "$SYS.x", "ä.ö"] {
            assert!(Subject::new(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a\r\nPUB x 0", "a.\t", "a\0", "*", ">", "a.*", "a.>", "a*b", "a.b>"] {
            assert!(Subject::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Subject::new(&"a".repeat(LONGEST_SUBJECT + 1)), Err(SubjectError::TooLong));
        assert!(Subject::new(&"a".repeat(LONGEST_SUBJECT)).is_ok());
        assert_eq!(Subject::new(&vec!["a"; MOST_TOKENS + 1].join(".")), Err(SubjectError::TooLong));
    }

    #[test]
    fn patterns_take_wildcards_as_whole_tokens_only() {
        for good in ["*", ">", "a.*.b", "a.>", "*.*", "a.b"] {
            assert!(Pattern::new(good).is_ok(), "{good}");
        }
        for bad in ["", "a.>.b", "a*", "a.b*", ">.a", ">>", "**", "a..*"] {
            assert!(Pattern::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn patterns_match_as_nats_does() {
        for (pattern, subject, matches) in [
            ("a.b", "a.b", true),
            ("a.b", "a.b.c", false),
            ("a.*", "a.b", true),
            ("a.*", "a", false),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("*.b.>", "x.b.c.d", true),
            (">", "a", true),
            ("*", "a.b", false),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            assert_eq!(pattern.matches(&Subject::new(subject).unwrap()), matches, "{pattern} {subject}");
        }
    }

    #[test]
    fn the_last_token_is_replaced_and_nothing_else() {
        let reply = Subject::new("kaa.v1.replica.r.cap.basic-response").unwrap();
        assert_eq!(reply.with_last_token("other").unwrap().as_str(), "kaa.v1.replica.r.cap.other");
        assert!(reply.with_last_token("a.b").is_err());
        assert!(reply.with_last_token("*").is_err());
        assert_eq!(Subject::new("a").unwrap().with_last_token("b").unwrap().as_str(), "b");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_checks_and_accepted_text_is_one_safe_line(text in ".{0,40}") {
            if let Ok(pattern) = Pattern::new(&text) {
                prop_assert!(!pattern.as_str().contains(['\r', '\n', ' ', '\t']));
            }
            if let Ok(subject) = Subject::new(&text) {
                prop_assert!(Pattern::from(subject.clone()).is_exact());
                prop_assert!(Pattern::new(">").unwrap().matches(&subject));
                prop_assert!(Pattern::from(subject.clone()).matches(&subject));
            }
        }
    }
}
