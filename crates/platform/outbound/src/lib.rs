//! The one outbound HTTP client: nobody else in Signet asks a server whose address came from configuration, from a tenant or
//! from another service.
//!
//! What it promises, whoever names the URL:
//!
//! - It connects only to addresses that the [`AddressPolicy`] allows, by default public ones. A name is resolved once, every
//!   address of the answer is checked, and the connection is made to exactly the address that was checked.
//! - It follows no redirect, uses no proxy of the environment, speaks https unless the policy says otherwise.
//! - Sizes, times and numbers are bounded: header block, body, connecting, the whole exchange, exchanges at once. Bodies are
//!   asked for and accepted without content encoding, so a small body cannot grow.
//!
//! Where to look: what an address is stands in `address`, what is allowed in `policy`, how a URL must be spelled in `url`;
//! `connect` is the only place that opens a socket and takes only addresses that the policy has admitted.

mod address;
mod client;
mod connect;
mod error;
mod exchange;
mod identity;
mod limits;
mod network;
mod policy;
mod resolve;
mod trust;
mod url;

pub use address::AddressClass;
pub use client::{Outbound, OutboundConfig, Request, Response, bearer, sensitive};
pub use error::{
    OUTBOUND_ADDRESS_REFUSED, OUTBOUND_ANSWER_INVALID, OUTBOUND_BUSY, OUTBOUND_STATUS, OUTBOUND_TIMEOUT, OUTBOUND_TOO_LARGE,
    OUTBOUND_TRUST_FILE, OUTBOUND_UNREACHABLE, OUTBOUND_UNTRUSTED, OUTBOUND_URL_REFUSED, OutboundError, REASONS,
};
pub use identity::ClientIdentity;
pub use network::{Network, NetworkError};
pub use policy::AddressPolicy;
pub use resolve::{Resolve, SystemResolver};
pub use url::OutboundUrl;
