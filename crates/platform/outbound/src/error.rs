//! What can go wrong with a request of ours to another server, sorted by who must act. Never a secret, never a byte of a body.

use std::net::IpAddr;

use signet_model::{Reason, Refusal, reasons};

use crate::AddressClass;

reasons! {
    /// A URL of another server is not one that Signet asks.
    OUTBOUND_URL_REFUSED = ("outbound.url-refused", 400, "Write it as `https://HOST[:PORT]/PATH`, with a name in ASCII or a plainly written address, and without user name or fragment.");
    /// Another server's address is not one that Signet may connect to.
    OUTBOUND_ADDRESS_REFUSED = ("outbound.address-refused", 502, "If that address is meant, list its network in the setting `allow_networks` of what asks.");
    /// Another server cannot be reached.
    OUTBOUND_UNREACHABLE = ("outbound.unreachable", 503, "Check that the server runs and that its name resolves from this machine.");
    /// Another server's certificate was refused.
    OUTBOUND_UNTRUSTED = ("outbound.untrusted", 502, "Name the authority that signed it in the setting `ca_file` of what asks.");
    /// Another server did not answer in time.
    OUTBOUND_TIMEOUT = ("outbound.timeout", 504, "Look at the load and the network of that server; the request is repeated by itself where it has to be.");
    /// Another server's answer is longer than Signet reads.
    OUTBOUND_TOO_LARGE = ("outbound.too-large", 502, "Check that the URL names what it should: such answers are small.");
    /// Another server's answer cannot be understood.
    OUTBOUND_ANSWER_INVALID = ("outbound.answer-invalid", 502, "Check that the URL names what it should, and which release runs there.");
    /// Another server refused the request.
    OUTBOUND_STATUS = ("outbound.refused", 502, "Look into that server's log; check the client id, the secret and the scope that it knows.");
    /// Too many requests to other servers are under way.
    OUTBOUND_BUSY = ("outbound.busy", 503, "Try again a little later; a server that answers slowly holds the others up.");
    /// The file of certificates for outbound requests cannot be used.
    OUTBOUND_TRUST_FILE = ("outbound.trust-file", 400, "Name a readable PEM file of certificates.");
}

/// Why a request to another server came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    // who wrote the URL or the policy
    /// The URL is not spelled as it must be; the text says what is wrong, without the URL, which may hold a secret.
    #[error("the URL is refused: {0}")]
    Url(&'static str),
    /// The policy does not allow this address.
    #[error("{host} is {address}, {class}: not allowed")]
    Address {
        /// The host as in the URL.
        host: String,
        /// The address that it stands for.
        address: IpAddr,
        /// What kind of address that is.
        class: AddressClass,
    },
    /// The file of trusted certificates, or the system's store, cannot be used.
    #[error("{0}")]
    TrustFile(String),
    /// The certificate and key that we would show to servers cannot be used.
    #[error("the client certificate cannot be used: {0}")]
    Identity(String),
    // the network
    /// No address, or nobody answers there.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The host as in the URL.
        host: String,
        /// What the system said.
        why: String,
    },
    /// Connecting or the whole exchange took longer than it may.
    #[error("{host} did not answer within the time allowed ({phase})")]
    Timeout {
        /// The host as in the URL.
        host: String,
        /// Which time: `connecting` or `answering`.
        phase: &'static str,
    },
    // the peer
    /// Its certificate was refused.
    #[error("the certificate of {host} was refused: {why}")]
    Untrusted {
        /// The host as in the URL.
        host: String,
        /// Why.
        why: String,
    },
    /// Its body is longer than the limit.
    #[error("the answer of {host} is longer than {limit} bytes")]
    TooLarge {
        /// The host as in the URL.
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Its answer is no HTTP, is encoded, ends early, or is not the JSON that was expected.
    #[error("the answer of {host} cannot be used: {why}")]
    Answer {
        /// The host as in the URL.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// It answered with a status that is no success.
    #[error("{host} answered {status}")]
    Status {
        /// The host as in the URL.
        host: String,
        /// The status.
        status: u16,
    },
    // us
    /// As many exchanges as may run at once are running: with anyone, or with this host.
    #[error("too many requests to other servers are under way")]
    Busy,
    /// A header of the caller's that the client sets itself, or a method that it does not speak.
    #[error("the request is not one that can be made: {0}")]
    Request(&'static str),
}

impl OutboundError {
    /// The reason that callers are told.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Url(_) => &OUTBOUND_URL_REFUSED,
            Self::Address { .. } => &OUTBOUND_ADDRESS_REFUSED,
            Self::TrustFile(_) | Self::Identity(_) => &OUTBOUND_TRUST_FILE,
            Self::Unreachable { .. } => &OUTBOUND_UNREACHABLE,
            Self::Timeout { .. } => &OUTBOUND_TIMEOUT,
            Self::Untrusted { .. } => &OUTBOUND_UNTRUSTED,
            Self::TooLarge { .. } => &OUTBOUND_TOO_LARGE,
            Self::Answer { .. } => &OUTBOUND_ANSWER_INVALID,
            Self::Status { .. } => &OUTBOUND_STATUS,
            Self::Busy => &OUTBOUND_BUSY,
            Self::Request(_) => &signet_model::kinds::INTERNAL,
        }
    }
}

impl From<OutboundError> for Refusal {
    fn from(error: OutboundError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
