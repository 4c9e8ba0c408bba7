//! Endpoint-token validations over NATS, beside what the same generator gets out of a bare echo on the same nats-server. A validation
//! is one read of a warm page; there is no hash behind it, so the bus itself is the limit.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use signet_bus::{Bus, NatsConfig, Subject};
use signet_kaa::ecap::{EndpointTokenValidationRequest, EndpointTokenValidationResponse};
use signet_kaa::{Record, Sensitive};

use super::TENANT;
use super::bus_load::{IN_FLIGHT, RUNS, echo, load, median};
use super::checks::connected;
use super::rest::Rest;
use super::server::Server;
use crate::report::{Figures, head};

/// Tokens that are asked for in turn; their pages stay warm.
const TOKENS: usize = 1_000;
const APPLICATION: &str = "demo";
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
        let bare = echo(nats, &bus, request).await?;
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

fn token(number: usize) -> String {
    format!("token-{number}")
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
    let number = number % TOKENS;
    let answer = bus.request(subject, request(number), Duration::from_secs(60)).await?;
    let record = EndpointTokenValidationResponse::decode(&answer.payload)?;
    let endpoint = record.endpoint_id.with_context(|| format!("a validation was answered {}", record.status_code))?;
    if endpoint != format!("ep-{number}") {
        bail!("token {number} stands for {endpoint}");
    }
    Ok(())
}
