//! Authentication requests over NATS, many in flight, while REST is read slowly beside them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signet_bus::{Bus, NatsConfig, Subject};
use signet_kaa::cap::{ClientBasicAuthenticationRequest, ClientBasicAuthenticationResponse};
use signet_kaa::{Record, Sensitive};

use super::rest::Rest;
use super::server::Server;
use super::{FLEET, PASSWORD, TENANT, bcrypt, username};
use crate::report::{Figures, Meter, head, millis};

/// How long one run lasts.
const RUN: Duration = Duration::from_secs(8);
/// Runs of each kind; medians are told of them.
const RUNS: usize = 5;
/// How long a caller who was told 503 waits, as a gateway does.
const BACK_OFF: Duration = Duration::from_millis(250);
/// Between two REST reads: 50 in a second.
const READ_EVERY: Duration = Duration::from_millis(20);

/// Where the instance `ccm` takes requests: the default of the configuration.
const INSTANCE: &str = "ccm";

/// Prints the figures for 64 and for 1,000 requests in flight.
pub(crate) async fn run(server: &Server, rest: &Rest, nats: &str, fleet: &[String]) -> Result<()> {
    println!("Checks over NATS, bcrypt of cost 10. Limit = bare bcrypt on 2 threads, measured right before each run.\n{}", head());
    let bus = Bus::nats(NatsConfig::to(nats)).await?;
    connected(&bus).await?;
    for number in 0..FLEET {
        // The first use of a credential is a change; what is measured is the ordinary use.
        let status = ask(&bus, number).await?;
        anyhow::ensure!(status == 200, "the check of {} was answered {status}", username(number));
    }
    for in_flight in [64, 1_000] {
        let mut runs = Vec::with_capacity(RUNS);
        for number in 1..=RUNS {
            let bare = tokio::task::block_in_place(|| bcrypt::run(RUN / 4))?;
            let outcome = load(server, rest, &bus, in_flight, fleet).await?;
            println!("{}", bare.line(&format!("  bare bcrypt, before run {number}"), None));
            println!(
                "{}",
                outcome.checks.line_of(&format!("  checks, {in_flight} in flight, run {number}"), Some(bare.rate()), server.peak_mib())
            );
            runs.push(Run::of(&bare, &outcome));
        }
        let median = |of: fn(&Run) -> f64| {
            let mut all: Vec<f64> = runs.iter().map(of).collect();
            all.sort_unstable_by(f64::total_cmp);
            all[all.len() / 2]
        };
        println!(
            "  {in_flight} in flight, medians of {RUNS}: {:.1} checks/s = {:.0} % of bare; told 503: {:.1} % of all requests, p99 {:.1} ms; \
             bcrypt {:.1} % of Signet's CPU (checks x bare cost), {:.1} % (its password threads); REST p99 at 50 reads/s {:.1} ms\n",
            median(|run| run.rate),
            median(|run| run.of_bare),
            median(|run| run.refused),
            median(|run| run.refusal_p99),
            median(|run| run.bcrypt),
            median(|run| run.password_threads),
            median(|run| run.read_p99)
        );
    }
    Ok(())
}

/// What one run came to, in the units that are printed.
struct Run {
    rate: f64,
    of_bare: f64,
    refused: f64,
    refusal_p99: f64,
    bcrypt: f64,
    password_threads: f64,
    read_p99: f64,
}

impl Run {
    fn of(bare: &Figures, outcome: &Outcome) -> Self {
        let (checks, refusals) = (outcome.checks.operations as f64, outcome.refusals.operations as f64);
        let cpu = outcome.checks.cpu.as_secs_f64();
        Self {
            rate: outcome.checks.rate(),
            of_bare: 100.0 * outcome.checks.rate() / bare.rate(),
            refused: 100.0 * refusals / (checks + refusals),
            refusal_p99: millis(outcome.refusals.percentile(0.99)),
            bcrypt: 100.0 * checks * bare.cpu_per_operation().as_secs_f64() / cpu,
            password_threads: 100.0 * outcome.password_threads.as_secs_f64() / cpu,
            read_p99: millis(outcome.reads.percentile(0.99)),
        }
    }
}

struct Outcome {
    checks: Figures,
    refusals: Figures,
    reads: Figures,
    password_threads: Duration,
}

async fn load(server: &Server, rest: &Rest, bus: &Bus, in_flight: usize, fleet: &[String]) -> Result<Outcome> {
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let callers: Vec<_> =
        (0..in_flight).map(|caller| tokio::spawn(call(bus.clone(), caller, Arc::clone(&stop), Arc::clone(&answered)))).collect();
    // The queue fills before the clocks start.
    let filling = Instant::now();
    while answered.load(Ordering::Relaxed) == 0 || filling.elapsed() < Duration::from_secs(1) {
        anyhow::ensure!(filling.elapsed() < Duration::from_secs(30), "no check was answered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let reader = tokio::spawn(read_slowly(rest.clone(), fleet.first().context("a credential")?.clone(), Arc::clone(&stop)));
    let (began, cpu, password_threads) = (Instant::now(), server.cpu()?, server.cpu_of_password_threads()?);
    let meter = Meter::start();
    tokio::time::sleep(RUN).await;
    let ended = Instant::now();
    let (cpu, password_threads) = (server.cpu()? - cpu, server.cpu_of_password_threads()? - password_threads);
    stop.store(true, Ordering::Relaxed);
    let whole = meter.stop(Vec::new());
    let within = |all: &[(Instant, Duration)]| -> Vec<Duration> {
        all.iter().filter(|(at, _)| (began..ended).contains(at)).map(|(_, latency)| *latency).collect()
    };
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for caller in callers {
        let answers = caller.await??;
        allowed.extend(within(&answers.allowed));
        refused.extend(within(&answers.refused));
    }
    let reads = reader.await??;
    let figures = |latencies| Figures::new(whole.elapsed, cpu, latencies);
    Ok(Outcome { checks: figures(allowed), refusals: figures(refused), reads: figures(reads), password_threads })
}

/// When each answer came, and how long it took.
#[derive(Default)]
struct Answers {
    allowed: Vec<(Instant, Duration)>,
    refused: Vec<(Instant, Duration)>,
}

async fn call(bus: Bus, caller: usize, stop: Arc<AtomicBool>, answered: Arc<AtomicU64>) -> Result<Answers> {
    let mut answers = Answers::default();
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        // One name for each caller, or equal requests would share one run of bcrypt. Nobody's cost as much as somebody's.
        let status = ask(&bus, caller).await?;
        let answer = (Instant::now(), started.elapsed());
        match status {
            200 | 404 if (status == 200) == (caller < FLEET) => {
                answered.fetch_add(1, Ordering::Relaxed);
                answers.allowed.push(answer);
            }
            503 => {
                answers.refused.push(answer);
                tokio::time::sleep(BACK_OFF).await;
            }
            other => bail!("a check was answered {other}"),
        }
    }
    Ok(answers)
}

/// One request for one of the fleet; the status of its answer.
async fn ask(bus: &Bus, number: usize) -> Result<i32> {
    ask_as(bus, TENANT, number).await
}

/// The same for one of a tenant's.
pub(crate) async fn ask_as(bus: &Bus, tenant: &str, number: usize) -> Result<i32> {
    let username = username(number);
    let request = ClientBasicAuthenticationRequest {
        correlation_id: username.as_str().into(),
        timestamp: 0,
        timeout: 0,
        tenant_id: tenant.into(),
        username: username.as_str().into(),
        password: Sensitive::new(PASSWORD),
    };
    let subject = Subject::new(&signet_kaa::subject::cap_basic_request(&INSTANCE.parse()?))?;
    let answer = bus.request(&subject, request.encode(), Duration::from_secs(60)).await?;
    Ok(ClientBasicAuthenticationResponse::decode(&answer.payload)?.status_code)
}

/// Reads in an open loop: a slow answer does not delay the next request.
async fn read_slowly(rest: Rest, credential: String, stop: Arc<AtomicBool>) -> Result<Vec<Duration>> {
    let path: Arc<str> = format!("/api/v1/tenants/{TENANT}/credentials/{credential}").into();
    let mut ticks = tokio::time::interval(READ_EVERY);
    let mut reads = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let (rest, path) = (rest.clone(), Arc::clone(&path));
        reads.push(tokio::spawn(async move {
            let started = Instant::now();
            rest.get(&path).await.map(|_| started.elapsed())
        }));
    }
    let mut latencies = Vec::with_capacity(reads.len());
    for read in reads {
        latencies.push(read.await??);
    }
    Ok(latencies)
}

/// Waits for the connection.
pub(crate) async fn connected(bus: &Bus) -> Result<()> {
    let started = Instant::now();
    while !bus.is_connected() {
        anyhow::ensure!(started.elapsed() < Duration::from_secs(10), "no connection to the nats-server");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
