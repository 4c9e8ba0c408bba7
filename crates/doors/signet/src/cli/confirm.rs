//! Asking before what cannot be undone, or cuts off many at once. Without a terminal there is nobody to ask: `--yes` is wanted then.

use std::io::{IsTerminal as _, Write as _};

use super::failure::{CONFIRMATION_DECLINED, CONFIRMATION_REQUIRED, Failure};
use super::globals::Globals;

/// Goes on with what cannot be undone only with consent.
pub(crate) fn confirm(globals: &Globals, what: &str) -> Result<(), Failure> {
    confirm_consequence(globals, what, "cannot be undone")
}

/// Goes on only with consent to the consequence that is told.
pub(crate) fn confirm_consequence(globals: &Globals, what: &str, consequence: &str) -> Result<(), Failure> {
    if globals.yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::usage(&CONFIRMATION_REQUIRED, format!("{what} {consequence}, and there is no terminal to ask on")));
    }
    // A question that cannot be written is not answered either.
    let _ = write!(anstream::stderr(), "{what} {consequence}. Go on? [yes/no] ");
    let mut answer = String::new();
    match stdin.read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "yes" | "y") => Ok(()),
        _ => Err(Failure::usage(&CONFIRMATION_DECLINED, format!("{what} was not confirmed"))),
    }
}
