//! From a commit to an applied view: the time after which every replica knows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signet_crypto::SystemEntropy;
use signet_standing::{View, ViewConfig, ViewTasks};

use super::subject::{FRESH_WITHIN, Fleet, House, SystemClock};
use crate::report::millis;

/// Changes at `rate` a second in an open loop; prints how long each took from its answered commit to the view.
pub(crate) async fn run(house: &House, fleet: &Arc<Fleet>, rate: f64) -> Result<()> {
    let config = ViewConfig::new(house.ledger.public_keys().feed, Duration::from_secs(30), Arc::new(SystemClock), Arc::new(SystemEntropy));
    let view = View::new(config);
    let tasks = ViewTasks::start(view.clone(), house.bus.clone()).map_err(|error| anyhow::anyhow!("{error}"))?;
    wait_until(|| view.age().is_some() && view.position() >= house.ledger.head(), FRESH_WITHIN)
        .await
        .context("the view did not become fresh")?;
    let (sender, mut committed) = tokio::sync::mpsc::unbounded_channel();
    let (ledger, mut part) = (house.ledger.clone(), fleet.part(0, 1));
    let generator = tokio::spawn(async move {
        let started = Instant::now();
        let mut sent = 0.0;
        while started.elapsed() < super::RUN {
            // What is due by now goes out together: a timer is coarser than the rate.
            while sent < started.elapsed().as_secs_f64() * rate {
                sent += 1.0;
                let (ledger, change, sender) = (ledger.clone(), part.next_change(), sender.clone());
                tokio::spawn(async move {
                    let done = ledger.commit(change).await.map(|done| (done.position, Instant::now()));
                    // The receiver is gone when an earlier change has failed, and that one is told.
                    let _told_already = sender.send(done);
                });
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let mut waits = Vec::new();
    while let Some(done) = committed.recv().await {
        let (position, at) = done.map_err(|error| anyhow::anyhow!("a change failed: {error}"))?;
        wait_until(|| view.position() >= position, FRESH_WITHIN).await.context("the view fell behind")?;
        waits.push(at.elapsed());
    }
    generator.await?;
    drop(tasks);
    waits.sort_unstable();
    let at =
        |share: f64| waits.get(((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1))).copied().unwrap_or_default();
    println!(
        "  commit to applied view at {:.0}/s (half of the most): p50 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms over {} changes",
        rate,
        millis(at(0.50)),
        millis(at(0.99)),
        millis(at(0.999)),
        waits.len()
    );
    Ok(())
}

async fn wait_until(mut done: impl FnMut() -> bool, within: Duration) -> Result<()> {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > within {
            bail!("not within {within:?}");
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    Ok(())
}
