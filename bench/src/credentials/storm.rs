//! A fleet that comes back at once: 20,000 clients that were in a moment ago, and, in place of as many that were not, 1,000.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde_json::json;
use signet_bus::{Bus, NatsConfig, Pattern, Subject};
use signet_crypto::SystemEntropy;
use signet_crypto::password::{Cost, Password, hash};

use super::checks::{ask_as, connected};
use super::rest::Rest;
use super::server::Server;
use crate::report::{Figures, Meter, head, millis};

/// The variable that makes the server take the hashes of the known for strong enough, so that it does not strengthen them.
pub(crate) const SETTINGS: [(&str, &str); 1] = [("SIGNET_PASSWORD__BCRYPT_COST", "4")];
/// The tenant of those who were in a moment ago. Their hashes are cheap: what they cost is paid before the clocks start.
const KNOWN: (&str, usize, u32) = ("known", 20_000, 4);
/// The tenant of those who were not, with hashes of the default cost.
const UNKNOWN: (&str, usize, u32) = ("unknown", 1_000, 10);
/// Requests that the gateways have in flight together.
const IN_FLIGHT: usize = 4_000;
/// As many as wait for bcrypt at most, so that nobody is told to come back.
const IN_FLIGHT_TO_WARM: usize = 100;
/// Storms; the median is told of them.
const RUNS: usize = 5;
/// How long a caller who was told 503 waits, as a gateway does.
const BACK_OFF: Duration = Duration::from_millis(250);

/// Makes the tenants, as long as the server runs.
pub(crate) async fn prepare(rest: &Rest) -> Result<()> {
    for (tenant, ..) in [KNOWN, UNKNOWN] {
        rest.post("/api/v1/tenants", &json!({ "id": tenant })).await?;
    }
    Ok(())
}

/// Inserts the rows by hand, those of a tenant with one hash, while no server runs.
pub(crate) fn insert(folder: &Path) -> Result<()> {
    let connection = rusqlite::Connection::open(folder.join("d/signet.db"))?;
    for (tenant, count, cost) in [KNOWN, UNKNOWN] {
        let hash = hash(&Password::new(super::PASSWORD)?, Cost::new(cost)?, &SystemEntropy);
        let rows = connection.execute(
            "INSERT INTO credential (tenant, id, kind, state, username, password_hash, created_at, updated_at, version)
             WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
             SELECT ?2, 'br7si8mg10l7' || substr(?2, 1, 1) || printf('%07d', i), 'basic', 'Active', 'device-' || i, ?3, i, i, 0 FROM n",
            rusqlite::params![count as i64, tenant, hash.as_str()],
        )?;
        anyhow::ensure!(rows == count, "{rows} rows of tenant {tenant}");
    }
    Ok(())
}

/// Prints the figures.
pub(crate) async fn run(server: &Server, rest: &Rest, nats: &str) -> Result<()> {
    let bus = Bus::nats(NatsConfig::to(nats)).await?;
    connected(&bus).await?;
    let (tenant, count, _) = KNOWN;
    println!(
        "A reconnect storm over NATS: {count} clients, each once, {IN_FLIGHT} in flight. Limit = bare request and answer on the same server."
    );
    println!("{}", head());
    all(&bus, KNOWN, IN_FLIGHT_TO_WARM).await?;
    let mut rates = Vec::with_capacity(RUNS);
    for number in 1..=RUNS {
        let bare = bare(nats, &bus, count).await?;
        println!("{}", bare.line(&format!("  bare request and answer, before run {number}"), None));
        let (cpu, of_passwords) = (server.cpu()?, server.cpu_of_password_threads()?);
        let meter = Meter::start();
        let latencies = all(&bus, KNOWN, IN_FLIGHT).await?;
        let elapsed = meter.stop(Vec::new()).elapsed;
        let figures = Figures::new(elapsed, server.cpu()? - cpu, latencies);
        println!("{}", figures.line_of(&format!("  known clients, run {number}"), Some(bare.rate()), server.peak_mib()));
        rates.push((figures.rate(), figures.cpu_per_operation(), server.cpu_of_password_threads()? - of_passwords));
    }
    rates.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let (rate, cpu, of_passwords) = rates.get(RUNS / 2).context("a run")?;
    println!(
        "  median of {RUNS}: {rate:.0} checks/s, {:.1} µs of Signet's CPU each; its password threads took {:.0} ms in that storm",
        cpu.as_secs_f64() * 1e6,
        millis(*of_passwords)
    );
    taken_back(rest, &bus).await?;

    let (_, few, _) = UNKNOWN;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let told_to_wait = patient(&bus).await?;
    let took = started.elapsed();
    println!(
        "  without the memory: {few} clients at once, cost 10, until the last is in: {:.1} s, {:.1} ms of CPU each, told 503 {told_to_wait} \
         times; {count} would take {:.0} s\n",
        took.as_secs_f64(),
        millis(server.cpu()? - cpu) / few as f64,
        took.as_secs_f64() * (count as f64 / few as f64)
    );
    anyhow::ensure!(ask_as(&bus, tenant, 0).await? == 200, "the first of the known is shut out");
    Ok(())
}

/// Asks for each client of a tenant once; how long each answer took.
async fn all(bus: &Bus, (tenant, count, _): (&'static str, usize, u32), in_flight: usize) -> Result<Vec<Duration>> {
    let asked = futures_util::stream::iter(0..count).map(|number| async move {
        let started = Instant::now();
        match ask_as(bus, tenant, number).await? {
            200 => Ok(started.elapsed()),
            other => bail!("client {number} of {tenant} was answered {other}"),
        }
    });
    asked.buffer_unordered(in_flight).try_collect().await
}

/// All at once, each until it is in; how often one was told to come back.
async fn patient(bus: &Bus) -> Result<usize> {
    let (tenant, count, _) = UNKNOWN;
    let asked = futures_util::stream::iter(0..count).map(|number| async move {
        let mut told_to_wait = 0;
        loop {
            match ask_as(bus, tenant, number).await? {
                200 => return Ok(told_to_wait),
                503 => told_to_wait += 1,
                other => bail!("client {number} of {tenant} was answered {other}"),
            }
            tokio::time::sleep(BACK_OFF).await;
        }
    });
    asked.buffer_unordered(count).try_fold(0, |sum, one| async move { Ok(sum + one) }).await
}

/// What was taken back is not let in from memory.
async fn taken_back(rest: &Rest, bus: &Bus) -> Result<()> {
    let path = format!("/api/v1/tenants/{}/credentials/br7si8mg10l7k0000007", KNOWN.0);
    for (step, status) in [("suspend", 403), ("resume", 200)] {
        rest.post(&format!("{path}/{step}"), &json!({})).await?;
        let answered = ask_as(bus, KNOWN.0, 7).await?;
        anyhow::ensure!(answered == status, "after {step} a known client was answered {answered}");
    }
    println!("  a known client was answered 403 right after it was suspended, 200 right after it was resumed");
    Ok(())
}

/// As many requests to somebody who sends each back, as many in flight.
async fn bare(nats: &str, bus: &Bus, count: usize) -> Result<Figures> {
    let answering = Bus::nats(NatsConfig::to(nats)).await?;
    connected(&answering).await?;
    let mut requests = answering.subscribe(&Pattern::new("bench.echo")?, None, count).await?;
    let echo = tokio::spawn(async move {
        while let Some(message) = requests.next().await {
            if let Some(reply) = message.reply {
                answering.publish(&reply, None, message.payload).await?;
            }
        }
        anyhow::Ok(())
    });
    let subject = Subject::new("bench.echo")?;
    // The subscription has reached the server when the first answer comes.
    while bus.request(&subject, "x", Duration::from_secs(1)).await.is_err() {}
    let meter = Meter::start();
    let asked = futures_util::stream::iter(0..count).map(|_| async {
        let started = Instant::now();
        bus.request(&subject, vec![b'x'; 100], Duration::from_secs(60)).await?;
        anyhow::Ok(started.elapsed())
    });
    let latencies = asked.buffer_unordered(IN_FLIGHT).try_collect().await?;
    let figures = meter.stop(latencies);
    echo.abort();
    Ok(figures)
}
