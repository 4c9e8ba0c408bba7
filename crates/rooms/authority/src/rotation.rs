//! Where the generations of a tenant's CA stand, and which step leads where: one pure function.
//!
//! `prepare` makes the next generation, which signs nothing yet while its certificate spreads; `activate` lets it issue, and the
//! former one goes on vouching for what it issued; `taint` says of the former one that it goes; `retire` revokes what it issued
//! and can still be used, signs its last CRLs and wipes its key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where one generation of a tenant's CA stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaState {
    /// Its key is being made elsewhere.
    Pending,
    /// It is there, published, and issues nothing yet.
    Prepared,
    /// It issues.
    Active,
    /// It issues no more; what it issued is good, and it signs CRLs.
    Superseded,
    /// The same, and it will go.
    Tainted,
    /// What it issued is being revoked.
    Retiring,
    /// It can sign nothing any more.
    Retired,
}

impl CaState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Prepared, Self::Active, Self::Superseded, Self::Tainted, Self::Retiring, Self::Retired];

    /// The state's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Prepared => "prepared",
            Self::Active => "active",
            Self::Superseded => "superseded",
            Self::Tainted => "tainted",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }

    /// Whether certificates of clients may be begun with it.
    pub const fn issues(self) -> bool {
        matches!(self, Self::Active)
    }

    /// Whether CRLs and OCSP answers may be signed with it.
    pub const fn signs_status(self) -> bool {
        match self {
            Self::Active | Self::Superseded | Self::Tainted | Self::Retiring => true,
            Self::Pending | Self::Prepared | Self::Retired => false,
        }
    }

    /// Whether its certificate belongs into a bundle of the tenant's CAs.
    pub const fn published(self) -> bool {
        match self {
            Self::Prepared | Self::Active | Self::Superseded | Self::Tainted | Self::Retiring => true,
            Self::Pending | Self::Retired => false,
        }
    }
}

impl fmt::Display for CaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CaState {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or("no state of a CA")
    }
}

/// A step of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Makes the next generation.
    Prepare,
    /// Lets the next generation issue.
    Activate,
    /// Says that the former one goes.
    Taint,
    /// Revokes what the former one issued and ends it.
    Retire,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 4] = [Self::Prepare, Self::Activate, Self::Taint, Self::Retire];

    /// The step's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Activate => "activate",
            Self::Taint => "taint",
            Self::Retire => "retire",
        }
    }
}

/// One generation and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number; they rise.
    pub number: i64,
    /// Where it stands.
    pub state: CaState,
}

/// What a step comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Make this generation.
    Make {
        /// Its number.
        number: i64,
    },
    /// The prepared one becomes active and the active one superseded.
    Swap {
        /// The prepared one.
        next: i64,
        /// The active one.
        former: i64,
    },
    /// The superseded one becomes tainted.
    Taint {
        /// The superseded one; of several the oldest.
        number: i64,
    },
    /// The tainted one is revoked and ended; of one that is being retired the rest is done.
    Retire {
        /// The tainted one; of several the oldest.
        number: i64,
    },
    /// The step was done already.
    Done {
        /// The generation that it was done to.
        number: i64,
        /// Where it stands.
        state: CaState,
    },
    /// The step does not follow.
    OutOfOrder {
        /// What would have to be there first.
        wanted: &'static str,
    },
}

/// What `step` comes to where the generations stand so.
pub fn step(generations: &[Generation], step: Step) -> Move {
    let oldest = |state| generations.iter().filter(|generation| generation.state == state).map(|generation| generation.number).min();
    match step {
        Step::Prepare => match (oldest(CaState::Active), oldest(CaState::Prepared), oldest(CaState::Pending)) {
            (_, Some(number), _) => Move::Done { number, state: CaState::Prepared },
            (_, None, Some(number)) => Move::Make { number },
            (None, None, None) => Move::OutOfOrder { wanted: "an active CA" },
            (Some(_), None, None) => {
                let last = generations.iter().map(|generation| generation.number).max().unwrap_or_default();
                Move::Make { number: last.saturating_add(1) }
            }
        },
        Step::Activate => match (oldest(CaState::Prepared), oldest(CaState::Active)) {
            (Some(next), Some(former)) => Move::Swap { next, former },
            (None, _) => Move::OutOfOrder { wanted: "a prepared CA" },
            (Some(_), None) => Move::OutOfOrder { wanted: "an active CA" },
        },
        Step::Taint => match oldest(CaState::Superseded) {
            Some(number) => Move::Taint { number },
            None => Move::OutOfOrder { wanted: "a superseded CA" },
        },
        Step::Retire => match oldest(CaState::Retiring).or_else(|| oldest(CaState::Tainted)) {
            Some(number) => Move::Retire { number },
            None => Move::OutOfOrder { wanted: "a tainted CA" },
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the room does with a move.
    fn done(generations: &mut Vec<Generation>, made: Move) {
        let mut set = |number, state| {
            for generation in generations.iter_mut().filter(|generation| generation.number == number) {
                generation.state = state;
            }
        };
        match made {
            Move::Make { number } => generations.push(Generation { number, state: CaState::Prepared }),
            Move::Swap { next, former } => {
                set(former, CaState::Superseded);
                set(next, CaState::Active);
            }
            Move::Taint { number } => set(number, CaState::Tainted),
            Move::Retire { number } => set(number, CaState::Retired),
            Move::Done { .. } | Move::OutOfOrder { .. } => {}
        }
    }

    #[test]
    fn the_steps_lead_around_in_their_order_and_in_no_other() {
        let mut generations = vec![Generation { number: 1, state: CaState::Active }];
        for wrong in [Step::Activate, Step::Taint, Step::Retire] {
            assert!(matches!(step(&generations, wrong), Move::OutOfOrder { .. }), "{wrong:?}");
        }
        for right in Step::ALL {
            let made = step(&generations, right);
            assert!(!matches!(made, Move::OutOfOrder { .. } | Move::Done { .. }), "{right:?} {made:?}");
            done(&mut generations, made);
        }
        let states: Vec<_> = generations.iter().map(|generation| generation.state).collect();
        assert_eq!(states, [CaState::Retired, CaState::Active]);
    }

    #[test]
    fn a_step_that_was_cut_off_is_finished_by_asking_again() {
        let retiring = [Generation { number: 1, state: CaState::Retiring }, Generation { number: 2, state: CaState::Active }];
        assert_eq!(step(&retiring, Step::Retire), Move::Retire { number: 1 });
        let pending = [Generation { number: 1, state: CaState::Active }, Generation { number: 2, state: CaState::Pending }];
        assert_eq!(step(&pending, Step::Prepare), Move::Make { number: 2 });
    }

    proptest! {
        #[test]
        fn whatever_is_asked_one_ca_issues_numbers_rise_and_what_is_retired_stays_so(steps in prop::collection::vec(0..4_usize, 0..60)) {
            let mut generations = vec![Generation { number: 1, state: CaState::Active }];
            for asked in steps {
                let before = generations.clone();
                let made = step(&generations, Step::ALL[asked]);
                done(&mut generations, made);
                let of = |state| generations.iter().filter(|generation| generation.state == state).count();
                prop_assert_eq!(of(CaState::Active), 1);
                prop_assert!(of(CaState::Prepared) + of(CaState::Pending) <= 1);
                for (index, generation) in generations.iter().enumerate() {
                    prop_assert_eq!(generation.number, i64::try_from(index).unwrap() + 1);
                    // A life goes one way.
                    if let Some(was) = before.get(index) {
                        prop_assert!(generation.state >= was.state);
                    }
                    prop_assert_eq!(generation.state.issues(), generation.state == CaState::Active);
                    prop_assert!(generation.state != CaState::Retired || !generation.state.signs_status());
                }
            }
        }
    }
}
