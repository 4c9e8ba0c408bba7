//! Outstanding requests and echoes of one bus: each waits under a random last token of the bus's own inbox. Ours rather
//! than the client library's, which never forgets a request that timed out; and the same code serves both back ends.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng as _;
use tokio::sync::mpsc;

use crate::message::Sink;
use crate::{BusError, Message, Pattern, Subject, SubjectError};

/// Most requests and echoes outstanding at once; one more is refused as overloaded.
pub(crate) const MOST_OUTSTANDING: usize = 16_384;

/// Answers to one request that may wait to be looked at; the first is all that most requests take.
const MOST_ANSWERS: usize = 16;

/// 128 random bits as hex: whoever cannot guess it cannot answer in somebody's place.
pub(crate) fn random_token() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    format!("{:032x}", u128::from_be_bytes(bytes))
}

pub(crate) struct Outstanding {
    inbox: String,
    waiting: Mutex<HashMap<String, mpsc::Sender<Message>>>,
}

/// One awaited answer, or several where the first may not be the right one; forgotten when dropped.
pub(crate) struct Awaited {
    outstanding: Arc<Outstanding>,
    token: String,
    pub(crate) subject: Subject,
    pub(crate) answers: mpsc::Receiver<Message>,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.outstanding.waiting.lock().remove(&self.token);
    }
}

impl Outstanding {
    /// Under an inbox of its own below `prefix`.
    pub(crate) fn new(prefix: &Subject) -> Arc<Self> {
        Arc::new(Self { inbox: format!("{prefix}.{}", random_token()), waiting: Mutex::default() })
    }

    /// What the bus subscribes to for all of them.
    pub(crate) fn pattern(&self) -> Result<Pattern, SubjectError> {
        Pattern::new(&format!("{}.*", self.inbox))
    }

    pub(crate) fn expect(self: &Arc<Self>) -> Result<Awaited, BusError> {
        let token = random_token();
        let subject = Subject::new(&format!("{}.{token}", self.inbox))?;
        let (sender, answers) = mpsc::channel(MOST_ANSWERS);
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MOST_OUTSTANDING {
            return Err(BusError::Overloaded);
        }
        waiting.insert(token.clone(), sender);
        drop(waiting);
        Ok(Awaited { outstanding: Arc::clone(self), token, subject, answers })
    }
}

impl Sink for Outstanding {
    fn deliver(&self, message: Message) {
        let waiting = self.waiting.lock();
        let sender = message.subject.as_str().rsplit_once('.').and_then(|(_, token)| waiting.get(token));
        if let Some(sender) = sender {
            // Whoever asked may have gone away, or have more answers than it will look at; then this one is not needed.
            sender.try_send(message).ok();
        }
    }

    fn close(&self) {
        self.waiting.lock().clear();
    }
}
