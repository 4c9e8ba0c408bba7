//! The bus of a single process: a publish delivers straight into the bounded queues of the subscriptions that match,
//! before it returns. Same semantics as NATS: one member of each queue group, "no responders" to the reply subject, a
//! full queue loses the message.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::backend::Backend;
use crate::message::{Sink, SubscriptionGuard};
use crate::{BusError, BusState, Message, NO_RESPONDERS, OutMessage, Pattern, Subject};

/// Largest payload, as a NATS server takes by default.
const LONGEST_PAYLOAD: usize = 1 << 20;
/// Most subscriptions at once.
const MOST_SUBSCRIPTIONS: usize = 16_384;

/// A queue group, shared by its members: the counter gives each of them its turn.
#[derive(Clone)]
struct Group {
    name: Arc<str>,
    turn: Arc<AtomicUsize>,
}

struct Listener {
    id: u64,
    pattern: Pattern,
    group: Option<Group>,
    sink: Arc<dyn Sink>,
}

/// Exact patterns are found by their text; the few with wildcards are tried one by one.
#[derive(Default)]
struct Listeners {
    exact: HashMap<Pattern, Vec<Listener>>,
    wild: Vec<Listener>,
    count: usize,
}

impl Listeners {
    fn matching<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = &'a Listener> {
        let exact = self.exact.get(&Pattern::from(subject.clone())).into_iter().flatten();
        exact.chain(self.wild.iter().filter(|listener| listener.pattern.matches(subject)))
    }

    /// The group of that name: the one that its other members are in, whatever their patterns, or a new one.
    fn group(&self, name: &str) -> Group {
        let all = self.exact.values().flatten().chain(&self.wild);
        let known = all.filter_map(|listener| listener.group.as_ref()).find(|group| &*group.name == name);
        known.cloned().unwrap_or_else(|| Group { name: Arc::from(name), turn: Arc::default() })
    }

    fn remove(&mut self, id: u64, pattern: &Pattern) {
        let emptied = match self.exact.get_mut(pattern) {
            Some(listeners) => {
                listeners.retain(|listener| listener.id != id);
                listeners.is_empty()
            }
            None => {
                self.wild.retain(|listener| listener.id != id);
                false
            }
        };
        if emptied {
            self.exact.remove(pattern);
        }
        self.count = self.count.saturating_sub(1);
    }
}

pub(crate) struct InProcess {
    listeners: Arc<RwLock<Listeners>>,
    next_id: AtomicU64,
    closed: AtomicBool,
    state: watch::Sender<BusState>,
}

impl InProcess {
    pub(crate) fn new() -> Self {
        Self {
            listeners: Arc::default(),
            next_id: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            state: watch::Sender::new(BusState::Connected),
        }
    }

    /// Whether anybody listened.
    fn deliver(&self, message: &Message) -> bool {
        let listeners = self.listeners.read();
        let mut groups: Vec<(&Group, Vec<&Listener>)> = Vec::new();
        let mut heard = false;
        for listener in listeners.matching(&message.subject) {
            heard = true;
            match &listener.group {
                None => listener.sink.deliver(message.clone()),
                Some(group) => match groups.iter_mut().find(|(known, _)| known.name == group.name) {
                    Some((_, members)) => members.push(listener),
                    None => groups.push((group, vec![listener])),
                },
            }
        }
        for (group, members) in groups {
            let turn = group.turn.fetch_add(1, Ordering::Relaxed);
            let chosen = turn.checked_rem(members.len()).and_then(|index| members.get(index));
            if let Some(listener) = chosen {
                listener.sink.deliver(message.clone());
            }
        }
        heard
    }
}

struct Guard {
    listeners: Weak<RwLock<Listeners>>,
    id: u64,
    pattern: Pattern,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(listeners) = self.listeners.upgrade() {
            listeners.write().remove(self.id, &self.pattern);
        }
    }
}

impl Backend for InProcess {
    fn publish(&self, message: OutMessage) -> BoxFuture<'_, Result<(), BusError>> {
        async move {
            if self.closed.load(Ordering::Acquire) {
                return Err(BusError::Closed);
            }
            let OutMessage { subject, reply, payload } = message;
            if payload.len() > LONGEST_PAYLOAD {
                return Err(BusError::TooLarge { size: payload.len(), limit: LONGEST_PAYLOAD });
            }
            let message = Message { subject, reply, payload, status: None };
            if !self.deliver(&message)
                && let Some(reply) = message.reply
            {
                self.deliver(&Message { subject: reply, reply: None, payload: Bytes::new(), status: Some(NO_RESPONDERS) });
            }
            Ok(())
        }
        .boxed()
    }

    fn subscribe(
        &self,
        pattern: Pattern,
        group: Option<String>,
        sink: Arc<dyn Sink>,
    ) -> BoxFuture<'_, Result<SubscriptionGuard, BusError>> {
        async move {
            let mut listeners = self.listeners.write();
            // Under the lock, so that a drain in between cannot miss this one.
            if self.closed.load(Ordering::Acquire) {
                return Err(BusError::Closed);
            }
            if listeners.count >= MOST_SUBSCRIPTIONS {
                return Err(BusError::Overloaded);
            }
            let id = self.next_id.fetch_add(1, Ordering::Relaxed);
            let group = group.map(|name| listeners.group(&name));
            let listener = Listener { id, pattern: pattern.clone(), group, sink };
            if pattern.is_exact() {
                listeners.exact.entry(pattern.clone()).or_default().push(listener);
            } else {
                listeners.wild.push(listener);
            }
            listeners.count = listeners.count.saturating_add(1);
            let guard = Guard { listeners: Arc::downgrade(&self.listeners), id, pattern };
            Ok(Box::new(guard) as SubscriptionGuard)
        }
        .boxed()
    }

    fn state(&self) -> watch::Receiver<BusState> {
        self.state.subscribe()
    }

    fn epoch(&self) -> u64 {
        1
    }

    fn denials(&self) -> u64 {
        0
    }

    fn denied_since(&self, _: u64, _: &Subject) -> bool {
        false
    }

    fn slow_consumer_events(&self) -> u64 {
        0
    }

    fn last_fault(&self) -> Option<String> {
        None
    }

    fn drain(&self) -> BoxFuture<'_, ()> {
        async move {
            let mut listeners = self.listeners.write();
            self.closed.store(true, Ordering::Release);
            for listener in listeners.exact.values().flatten().chain(listeners.wild.iter()) {
                listener.sink.close();
            }
            *listeners = Listeners::default();
        }
        .boxed()
    }
}
