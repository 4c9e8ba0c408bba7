//! Checks of certificates over NATS, beside what the same generator gets out of a bare echo on the same nats-server. A check is one
//! read along an index, without any cryptography, so the bus itself is the limit.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;
use signet_bus::{Bus, NatsConfig, Subject};
use signet_kaa::Record;
use signet_kaa::cap::{ClientCertificateAuthenticationRequest, ClientCertificateAuthenticationResponse};

use super::bus_load::{IN_FLIGHT, RUNS, echo, load, median};
use super::checks::connected;
use super::rest::Rest;
use super::server::Server;
use crate::report::{Figures, head};

const TENANT: &str = "machines";
/// As Kaa's gateways write it.
const ISSUER: &str = "CN=machines";
/// Certificates of the tenant.
const MANY: usize = 200_000;
/// Those that are asked for in turn; their pages stay warm.
const ASKED: usize = 1_000;
/// Where the instance `ccm` takes requests: the default of the configuration.
const INSTANCE: &str = "ccm";

/// Makes the tenant, as long as the server runs.
pub(crate) async fn prepare(rest: &Rest) -> Result<()> {
    rest.post("/api/v1/tenants", &json!({ "id": TENANT })).await?;
    Ok(())
}

/// Inserts the rows by hand, while no server runs; some of their serial numbers.
pub(crate) fn insert(folder: &Path) -> Result<Vec<String>> {
    let connection = rusqlite::Connection::open(folder.join("d/signet.db"))?;
    // Valid until the year 2096.
    let (from, until) = (0_i64, 4_000_000_000_000_000_i64);
    let rows = connection.execute(
        "INSERT INTO credential (tenant, id, kind, state, issuer_dn, serial_decimal, spki_sha256, common_name, not_before, not_after,
                                 created_at, updated_at, version)
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
         SELECT ?2, 'br7si8mg10l7c' || printf('%07d', i), 'x509', 'Active', ?3,
                (1 + abs(random() % 8999999999999999999)) || substr('0000000000000000000' || abs(random() % 8999999999999999999), -19),
                randomblob(32), 'device-' || i, ?4, ?5, i, i, 0 FROM n",
        rusqlite::params![MANY as i64, TENANT, ISSUER, from, until],
    )?;
    anyhow::ensure!(rows == MANY, "{rows} rows");
    let mut some = connection.prepare("SELECT serial_decimal FROM credential WHERE tenant = ?1 AND rowid % 200 = 7 LIMIT ?2")?;
    let serials = some.query_map(rusqlite::params![TENANT, ASKED as i64], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    anyhow::ensure!(serials.len() == ASKED, "{} serial numbers", serials.len());
    Ok(serials)
}

/// Prints the figures of the bare echo and of the checks.
pub(crate) async fn run(server: &Server, nats: &str, serials: Vec<String>) -> Result<()> {
    println!(
        "Certificates over NATS, {IN_FLIGHT} in flight, {ASKED} of {MANY} asked for. Limit = a bare echo, measured right before each run.\n{}",
        head()
    );
    let bus = Bus::nats(NatsConfig::to(nats)).await?;
    connected(&bus).await?;
    let question = Subject::new(&signet_kaa::subject::cap_certificate_request(&INSTANCE.parse()?))?;
    let serials: Arc<[String]> = serials.into();
    let warm = Instant::now();
    for number in 0..ASKED {
        check(&bus, &question, &serials, number).await?;
    }
    println!("  one after the other, with its last use written: {:.0} µs each", warm.elapsed().as_secs_f64() * 1e6 / ASKED as f64);
    let (mut per_core, mut of_bare) = (Vec::with_capacity(RUNS), Vec::with_capacity(RUNS));
    for number in 1..=RUNS {
        let bare = echo(nats, &bus, |_| request("269421234567890123456789012345678901234")).await?;
        println!("{}", bare.line(&format!("  bare echo, before run {number}"), None));
        let cpu = server.cpu()?;
        let (asking, subject, asked) = (bus.clone(), question.clone(), Arc::clone(&serials));
        let whole = load(move |number| {
            let (bus, subject, serials) = (asking.clone(), subject.clone(), Arc::clone(&asked));
            async move { check(&bus, &subject, &serials, number).await }
        })
        .await?;
        let checks = Figures::new(whole.elapsed, server.cpu()? - cpu, whole.into_latencies());
        println!("{}", checks.line_of(&format!("  checks, run {number}"), Some(bare.rate()), server.peak_mib()));
        per_core.push(1.0 / checks.cpu_per_operation().as_secs_f64());
        of_bare.push(100.0 * checks.rate() / bare.rate());
    }
    println!(
        "  medians of {RUNS}: {:.0} checks in a second of Signet's CPU (one core), {:.0} % of the bare echo's rate\n",
        median(per_core),
        median(of_bare)
    );
    Ok(())
}

fn request(serial: &str) -> Vec<u8> {
    let record = ClientCertificateAuthenticationRequest {
        correlation_id: "c9m4kd1il5k3e1a7v2m0".into(),
        timestamp: 0,
        timeout: 0,
        issuer: ISSUER.into(),
        serial_number: serial.into(),
    };
    record.encode()
}

/// One check, which must find the tenant.
async fn check(bus: &Bus, subject: &Subject, serials: &[String], number: usize) -> Result<()> {
    let serial = serials.get(number % ASKED).map_or("0", String::as_str);
    let answer = bus.request(subject, request(serial), Duration::from_secs(60)).await?;
    let record = ClientCertificateAuthenticationResponse::decode(&answer.payload)?;
    match record.tenant_id.as_deref() {
        Some(TENANT) if record.status_code == 200 => Ok(()),
        other => bail!("certificate {serial} was answered {} for {other:?}", record.status_code),
    }
}
