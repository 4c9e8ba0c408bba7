//! What Kaa's services say to each other over NATS: the Avro records and the subjects.
//!
//! A payload is exactly one record in Avro's plain binary encoding, no container and no header, so field order and the
//! order of union branches *are* the protocol. Encoding is strict and byte-exact; decoding is liberal where deployed
//! peers need it ([`Record::decode`]) and bounded everywhere, since anyone on the bus may send anything.
//!
//! Records borrow from the received bytes where they can, so a password is not copied about.

mod catalogue;
pub mod codec;
#[macro_use]
mod record;
mod value;

pub mod cap;
pub mod ecap;
pub mod elce;
pub mod esp;
pub mod scmp;
pub mod subject;
pub mod tle;

pub use catalogue::{RECORDS, Reencode};
pub use codec::DecodeError;
pub use record::Record;
pub use value::Sensitive;
