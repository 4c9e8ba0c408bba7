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
    let read = |rest: Rest, path: String| async move { rest.get(&path).await.map(drop) };
    for callers in [1, fleet.len()] {
        let figures = load(server, rest, fleet.get(..callers).context("callers")?, read).await?;
        println!("{}", figures.line_of(&format!("  read of one credential, {callers} caller(s)"), None, server.peak_mib()));
    }
    let figures = load(server, rest, fleet, suspend_and_resume).await?;
    let halves = "  suspend and resume (two transitions in each operation)";
    println!("{}\n", figures.line_of(&format!("{halves}, {} callers", fleet.len()), None, server.peak_mib()));
    Ok(())
}

async fn suspend_and_resume(rest: Rest, path: String) -> Result<()> {
    for step in ["suspend", "resume"] {
        let moved = rest.post(&format!("{path}/{step}"), &json!({})).await?;
        anyhow::ensure!(moved["changed"] == true, "{step} changed nothing: {moved}");
    }
    Ok(())
}

/// One caller for each credential does `work` on it, again and again. One alone pays for every thread that it wakes; many share
/// that.
async fn load<W, F>(server: &Server, rest: &Rest, fleet: &[String], work: W) -> Result<Figures>
where
    W: Fn(Rest, String) -> F + Copy + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
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
                    let asked = Instant::now();
                    work(rest.clone(), path.clone()).await?;
                    latencies.push(asked.elapsed());
                }
                anyhow::Ok(latencies)
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
