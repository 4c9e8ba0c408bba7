//! Subjects, request/reply and events: core NATS, or the same within one process.
//!
//! One type, [`Bus`], over two back ends with the same semantics: at most once, in order per publisher, bounded queues
//! that lose what does not fit. **Nothing may depend on an event having arrived** (design 2): what must not be lost is
//! published with [`Bus::publish_confirmed`] from an outbox and is read again from the truth by a reconciler.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use signet_bus::{Bus, Pattern, Subject};
//! let bus = Bus::in_process();
//! let mut events = bus.subscribe(&Pattern::new("house.*.opened")?, None, 16).await?;
//! bus.publish(&Subject::new("house.door.opened")?, None, "by the cat").await?;
//! assert_eq!(&events.next().await.unwrap().payload[..], b"by the cat");
//! # Ok::<(), signet_bus::BusError>(()) }).unwrap();
//! ```

mod backend;
mod bus;
mod error;
mod in_process;
mod message;
mod nats;
mod nats_config;
mod request;
mod subject;

pub use bus::{Bus, BusCounters, BusState};
pub use error::{BUS_CONFIGURATION, BUS_DENIED, BUS_UNAVAILABLE, BusError, REASONS};
pub use message::{Message, NO_RESPONDERS, OutMessage, Subscription};
pub use nats_config::{NatsConfig, NatsLogin};
pub use subject::{LONGEST_SUBJECT, MOST_TOKENS, Pattern, Subject, SubjectError};
