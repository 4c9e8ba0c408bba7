//! The typed client of Signet's REST API: all that the command line and scripts use. It knows how to find a server
//! (`--server` or `endpoint.json`), whom to trust, which token to show, and turns every failure into a reason with a fix.
//!
//! Not for: foreign protocols, and anything that reads a database.

mod address;
mod api;
mod certificate_types;
mod certificates;
mod connect;
mod endpoint;
mod error;
mod peer;
mod probe;
mod text_file;
mod token;
mod trust;
mod types;

pub use address::ServerUrl;
pub use api::{CredentialFilter, PageRequest};
pub use certificate_types::*;
pub use certificates::CertificateFilter;
pub use connect::{Client, ClientConfig};
pub use endpoint::{Endpoint, READY_EVENT};
pub use error::{ClientError, Problem, REASONS};
pub use peer::peer_certificates;
pub use probe::probe;
pub use text_file::{TextFault, decode_text};
pub use token::{Token, read_token};
pub use types::*;
