//! Why a test peer could not be had.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// What went wrong while a test peer was found, started, used or stopped. All of these fail a test; none is skipped.
#[derive(Debug)]
pub enum TestkitError {
    /// A program is not installed; the text is the line that installs it.
    NotInstalled {
        /// The program that was looked for.
        program: String,
        /// The command that installs it on Debian.
        install: String,
    },
    /// A server did not become ready in time, or ended at once; with the tail of its log.
    NotReady {
        /// Which server.
        server: String,
        /// What was seen.
        detail: String,
    },
    /// A helper program ended with an error.
    Command {
        /// The program.
        program: String,
        /// Its standard error, or how it ended.
        detail: String,
    },
    /// The operating system refused something on this path.
    Io {
        /// The file or directory, or what was attempted.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
}

impl fmt::Display for TestkitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled { program, install } => write!(f, "{program} is not installed; run: {install}"),
            Self::NotReady { server, detail } => write!(f, "{server} did not become ready: {detail}"),
            Self::Command { program, detail } => write!(f, "{program} failed: {detail}"),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for TestkitError {}

impl TestkitError {
    /// For `map_err`: ties an I/O error to the path it happened on.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Ends the test with the error's text: the only way for a shared server that cannot be had.
#[expect(clippy::panic, reason = "test support: a missing server must fail the test loudly, and no caller could go on")]
#[track_caller]
pub(crate) fn or_fail<T>(result: Result<T, TestkitError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}
