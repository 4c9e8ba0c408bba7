//! What can go wrong on the bus, sorted by who must act.

use signet_model::{Reason, reasons};

use crate::{Subject, SubjectError};

reasons! {
    /// The message bus cannot be reached or did not answer in time.
    BUS_UNAVAILABLE = ("bus.unavailable", 503, "Check the message bus with `signet doctor`; the request can be repeated.");
    /// The configuration of the message bus does not work.
    BUS_CONFIGURATION = ("bus.configuration", 400, "Correct the section [nats] of the configuration and start again.");
    /// The message bus does not let this user do what it has to.
    BUS_DENIED = ("bus.denied", 500, "Give the NATS user the permissions of `deploy/nats`, then have the server read them again.");
}

/// A failure of the bus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    // the network or the peer
    /// No answer, or no echo, within the deadline.
    #[error("no answer within the deadline")]
    Timeout,
    /// Nobody listens to that subject.
    #[error("nobody listens to that subject")]
    NoResponders,
    /// There is no connection to the server, or it was lost while the answer was awaited.
    #[error("not connected to the message bus")]
    Disconnected,
    /// The peer answered with a status message other than "no responders".
    #[error("answered with status {0}")]
    Status(u16),
    /// More is waiting than the bounds allow.
    #[error("too much is outstanding on the message bus")]
    Overloaded,
    // the operator
    /// The server's permissions do not let this user publish there.
    #[error("the server does not let this user publish to {0}; see deploy/nats")]
    Denied(Subject),
    /// The configuration does not work; the text says which key, which value and what was seen.
    #[error("{0}")]
    Configuration(String),
    // us
    /// The payload is longer than the server takes; nothing was sent.
    #[error("a payload of {size} bytes, more than the server's {limit}")]
    TooLarge {
        /// Bytes of the payload.
        size: usize,
        /// Bytes that the server takes.
        limit: usize,
    },
    /// A subject, pattern or queue group that is none.
    #[error("not a subject: {0}")]
    Subject(#[from] SubjectError),
    /// The bus was drained: the process ends.
    #[error("the message bus was shut down")]
    Closed,
}

impl BusError {
    /// The reason that callers are told.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Timeout | Self::NoResponders | Self::Disconnected | Self::Status(_) | Self::Overloaded | Self::Closed => &BUS_UNAVAILABLE,
            Self::Configuration(_) => &BUS_CONFIGURATION,
            Self::Denied(_) => &BUS_DENIED,
            Self::TooLarge { .. } | Self::Subject(_) => &signet_model::kinds::INTERNAL,
        }
    }
}
