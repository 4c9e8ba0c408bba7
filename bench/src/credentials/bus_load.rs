//! Load on the bus, and its limit: what the same generator gets out of a bare echo on the same nats-server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use signet_bus::{Bus, NatsConfig, Pattern, Subject};

use super::checks::connected;
use crate::report::{Figures, Meter};

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(8);
/// Runs; the median is told of them.
pub(super) const RUNS: usize = 3;
/// Requests in flight, as of a few busy gateways.
pub(super) const IN_FLIGHT: usize = 256;
const ECHO: &str = "bench.echo";

pub(super) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// The limit: a subscriber that sends back what it gets, on a connection of its own.
pub(super) async fn echo(nats: &str, bus: &Bus, payload: fn(usize) -> Vec<u8>) -> Result<Figures> {
    let other = Bus::nats(NatsConfig::to(nats)).await?;
    connected(&other).await?;
    let mut requests = other.subscribe(&Pattern::new(ECHO)?, Some("bench"), 4_096).await?;
    let answering = tokio::spawn(async move {
        while let Some(message) = requests.next().await {
            if let Some(reply) = &message.reply {
                other.publish(reply, None, message.payload.clone()).await?;
            }
        }
        anyhow::Ok(())
    });
    let (asking, subject) = (bus.clone(), Subject::new(ECHO)?);
    // The server has taken the subscription in when a first request is answered.
    for _ in 0..100 {
        if bus.request(&subject, payload(0), Duration::from_secs(1)).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let figures = load(move |number| {
        let (bus, subject) = (asking.clone(), subject.clone());
        async move {
            bus.request(&subject, payload(number), Duration::from_secs(60)).await?;
            Ok(())
        }
    })
    .await;
    answering.abort();
    figures
}

/// Keeps [`IN_FLIGHT`] operations running for [`RUN`].
pub(super) async fn load<F>(operation: impl Fn(usize) -> F + Clone + Send + 'static) -> Result<Figures>
where
    F: Future<Output = Result<()>> + Send,
{
    let stop = Arc::new(AtomicBool::new(false));
    let meter = Meter::start();
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|caller| {
            let (stop, operation) = (Arc::clone(&stop), operation.clone());
            tokio::spawn(async move {
                let (mut latencies, mut number) = (Vec::new(), caller);
                while !stop.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    operation(number).await?;
                    latencies.push(started.elapsed());
                    number = number.wrapping_add(IN_FLIGHT);
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
    Ok(meter.stop(latencies))
}
