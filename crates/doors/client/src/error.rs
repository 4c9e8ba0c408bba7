//! What can go wrong between a command and a server, sorted by who must act: the server said no (its own problem details), or
//! something on this side stands in the way (a reason of ours).

use serde::{Deserialize, Serialize};
use signet_model::{ExitCode, Reason, Refusal};

signet_model::reasons! {
    /// No server answered.
    SERVER_UNREACHABLE = ("server.unreachable", 503, "Start one with `signet up`, or name a running one with `--server URL`.");
    /// The server's certificate is not signed by a trusted authority.
    SERVER_UNTRUSTED = ("server.untrusted", 502, "Name the authority's certificate with `--ca-file FILE`; that of `signet up` is `tls/ca.pem` in its data directory.");
    /// The server's answer is not one of Signet's.
    SERVER_ANSWER = ("server.answer-not-understood", 502, "Check that `--server` names the API listener of a Signet server of this version.");
    /// The server's address is not a URL that this client can use.
    SERVER_URL = ("server.url-invalid", 400, "Write it as `https://HOST:PORT`.");
    /// The token file cannot be read.
    TOKEN_UNREADABLE = ("token.unreadable", 400, "Name a readable token file with `--token-file FILE`, or make a new operator token with `signet operator rotate`.");
    /// The token file is empty.
    TOKEN_EMPTY = ("token.empty", 400, "Write the token into the file, or make a new operator token with `signet operator rotate`.");
    /// The token file holds something that cannot be a token.
    TOKEN_MALFORMED = ("token.malformed", 400, "The file must hold one token and nothing else; make a new operator token with `signet operator rotate`.");
    /// The file of trusted certificates cannot be used.
    CA_FILE_INVALID = ("ca-file.invalid", 400, "Name a readable PEM file of certificates with `--ca-file FILE`.");
}

/// A refusal as it travels: RFC 9457 problem details from a server, or the same shape made on this side.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Problem {
    /// Stable reason code.
    pub reason: String,
    /// What was refused and why.
    pub detail: String,
    /// What to do about it.
    #[serde(default)]
    pub fix: Option<String>,
    /// HTTP status; for failures on this side the one that the reason is declared with.
    pub status: u16,
    /// Trace of the request on the server, if one was reached.
    #[serde(default)]
    pub trace_id: Option<String>,
}

impl Problem {
    /// The exit code of a command that ends with this problem (design 8).
    pub fn exit(&self) -> ExitCode {
        ExitCode::from_status(self.status)
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server refused; its words. Boxed, since it is the large and rare case.
    #[error("{}: {}", .0.reason, .0.detail)]
    Refused(Box<Problem>),
    /// Nothing was asked, or nothing usable came back.
    #[error("{0}")]
    Local(Refusal),
}

impl ClientError {
    /// A failure on this side.
    pub(crate) fn local(reason: &'static Reason, detail: impl Into<String>) -> Self {
        Self::Local(Refusal::new(reason, detail))
    }

    /// Both kinds in the one shape that is shown.
    pub fn problem(&self) -> Problem {
        match self {
            Self::Refused(problem) => problem.as_ref().clone(),
            Self::Local(refusal) => Problem {
                reason: refusal.reason.code.to_owned(),
                detail: refusal.detail.clone(),
                fix: Some(refusal.fix().to_owned()),
                status: refusal.reason.status,
                trace_id: None,
            },
        }
    }
}

impl From<Refusal> for ClientError {
    fn from(refusal: Refusal) -> Self {
        Self::Local(refusal)
    }
}
