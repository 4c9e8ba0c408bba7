//! The `signet` program: what must be settled before anything else runs, then the command line.

mod api;
mod ceremony;
mod cli;
mod clock;
mod compat;
mod config;
#[cfg(test)]
mod corpus;
mod database;
mod doctor;
mod import;
mod lifecycle;
mod message_bus;
mod reasons;
#[cfg(test)]
mod reference;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Nothing that this process creates is readable by others, whatever umask it was started with.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    ExitCode::from(cli::main(std::env::args_os().collect()))
}
