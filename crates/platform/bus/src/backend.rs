//! What a bus is made of. Requests, echoes and queues are built once on top of it, in `bus.rs`.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::message::{Sink, SubscriptionGuard};
use crate::{BusError, BusState, OutMessage, Pattern, Subject};

pub(crate) trait Backend: Send + Sync {
    /// Hands a message to the bus. Done does not mean delivered.
    fn publish(&self, message: OutMessage) -> BoxFuture<'_, Result<(), BusError>>;
    /// Delivers into `sink` until the guard is dropped; survives reconnects, and works before the first connection.
    fn subscribe(&self, pattern: Pattern, group: Option<String>, sink: Arc<dyn Sink>)
    -> BoxFuture<'_, Result<SubscriptionGuard, BusError>>;
    /// The connection, as it changes.
    fn state(&self) -> watch::Receiver<BusState>;
    /// Counts connections: a changed epoch means that a reconnect lay in between.
    fn epoch(&self) -> u64;
    /// How many publishes the server has denied so far.
    fn denials(&self) -> u64;
    /// Whether a publish to `subject` was denied after `denials` was read.
    fn denied_since(&self, denials: u64, subject: &Subject) -> bool;
    /// How often the client library dropped a message.
    fn slow_consumer_events(&self) -> u64;
    /// What the server or the client complained about last.
    fn last_fault(&self) -> Option<String>;
    /// Ends all subscriptions after what has already arrived, then the connection.
    fn drain(&self) -> BoxFuture<'_, ()>;
}
