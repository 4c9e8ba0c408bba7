//! 21/TLE (`kaa.md` 13.6): a tenant changed, or is gone. A change is asked about; what is gone is revoked, and tried again until
//! the database took it, since nothing repeats the event.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Message, Subscription};
use signet_kaa::Record as _;
use signet_kaa::tle::{UnregisteredEvent, UpdatedEvent};
use signet_model::TenantId;

use super::sync::Sync;

/// Between two attempts at what the database did not take.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// Tenants that wait for that. When more are unregistered while the database is away, the further ones are lost and logged.
const MOST_WAITING: usize = 10_000;
/// Longest event that is looked at, in bytes.
const LONGEST_EVENT: usize = 64 * 1024;

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Updated(TenantId),
    Unregistered(TenantId),
}

/// Until the bus is drained or the task dropped.
pub(super) async fn listen(sync: Arc<Sync>, mut events: Subscription) {
    let mut waiting: VecDeque<TenantId> = VecDeque::new();
    loop {
        let message = tokio::select! {
            message = events.next() => match message {
                Some(message) => message,
                None => return,
            },
            () = tokio::time::sleep(RETRY_EVERY), if !waiting.is_empty() => {
                again(&sync, &mut waiting).await;
                continue;
            }
        };
        match read(&message) {
            Some(Event::Updated(tenant)) => sync.want(tenant),
            Some(Event::Unregistered(tenant)) if waiting.len() < MOST_WAITING => {
                waiting.push_back(tenant);
                again(&sync, &mut waiting).await;
            }
            Some(Event::Unregistered(tenant)) => tracing::error!(event = "tenant-manager.unregistration-lost", tenant = %tenant),
            None => tracing::debug!(event = "tenant-manager.event-dropped", subject = %message.subject),
        }
    }
}

/// Works off what waits, until the database refuses.
async fn again(sync: &Sync, waiting: &mut VecDeque<TenantId>) {
    while let Some(tenant) = waiting.front() {
        if let Err(refusal) = sync.unregister(tenant).await {
            tracing::warn!(
                event = "tenant-manager.unregistration-waits",
                tenant = %tenant,
                reason = refusal.reason.code,
                detail = %refusal.detail,
            );
            // To the end, so that one that cannot be done does not hold up the others.
            waiting.rotate_left(1);
            return;
        }
        waiting.pop_front();
    }
}

/// The event; none when the message is not one, or names no tenant that Signet could have.
fn read(message: &Message) -> Option<Event> {
    if message.status.is_some() || message.payload.len() > LONGEST_EVENT {
        return None;
    }
    match message.subject.as_str().rsplit('.').next()? {
        "updated" => Some(Event::Updated(UpdatedEvent::decode(&message.payload).ok()?.tenant_id.parse().ok()?)),
        "unregistered" => Some(Event::Unregistered(UnregisteredEvent::decode(&message.payload).ok()?.tenant_id.parse().ok()?)),
        _ => None,
    }
}
