//! The life of a credential (`kaa.md` 14.1) as one pure function. Everything that moves a credential asks it: REST, the bus,
//! first use. What it does not know of cannot happen.

use signet_model::CredentialState;

/// What is asked of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Refuse it for now.
    Suspend,
    /// Let it be used again.
    Resume,
    /// Refuse it for ever.
    Revoke,
    /// Its first successful use: the only way from Inactive to Active.
    FirstUse,
    /// A state by its name, as Kaa's API asks.
    SetState(CredentialState),
}

impl Request {
    /// The verb, as in routes and messages.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
            Self::FirstUse => "first use",
            Self::SetState(_) => "set state",
        }
    }

    /// The state that is asked for.
    pub const fn wanted(self) -> CredentialState {
        match self {
            Self::Suspend => CredentialState::Suspended,
            Self::Resume | Self::FirstUse => CredentialState::Active,
            Self::Revoke => CredentialState::Revoked,
            Self::SetState(state) => state,
        }
    }
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It moves.
    Transition {
        /// The state that it moves to; never the one that it is in.
        to: CredentialState,
    },
    /// It is so already: success, but no record and no event.
    NoChange,
    /// Not from there.
    Illegal,
}

/// What comes of `request` for a credential in `state`.
///
/// With `strict_fsm` only the moves that Kaa's product text names are legal: a credential that was never used, or that is
/// suspended, cannot be taken back. Without it (the default) an operator can kill a leaked credential before its first use.
pub const fn transition(state: CredentialState, request: Request, strict_fsm: bool) -> Outcome {
    use CredentialState::{Active, Inactive, Revoked, Suspended};
    let to = request.wanted();
    match (state, to) {
        (Inactive, Inactive) | (Active, Active) | (Suspended, Suspended) | (Revoked, Revoked) => Outcome::NoChange,
        (Inactive, Active) => match request {
            Request::FirstUse => Outcome::Transition { to },
            Request::Suspend | Request::Resume | Request::Revoke | Request::SetState(_) => Outcome::Illegal,
        },
        (Suspended, Active) => match request {
            Request::Resume | Request::SetState(_) => Outcome::Transition { to },
            Request::FirstUse | Request::Suspend | Request::Revoke => Outcome::Illegal,
        },
        (Active, Suspended | Revoked) => Outcome::Transition { to },
        (Inactive, Suspended | Revoked) | (Suspended, Revoked) if strict_fsm => Outcome::Illegal,
        (Inactive, Suspended | Revoked) | (Suspended, Revoked) => Outcome::Transition { to },
        // Nothing comes back to where it was before its first use, and nothing comes back from revocation.
        (Active | Suspended | Revoked, Inactive) | (Revoked, Active | Suspended) => Outcome::Illegal,
    }
}

/// Whether a move takes away what could be used before: then exactly one revoked event goes out.
pub const fn takes_away(from: CredentialState, to: CredentialState) -> bool {
    from.usable() && !to.usable()
}

#[cfg(test)]
mod tests {
    use CredentialState::{Active, Inactive, Revoked, Suspended};
    use proptest::prelude::*;

    use super::*;

    /// A cell of the table: what the API gets without and with `strict-fsm`.
    #[derive(Clone, Copy)]
    enum Cell {
        NoOp,
        Goes,
        GoesUnlessStrict,
        Conflict,
    }
    use Cell::{Conflict, Goes, GoesUnlessStrict, NoOp};

    /// The table of `kaa.md` 14.1, rows from, columns to: Inactive, Active, Suspended, Revoked.
    const TABLE: [(CredentialState, [Cell; 4]); 4] = [
        (Inactive, [NoOp, Conflict, GoesUnlessStrict, GoesUnlessStrict]),
        (Active, [Conflict, NoOp, Goes, Goes]),
        (Suspended, [Conflict, Goes, NoOp, GoesUnlessStrict]),
        (Revoked, [Conflict, Conflict, Conflict, NoOp]),
    ];

    fn wanted(cell: Cell, to: CredentialState, strict: bool) -> Outcome {
        match (cell, strict) {
            (NoOp, _) => Outcome::NoChange,
            (Goes, _) | (GoesUnlessStrict, false) => Outcome::Transition { to },
            (GoesUnlessStrict, true) | (Conflict, _) => Outcome::Illegal,
        }
    }

    #[test]
    fn every_cell_of_the_table_holds_with_both_switches() {
        for (from, cells) in TABLE {
            for (to, cell) in CredentialState::ALL.iter().zip(cells) {
                for strict in [false, true] {
                    let wanted = wanted(cell, *to, strict);
                    assert_eq!(transition(from, Request::SetState(*to), strict), wanted, "{from} to {to}, strict {strict}");
                    let verb = match to {
                        Inactive => continue,
                        Active => Request::Resume,
                        Suspended => Request::Suspend,
                        Revoked => Request::Revoke,
                    };
                    assert_eq!(transition(from, verb, strict), wanted, "{verb:?} of {from}, strict {strict}");
                }
            }
        }
    }

    #[test]
    fn only_the_first_use_activates_and_it_wakes_nothing_that_was_taken_back() {
        for strict in [false, true] {
            let first_use = |state| transition(state, Request::FirstUse, strict);
            assert_eq!(first_use(Inactive), Outcome::Transition { to: Active });
            assert_eq!(first_use(Active), Outcome::NoChange);
            assert_eq!(first_use(Suspended), Outcome::Illegal);
            assert_eq!(first_use(Revoked), Outcome::Illegal);
        }
    }

    #[test]
    fn an_event_goes_out_exactly_when_use_ends() {
        for from in CredentialState::ALL {
            for to in CredentialState::ALL {
                let ends = matches!((from, to), (Inactive | Active, Suspended | Revoked));
                assert_eq!(takes_away(*from, *to), ends, "{from} to {to}");
            }
        }
    }

    fn requests() -> impl Strategy<Value = Request> {
        prop_oneof![
            Just(Request::Suspend),
            Just(Request::Resume),
            Just(Request::Revoke),
            Just(Request::FirstUse),
            prop::sample::select(CredentialState::ALL).prop_map(Request::SetState),
        ]
    }

    proptest! {
        #[test]
        fn revoked_is_terminal_and_no_path_reaches_inactive_again(
            path in prop::collection::vec(requests(), 0..40),
            strict: bool,
        ) {
            let mut state = Inactive;
            for request in path {
                match transition(state, request, strict) {
                    Outcome::Transition { to } => {
                        prop_assert_ne!(state, Revoked);
                        prop_assert_ne!(to, Inactive);
                        prop_assert_ne!(to, state, "a move that moves nothing is a record of nothing");
                        prop_assert_eq!(to, request.wanted());
                        state = to;
                    }
                    Outcome::NoChange => prop_assert_eq!(request.wanted(), state),
                    Outcome::Illegal => {}
                }
            }
        }
    }
}
