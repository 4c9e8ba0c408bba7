//! Endpoints that the registry unregisters (`kaa.md` 3.4, 10): their tokens are deleted, once over all replicas.
//!
//! The registry tells it once, and the bus forgets what nobody takes. So what has arrived is tried again while the storage is
//! away; what came while no replica was connected is lost, as with Kaa's own service.

use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, Message, Pattern, Subscription};
use signet_kaa::Record as _;
use signet_kaa::elce::UnregisteredEvent;
use signet_kaa::subject;
use signet_model::{CredentialKind, EndpointId};
use tokio_util::sync::CancellationToken;

use super::{BusProvider, Head, LONGEST_MESSAGE, READ_AHEAD};
use crate::endpoint_token::Unregistered;
use crate::{CredentialsError, CredentialsRoom};

/// How often a deletion is tried before it is given up and told.
const MOST_ATTEMPTS: u32 = 10;
/// The rest before the second attempt; it doubles up to [`LONGEST_REST`].
const FIRST_REST: Duration = Duration::from_millis(200);
/// The longest rest between two attempts.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Listens in the queue group of the instance until the provider ends.
pub(super) async fn open(provider: &BusProvider, bus: &Bus, room: &Arc<CredentialsRoom>) -> Result<(), CredentialsError> {
    let pattern = Pattern::new(subject::ENDPOINT_UNREGISTERED).map_err(signet_bus::BusError::from)?;
    let group = room.config.cm_instance.as_str();
    let subscription = bus.subscribe(&pattern, Some(group), READ_AHEAD).await?;
    provider.tasks.spawn(work(Arc::clone(room), subscription, provider.stop.clone()));
    Ok(())
}

async fn work(room: Arc<CredentialsRoom>, mut subscription: Subscription, stop: CancellationToken) {
    loop {
        let message = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            message = subscription.next() => message,
        };
        let Some(message) = message else { return };
        obey(&room, &message, &stop).await;
    }
    // What has arrived already is ours: the queue group has given it to nobody else.
    while let Some(message) = subscription.try_next() {
        obey(&room, &message, &stop).await;
    }
}

async fn obey(room: &CredentialsRoom, message: &Message, stop: &CancellationToken) {
    if message.status.is_some() {
        return; // the server's own words, nothing to decode
    }
    let result = match read(message) {
        Some((head, _)) if head.expired(room.clock.now()) => "unregistered_expired",
        Some((_, endpoint)) => delete(room, &endpoint, stop).await,
        None => {
            tracing::warn!(event = "endpoint-token.unregistered-malformed", bytes = message.payload.len());
            "unregistered_malformed"
        }
    };
    room.metrics.decided(CredentialKind::EndpointToken, result);
}

/// The endpoint that the event names; none for what is no such event, or names what no endpoint can be.
fn read(message: &Message) -> Option<(Head, EndpointId)> {
    if message.payload.len() > LONGEST_MESSAGE {
        return None;
    }
    let event = UnregisteredEvent::decode(&message.payload).ok()?;
    let endpoint = event.endpoint_id.parse().ok()?;
    Some((Head::new(event.correlation_id, event.timestamp, event.timeout), endpoint))
}

/// Deletes its tokens, again and again while that fails; what it came to, as it is counted.
async fn delete(room: &CredentialsRoom, endpoint: &EndpointId, stop: &CancellationToken) -> &'static str {
    let mut rest = FIRST_REST;
    for attempt in 1..=MOST_ATTEMPTS {
        match room.unregister_endpoint(endpoint).await {
            Ok(Unregistered::Deleted(_)) => return "unregistered",
            Ok(Unregistered::Ambiguous) => return "unregistered_ambiguous",
            Err(refusal) => {
                tracing::warn!(event = "endpoint-token.unregistered-failed", %endpoint, attempt, reason = refusal.reason.code);
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(rest) => rest = rest.saturating_mul(2).min(LONGEST_REST),
        }
    }
    tracing::error!(
        event = "endpoint-token.unregistered-given-up",
        %endpoint,
        fix = "Revoke its tokens: `signet endpoint-token list --endpoint ID`."
    );
    "unregistered_failed"
}
