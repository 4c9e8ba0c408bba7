//! Answers "what came after position P": any worker may, whether leader or not, since the answer comes from the database. The
//! answer signs the asker's nonce, so a kept answer makes nobody's view fresh.

use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, Message, Pattern, Subject};
use signet_db::Db;
use signet_model::{AfterAnswer, AfterRequest, Clock, FEED_AFTER_SUBJECT, Lineage, feed_name};
use tokio_util::sync::CancellationToken;

use crate::keys::{SigningKeys, sign_feed};
use crate::{LedgerError, feed};

/// Workers of one installation that answer, as one queue group; behind it stands the name of their feed. With one group for all
/// installations on a bus, a question might be handed to a worker that cannot answer it.
const QUEUE_GROUP: &str = "signet-worker";
/// Requests that may wait; a view whose request was lost asks again.
const MOST_WAITING: usize = 1_024;
/// Longest request looked at: a nonce and a number.
const LONGEST_REQUEST: usize = 512;
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);

pub(crate) struct FeedSource {
    pub(crate) db: Db,
    pub(crate) bus: Bus,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lineage: Lineage,
}

impl FeedSource {
    pub(crate) async fn run(self, closing: CancellationToken) {
        let pattern = match Pattern::new(FEED_AFTER_SUBJECT) {
            Ok(pattern) => pattern,
            Err(error) => return tracing::error!(%error, "feed.subject"),
        };
        let feed = feed_name(&self.keys.feed.public().raw());
        let group = format!("{QUEUE_GROUP}-{feed}");
        while !closing.is_cancelled() {
            match self.bus.subscribe(&pattern, Some(&group), MOST_WAITING).await {
                Ok(mut requests) => loop {
                    let message = tokio::select! {
                        () = closing.cancelled() => return,
                        message = requests.next() => message,
                    };
                    let Some(message) = message else { break };
                    if let Err(error) = self.answer(&message, &feed).await {
                        tracing::warn!(%error, "feed.answer-failed");
                    }
                },
                Err(error) => tracing::warn!(%error, "feed.subscribe-failed"),
            }
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(BETWEEN_ATTEMPTS) => {}
            }
        }
    }

    /// Answers a well-formed request for this feed; anything else is dropped, as whoever can publish may send it.
    async fn answer(&self, message: &Message, feed: &str) -> Result<(), LedgerError> {
        let Some((reply, request)) = asked(message, feed) else { return Ok(()) };
        let behind = feed::behind(&self.db, request.after).await?;
        let answer = AfterAnswer {
            lineage: self.lineage.clone(),
            nonce: request.nonce,
            after: request.after,
            to: behind.to,
            head: behind.head,
            time: self.clock.now(),
            changes: behind.changes,
        };
        let payload = serde_json::to_string(&answer).map_err(|e| LedgerError::Damaged(e.to_string()))?;
        let signed = sign_feed(&self.keys.feed, AfterAnswer::PURPOSE, payload)?;
        if let Err(error) = self.bus.publish(reply, None, signed.encode()).await {
            tracing::debug!(%error, "feed.answer-not-sent"); // the view asks again
        }
        Ok(())
    }
}

fn asked<'a>(message: &'a Message, feed: &str) -> Option<(&'a Subject, AfterRequest)> {
    let reply = message.reply.as_ref()?;
    if message.payload.len() > LONGEST_REQUEST {
        return None;
    }
    let request: AfterRequest = serde_json::from_slice(&message.payload).ok()?;
    let nonce = request.nonce.len() >= 32 && request.nonce.bytes().all(|b| b.is_ascii_hexdigit());
    let ours = request.feed.as_deref().is_none_or(|named| named == feed);
    (nonce && ours && request.after.value() >= 0).then_some((reply, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(reply: bool, payload: &str) -> Message {
        let subject = Subject::new(FEED_AFTER_SUBJECT).unwrap();
        Message { subject: subject.clone(), reply: reply.then_some(subject), payload: payload.to_owned().into(), status: None }
    }

    #[test]
    fn only_whole_requests_are_answered() {
        let nonce = "0123456789abcdef0123456789abcdef";
        let good = format!("{{\"nonce\":\"{nonce}\",\"after\":7}}");
        assert!(asked(&message(true, &good), "f").is_some());
        assert!(asked(&message(false, &good), "f").is_none(), "no reply subject");
        let of = |feed: &str| format!("{{\"nonce\":\"{nonce}\",\"after\":7,\"feed\":\"{feed}\"}}");
        assert!(asked(&message(true, &of("f")), "f").is_some());
        assert!(asked(&message(true, &of("another")), "f").is_none(), "a question to another installation");
        for bad in [
            "",
            "{}",
            "null",
            "{\"nonce\":\"00\",\"after\":7}",
            &good.replace('7', "-1"),
            &good.replace("01234", "xyzwv"),
            &format!("{good}{}", " ".repeat(600)),
        ] {
            assert!(asked(&message(true, bad), "f").is_none(), "{bad}");
        }
    }
}
