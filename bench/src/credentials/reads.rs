//! CPU in Signet for one REST read and for one REST transition.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::TENANT;
use super::rest::Rest;
use super::server::Server;
use crate::report::{Figures, head};

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(8);

/// Prints both. The CPU column is Signet's alone.
pub(crate) async fn run(server: &Server, rest: &Rest, fleet: &[String]) -> Result<()> {
    println!("REST over HTTPS on kept HTTP/1.1 connections; CPU is that of the server process.\n{}", head());
    let path = format!("/api/v1/tenants/{TENANT}/credentials/{}", fleet.first().context("a credential")?);
    rest.get(&path).await?;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let mut latencies = Vec::new();
    while started.elapsed() < RUN {
        let asked = Instant::now();
        rest.get(&path).await?;
        latencies.push(asked.elapsed());
    }
    let figures = Figures::new(started.elapsed(), server.cpu()? - cpu, latencies);
    println!("{}", figures.line_of("  read of one credential, one caller", None, server.peak_mib()));

    let figures = transitions(server, rest, fleet).await?;
    println!("{}\n", figures.line_of(&format!("  suspend and resume, {} callers", fleet.len()), None, server.peak_mib()));
    Ok(())
}

/// Each caller suspends and resumes a credential of its own.
async fn transitions(server: &Server, rest: &Rest, fleet: &[String]) -> Result<Figures> {
    let stop = Arc::new(AtomicBool::new(false));
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let callers: Vec<_> = fleet
        .iter()
        .map(|credential| {
            let (rest, stop) = (rest.clone(), Arc::clone(&stop));
            let path = format!("/api/v1/tenants/{TENANT}/credentials/{credential}");
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    for step in ["suspend", "resume"] {
                        let asked = Instant::now();
                        let moved = rest.post(&format!("{path}/{step}"), &json!({})).await?;
                        anyhow::ensure!(moved["changed"] == true, "{step} changed nothing: {moved}");
                        latencies.push(asked.elapsed());
                    }
                }
                Ok(latencies)
            })
        })
        .collect();
    tokio::time::sleep(RUN).await;
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.extend(caller.await??);
    }
    Ok(Figures::new(started.elapsed(), server.cpu()? - cpu, latencies))
}
