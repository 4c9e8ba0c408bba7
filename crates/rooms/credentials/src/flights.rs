//! Equal verifications that are under way at the same time are one: the first comer's is worked on, and whoever comes while it
//! waits or runs gets the same outcome, each by its own deadline.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::verdicts::Digest;

/// Callers that may wait for verifications which others began; one more is told that the queue is full.
pub(crate) const MOST_JOINED: usize = 4_096;

/// Verifications under way. There are never more than the places that [`crate::password_pool`] gives.
#[derive(Default)]
pub(crate) struct Flights {
    under_way: Mutex<HashMap<Digest, Arc<Flight>>>,
    joined: Arc<AtomicUsize>,
}

struct Flight {
    /// None until it is known whether the password is right.
    outcome: watch::Sender<Option<bool>>,
    /// When the most patient caller gives up.
    deadline: Mutex<Instant>,
}

/// A caller's end of a flight.
pub(crate) struct Seat {
    outcome: watch::Receiver<Option<bool>>,
    /// Whether somebody else began it.
    pub(crate) joined: Option<Joined>,
}

/// Counts a caller who joined, while it waits.
pub(crate) struct Joined(Arc<AtomicUsize>);

impl Drop for Joined {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The worker's end of a flight: dropped without an outcome, the callers find that there is none.
pub(crate) struct Helm {
    flights: Arc<Flights>,
    key: Digest,
    flight: Arc<Flight>,
}

/// Why a caller is not taken along.
pub(crate) enum Refused<E> {
    /// Too many wait for others already.
    Crowded,
    /// The new flight could not begin.
    Begin(E),
}

impl Flights {
    /// Joins the flight of this key, or begins one by handing its helm to `begin`, which must not wait.
    pub(crate) fn board<E>(
        self: &Arc<Self>,
        key: Digest,
        deadline: Instant,
        begin: impl FnOnce(Helm) -> Result<(), E>,
    ) -> Result<Seat, Refused<E>> {
        let mut under_way = self.under_way.lock();
        if let Some(flight) = under_way.get(&key) {
            let joined = Joined(Arc::clone(&self.joined));
            if self.joined.fetch_add(1, Ordering::Relaxed) >= MOST_JOINED {
                return Err(Refused::Crowded);
            }
            let mut latest = flight.deadline.lock();
            *latest = deadline.max(*latest);
            return Ok(Seat { outcome: flight.outcome.subscribe(), joined: Some(joined) });
        }
        let (outcome, seat) = watch::channel(None);
        let flight = Arc::new(Flight { outcome, deadline: Mutex::new(deadline) });
        under_way.insert(key, Arc::clone(&flight));
        drop(under_way);
        // On failure the helm was dropped, and with it the entry; whoever joined meanwhile finds that there is no outcome.
        begin(Helm { flights: Arc::clone(self), key, flight }).map_err(Refused::Begin)?;
        Ok(Seat { outcome: seat, joined: None })
    }
}

impl Seat {
    /// Whether the password is right; none when nobody found out in time.
    pub(crate) async fn outcome(mut self, deadline: Instant) -> Option<bool> {
        timeout_at(deadline, self.outcome.wait_for(Option::is_some)).await.ok()?.ok().and_then(|outcome| *outcome)
    }
}

impl Helm {
    /// Whether nobody waits for the outcome any more. Then nobody can join any more either.
    pub(crate) fn abandoned(&self, now: Instant) -> bool {
        let mut under_way = self.flights.under_way.lock();
        let abandoned = self.flight.outcome.receiver_count() == 0 || *self.flight.deadline.lock() <= now;
        if abandoned {
            self.leave(&mut under_way);
        }
        abandoned
    }

    /// Tells everybody on board. Nobody can join any more then.
    pub(crate) fn land(self, right: bool) {
        self.leave(&mut self.flights.under_way.lock());
        self.flight.outcome.send_replace(Some(right));
    }

    /// Takes this flight out, and not one that has begun under the same key meanwhile.
    fn leave(&self, under_way: &mut HashMap<Digest, Arc<Flight>>) {
        if under_way.get(&self.key).is_some_and(|flight| Arc::ptr_eq(flight, &self.flight)) {
            under_way.remove(&self.key);
        }
    }
}

impl Drop for Helm {
    fn drop(&mut self) {
        let flights = Arc::clone(&self.flights);
        self.leave(&mut flights.under_way.lock());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        crate::password_pool::deadline(Duration::from_secs(30))
    }

    /// Boards; the helm of a flight that was begun.
    fn board(flights: &Arc<Flights>, key: u8, deadline: Instant) -> (Seat, Option<Helm>) {
        let mut begun = None;
        let seat = flights.board([key; 32], deadline, |helm| {
            begun = Some(helm);
            Ok::<_, ()>(())
        });
        (seat.ok().unwrap(), begun)
    }

    #[tokio::test]
    async fn equal_ones_fly_together_and_others_alone() {
        let flights = Arc::<Flights>::default();
        for outcome in [true, false] {
            let (first, helm) = board(&flights, 1, soon());
            let (second, none) = board(&flights, 1, soon());
            let (_third, other) = board(&flights, 2, soon());
            assert!(none.is_none() && other.is_some());
            assert!(first.joined.is_none() && second.joined.is_some());
            helm.unwrap().land(outcome);
            assert_eq!((first.outcome(soon()).await, second.outcome(soon()).await), (Some(outcome), Some(outcome)));
            let (_fourth, anew) = board(&flights, 1, soon());
            assert!(anew.is_some(), "what has landed is over");
        }
        assert!(flights.under_way.lock().is_empty());
        assert_eq!(flights.joined.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_flight_that_nobody_steers_ends_for_everybody() {
        let flights = Arc::<Flights>::default();
        let (first, helm) = board(&flights, 1, soon());
        let (second, _) = board(&flights, 1, soon());
        drop(helm);
        assert_eq!((first.outcome(soon()).await, second.outcome(soon()).await), (None, None));
        let refused = flights.board([1; 32], soon(), |_helm| Err("full"));
        assert!(matches!(refused, Err(Refused::Begin("full"))));
        assert!(flights.under_way.lock().is_empty());
    }

    #[tokio::test]
    async fn it_goes_on_while_the_most_patient_waits_and_each_leaves_at_its_own_time() {
        let flights = Arc::<Flights>::default();
        let now = Instant::now();
        let (hasty, helm) = board(&flights, 1, now + Duration::from_millis(1));
        let (patient, _) = board(&flights, 1, now + Duration::from_secs(20));
        assert_eq!(hasty.outcome(now + Duration::from_millis(1)).await, None);
        let helm = helm.unwrap();
        assert!(!helm.abandoned(now + Duration::from_secs(10)));
        assert!(helm.abandoned(now + Duration::from_secs(20)));
        let (_late, anew) = board(&flights, 1, soon());
        let anew = anew.unwrap();
        drop(helm);
        assert_eq!(patient.outcome(soon()).await, None);
        let (joined, none) = board(&flights, 1, soon());
        assert!(none.is_none(), "the old helm took the new flight along");
        anew.land(true);
        assert_eq!(joined.outcome(soon()).await, Some(true));
        let (gone, helm) = board(&flights, 3, soon());
        drop(gone);
        assert!(helm.unwrap().abandoned(now), "nobody is on board");
    }

    #[test]
    fn those_who_join_are_bounded() {
        let flights = Arc::<Flights>::default();
        let (_first, _helm) = board(&flights, 1, soon());
        let seats: Vec<_> = (0..MOST_JOINED).map(|_| board(&flights, 1, soon()).0).collect();
        let refused = flights.board([1; 32], soon(), |_helm| Ok::<_, ()>(()));
        assert!(matches!(refused, Err(Refused::Crowded)));
        drop(seats);
        assert!(flights.board([1; 32], soon(), |_helm| Ok::<_, ()>(())).is_ok());
    }
}
