//! Signals: TERM and INT end the process in good order, HUP has its files read again.

use signet_model::{Refusal, kinds};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a server listens to, from before anything else is started.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// End in good order.
    End,
    /// Read files again.
    Reload,
}

impl Signals {
    /// Starts listening.
    pub(crate) fn listen() -> Result<Self, Refusal> {
        let on = |kind| signal(kind).map_err(|e| Refusal::new(&kinds::INTERNAL, format!("signals cannot be caught: {e}")));
        Ok(Self { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())?, hangup: on(SignalKind::hangup())? })
    }

    /// The next wish.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }

    /// Until the process is asked to end; wishes to reload are dropped, since what starts reads its files anyway.
    pub(crate) async fn end(&mut self) {
        while self.next().await != Wish::End {}
    }
}
