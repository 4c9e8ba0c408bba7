//! Certificates from requests: proven, linted, recorded, signed, stored and audited, before each answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::bare::Bare;
use super::{CALLERS, certificates, csr, goal};
use crate::credentials::rest::Rest;
use crate::credentials::server::Server;
use crate::report::{Figures, head, millis};

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(5);

/// Prints the figures for one caller and for many.
pub(crate) async fn run(database: &str, server: &Server, rest: &Rest, bare: &Bare) -> Result<()> {
    println!("Certificates from a CSR on {database}, over TLS; limit is the bare signature.\n{}", head());
    let folder = tempfile::tempdir().context("a temporary directory")?;
    let requests = Arc::new(csr::requests(folder.path(), CALLERS)?);
    // The CA is made, and every connection is open.
    load(server, rest, &requests, CALLERS, Duration::from_millis(500)).await?;
    for callers in [1, CALLERS] {
        let figures = load(server, rest, &requests, callers, RUN).await?;
        println!("{}", figures.line_of(&format!("  {callers} caller(s)"), Some(bare.sign), server.peak_mib()));
        if callers == CALLERS {
            if database == "SQLite" {
                goal("CPU per certificate, µs", 120.0, figures.cpu_per_operation().as_secs_f64() * 1e6);
            }
            goal("p99, ms", 6.0, millis(figures.percentile(0.99)));
        }
    }
    println!();
    Ok(())
}

async fn load(server: &Server, rest: &Rest, requests: &Arc<Vec<String>>, callers: usize, time: Duration) -> Result<Figures> {
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (rest, requests) = (rest.clone(), Arc::clone(requests));
            tokio::spawn(async move {
                let path = certificates();
                let csr = requests.get(caller).context("a request for each caller")?;
                let body = json!({ "csr": csr });
                let mut latencies = Vec::new();
                while started.elapsed() < time {
                    let asked = Instant::now();
                    rest.post(&path, &body).await?;
                    latencies.push(asked.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(Figures::new(started.elapsed(), server.cpu()? - cpu, latencies))
}
