//! Load generators: `cargo xtask bench NAME`. Each prints its figures beside the physical limit, measured in the same run.
//!
//! Nothing here is a test: the machines are shared, so a figure is a ratio to what the same machine does barely.

mod authority;
mod credentials;
mod ledger;
mod report;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match name.as_str() {
        "ledger" => runtime.block_on(ledger::run()),
        "credentials" => runtime.block_on(credentials::run(std::env::args().nth(2).as_deref())),
        "authority" => runtime.block_on(authority::run(std::env::args().nth(2).as_deref())),
        // A part of `credentials` that needs no server and takes seconds.
        "bearer" => runtime.block_on(credentials::bearer::run()),
        _ => bail!("usage: cargo xtask bench NAME, with NAME one of: ledger, credentials, authority, bearer"),
    }
}
