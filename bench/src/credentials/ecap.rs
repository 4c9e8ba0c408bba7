//! Endpoint-token validations over NATS, beside what the same generator gets out of a bare echo on the same nats-server. A validation
//! is one read of a warm page; there is no hash behind it, so the bus itself is the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use signet_bus::{Bus, NatsConfig, Pattern, Subject};
use signet_kaa::ecap::{EndpointTokenValidationRequest, EndpointTokenValidationResponse};
use signet_kaa::{Record, Sensitive};

use super::TENANT;
use super::checks::connected;
use super::rest::Rest;
use super::server::Server;
use crate::report::{Figures, Meter, head};

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(8);
/// Runs; the median is told of them.
const RUNS: usize = 3;
/// Requests in flight, as of a few busy gateways.
const IN_FLIGHT: usize = 256;
/// Tokens that are asked for in turn; their pages stay warm.
const TOKENS: usize = 1_000;
const APPLICATION: &str = "demo";
const ECHO: &str = "bench.echo";
/// Where the instance `cm` takes requests: the default of the configuration.
const INSTANCE: &str = "cm";

/// Prints the figures of the bare echo and of the validations.
pub(crate) async fn run(server: &Server, rest: &Rest, nats: &str) -> Result<()> {
    println!(
        "Endpoint tokens over NATS, {IN_FLIGHT} in flight, {TOKENS} tokens. Limit = a bare echo, measured right before each run.\n{}",
        head()
    );
    for number in 0..TOKENS {
        let body =
            json!({"kind": "endpoint_token", "application": APPLICATION, "endpoint": format!("ep-{number}"), "token": token(number)});
        rest.post(&format!("/api/v1/tenants/{TENANT}/credentials"), &body).await?;
    }
    let bus = Bus::nats(NatsConfig::to(nats)).await?;
    connected(&bus).await?;
    let question = Subject::new(&signet_kaa::subject::ecap_token_request(&INSTANCE.parse()?))?;
    for number in 0..TOKENS {
        // The first use of a token is a change; what is measured is the ordinary use.
        validate(&bus, &question, number).await?;
    }
    let (mut per_core, mut of_bare) = (Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
    for number in 1..=RUNS {
        let bare = echo(nats, &bus).await?;
        println!("{}", bare.line(&format!("  bare echo, before run {number}"), None));
        let cpu = server.cpu()?;
        let (asking, subject) = (bus.clone(), question.clone());
        let whole = load(move |number| {
            let (bus, subject) = (asking.clone(), subject.clone());
            async move { validate(&bus, &subject, number).await }
        })
        .await?;
        let checks = Figures::new(whole.elapsed, server.cpu()? - cpu, whole.into_latencies());
        println!("{}", checks.line_of(&format!("  validations, run {number}"), Some(bare.rate()), server.peak_mib()));
        per_core.push(1.0 / checks.cpu_per_operation().as_secs_f64());
        of_bare.push(100.0 * checks.rate() / bare.rate());
    }
    println!(
        "  medians of {RUNS}: {:.0} validations in a second of Signet's CPU (one core), {:.0} % of the bare echo's rate\n",
        median(per_core),
        median(of_bare)
    );
    Ok(())
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn token(number: usize) -> String {
    format!("token-{number}")
}

/// The limit: a subscriber that sends back what it gets, on a connection of its own.
async fn echo(nats: &str, bus: &Bus) -> Result<Figures> {
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
        if bus.request(&subject, request(0), Duration::from_secs(1)).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let figures = load(move |number| {
        let (bus, subject) = (asking.clone(), subject.clone());
        async move {
            bus.request(&subject, request(number), Duration::from_secs(60)).await?;
            Ok(())
        }
    })
    .await;
    answering.abort();
    figures
}

/// Keeps [`IN_FLIGHT`] operations running for [`RUN`].
async fn load<F>(operation: impl Fn(usize) -> F + Clone + Send + 'static) -> Result<Figures>
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
                    operation(number % TOKENS).await?;
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

fn request(number: usize) -> Vec<u8> {
    let token = token(number);
    let record = EndpointTokenValidationRequest {
        correlation_id: "c9m4kd1il5k3e1a7v2m0".into(),
        timestamp: 0,
        timeout: 0,
        app_name: APPLICATION.into(),
        token: Sensitive::new(token.as_str()),
    };
    record.encode()
}

/// One validation, which must find the endpoint.
async fn validate(bus: &Bus, subject: &Subject, number: usize) -> Result<()> {
    let answer = bus.request(subject, request(number), Duration::from_secs(60)).await?;
    let record = EndpointTokenValidationResponse::decode(&answer.payload)?;
    let endpoint = record.endpoint_id.with_context(|| format!("a validation was answered {}", record.status_code))?;
    if endpoint != format!("ep-{number}") {
        bail!("token {number} stands for {endpoint}");
    }
    Ok(())
}
