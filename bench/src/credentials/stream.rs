//! The whole list of a million credentials in one answer, as Kaa's REST gives it without a limit, on SQLite.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::pages::{MANY, TENANT};
use super::rest::Rest;
use super::server::Server;
use crate::report::millis;

/// Lists read one after the other, and then at once.
const LISTS: usize = 4;

/// Prints how fast the list comes, and what memory it needs beside what the server had before.
pub(crate) async fn run(server: &Server, rest: &Rest) -> Result<()> {
    println!(
        "The list of {MANY} credentials in one answer: rows/s, MiB of JSON, CPU per row, first piece, and the most memory of the server."
    );
    one_after_the_other(server, rest).await?;
    at_once(server, rest).await
}

/// The first list fills the page caches of the database's readers, which have a bound; what comes after must not grow.
async fn one_after_the_other(server: &Server, rest: &Rest) -> Result<()> {
    in_a_row(server, rest, "  one reader, the first list", 1).await?;
    in_a_row(server, rest, "  one reader, again and again", LISTS).await
}

async fn in_a_row(server: &Server, rest: &Rest, name: &str, lists: usize) -> Result<()> {
    let before = server.reset_peak()?;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let mut last = Listed::default();
    for _ in 0..lists {
        last = read(rest).await?;
    }
    let (elapsed, cpu) = (started.elapsed(), server.cpu()? - cpu);
    print(name, lists, elapsed, cpu, &last, before, server.peak_mib());
    Ok(())
}

async fn at_once(server: &Server, rest: &Rest) -> Result<()> {
    let before = server.reset_peak()?;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let readers: Vec<_> = (0..LISTS)
        .map(|_| {
            tokio::spawn({
                let rest = rest.clone();
                async move { read(&rest).await }
            })
        })
        .collect();
    let mut last = Listed::default();
    for reader in readers {
        last = reader.await??;
    }
    let (elapsed, cpu) = (started.elapsed(), server.cpu()? - cpu);
    print("  four readers at once", LISTS, elapsed, cpu, &last, before, server.peak_mib());
    Ok(())
}

/// What was read of one list.
#[derive(Default)]
struct Listed {
    bytes: usize,
    first: Duration,
}

/// Reads the list as it comes and keeps nothing of it but its counts.
async fn read(rest: &Rest) -> Result<Listed> {
    let started = Instant::now();
    let mut response = rest.stream("/api/v1/basic-credentials", &[("signet-tenant", TENANT)]).await?;
    let total = response.headers().get("x-total-count").context("X-Total-Count")?.to_str()?.to_owned();
    ensure!(total == MANY.to_string(), "X-Total-Count is {total}");
    let (mut listed, mut rows, mut end) = (Listed::default(), 0_usize, [0_u8; 2]);
    while let Some(piece) = response.chunk().await? {
        if listed.bytes == 0 {
            listed.first = started.elapsed();
        }
        listed.bytes += piece.len();
        // Every object ends with a brace, and nothing else here holds one.
        rows += piece.iter().filter(|byte| **byte == b'}').count();
        for byte in piece.iter().rev().take(2).rev() {
            end = [end[1], *byte];
        }
    }
    ensure!(rows == MANY && end == *b"]\n", "{rows} rows, and the end is {end:?}");
    Ok(listed)
}

fn print(name: &str, lists: usize, elapsed: Duration, cpu: Duration, last: &Listed, before: u64, peak: u64) {
    let rows = (lists * MANY) as f64;
    println!(
        "{name:<46} {:>9.0} rows/s {:>5} MiB {:>7.2} µs/row {:>8.1} ms   {before} MiB before, {peak} MiB at most",
        rows / elapsed.as_secs_f64(),
        last.bytes / (1 << 20),
        cpu.as_secs_f64() * 1e6 / rows,
        millis(last.first),
    );
}
