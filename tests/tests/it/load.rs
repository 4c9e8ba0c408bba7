//! Writers that suspend and resume their own credential as fast as they can, and know what they were told.
//!
//! After a fault each knows the last state it was told and perhaps one request that nobody answered. What it then finds
//! must be one of the two, and the log must hold exactly the transitions that took place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::json;
use signet_model::Entropy;
use signet_testkit::SeededEntropy;
use signet_tests::{House, NatsPeer, Rest};

use crate::events;

/// One writer's knowledge between faults.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    credential: String,
    suspended: bool,
    /// The last request had no answer that tells whether it was done.
    doubtful: bool,
    suspends: usize,
    transitions: usize,
}

impl Writer {
    pub(crate) fn new(credential: String) -> Self {
        Self { credential, suspended: false, doubtful: false, suspends: 0, transitions: 0 }
    }

    fn applied(&mut self) {
        self.suspended = !self.suspended;
        self.transitions += 1;
        self.suspends += usize::from(self.suspended);
    }

    /// One transition. Whether its outcome is known.
    fn step(&mut self, rest: &Rest) -> bool {
        let verb = if self.suspended { "resume" } else { "suspend" };
        let path = format!("/api/v1/tenants/acme/credentials/{}/{verb}", self.credential);
        match rest.send("POST", &path, &[("content-type", "application/json")], b"{}") {
            Ok(answer) if answer.status == 200 => {
                assert_eq!(answer.json()["changed"], json!(true), "{verb} {}: {}", self.credential, answer.text());
                self.applied();
                true
            }
            Ok(answer) => {
                assert_eq!(answer.status, 503, "{verb}: {}", answer.text());
                self.doubtful = true;
                false
            }
            Err(_) => {
                self.doubtful = true;
                false
            }
        }
    }

    /// Looks what became of a request without an answer: wholly done or not at all.
    fn settle(&mut self, rest: &Rest) {
        let answer = rest.get(&format!("/api/v1/tenants/acme/credentials/{}", self.credential));
        let state = answer.json()["state"].as_str().map(str::to_owned).unwrap_or_default();
        let names = |suspended: bool| if suspended { "Suspended" } else { "Active" };
        if self.doubtful && state == names(!self.suspended) {
            self.applied();
        } else {
            assert_eq!(state, names(self.suspended), "{}: an acknowledged transition is lost: {}", self.credential, answer.text());
        }
        self.doubtful = false;
    }
}

/// Writers that run on threads until told to stop, or until the server does not tell them what happened.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Writer>>,
}

impl Load {
    pub(crate) fn start(rest: &Arc<Rest>, writers: Vec<Writer>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = writers.into_iter().map(|mut writer| {
            let (rest, stop) = (Arc::clone(rest), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) && writer.step(&rest) {}
                writer
            })
        });
        Self { threads: threads.collect(), stop }
    }

    /// Waits for the writers; what they know.
    pub(crate) fn end(self) -> Vec<Writer> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    }
}

/// After a fault is over: every doubt is settled.
pub(crate) fn settle(rest: &Rest, writers: &mut [Writer]) {
    for writer in writers {
        writer.settle(rest);
    }
}

/// At the end: the log holds each transition once and in order, and each suspension was told as one event.
pub(crate) fn account(house: &House, rest: &Rest, peer: &NatsPeer, writers: &[Writer]) {
    assert!(writers.iter().any(|writer| writer.transitions > 0), "the load did nothing: {writers:?}");
    for writer in writers {
        let actions = logged(rest, &writer.credential);
        let transitions = &actions[2..];
        assert_eq!(actions[..2], ["credential.create", "credential.activate"]);
        let expected = ["credential.suspend", "credential.resume"].into_iter().cycle().take(writer.transitions);
        assert!(transitions.iter().map(String::as_str).eq(expected), "{} transitions, log: {transitions:?}", writer.transitions);
        events::exactly(peer, &writer.credential, writer.suspends);
    }
    let verdict = house.verify().ok();
    assert_eq!(verdict["ok"], json!(true), "{verdict}");
}

/// The actions on one object, oldest first, over all pages.
pub(crate) fn logged(rest: &Rest, object: &str) -> Vec<String> {
    let (mut actions, mut after) = (Vec::new(), String::new());
    loop {
        let page = rest.get(&format!("/api/v1/tenants/acme/audit?object={object}&limit=1000{after}")).json();
        for item in page["items"].as_array().unwrap() {
            actions.push(item["action"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return actions,
        }
    }
}

/// A number below `bound`, from a stream that a seed names.
pub(crate) fn draw(entropy: &SeededEntropy, bound: u64) -> u64 {
    let mut bytes = [0u8; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes) % bound
}
