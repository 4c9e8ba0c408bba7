//! OCSP, signed on demand: over plain HTTP with kept connections, beside the bare signature. The requests are OpenSSL's.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine as _;
use serde_json::{Value, json};

use super::bare::Bare;
use super::{CALLERS, TENANT, certificates, csr, goal};
use crate::credentials::rest::Rest;
use crate::credentials::server::Server;
use crate::report::{Figures, head};

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(5);

/// Prints the figures.
pub(crate) async fn run(server: &Server, rest: &Rest, bare: &Bare) -> Result<()> {
    println!("OCSP signed on demand, over plain HTTP; limit is the bare signature.\n{}", head());
    let responder = Responder::of(server, rest).await?;
    let subjects: Arc<[Subject]> = responder.subjects(rest, CALLERS).await?.into();
    for subject in subjects.iter() {
        anyhow::ensure!(responder.status(subject).await? == "good", "OCSP does not say good");
    }
    for (name, path) in [("  bare answer of the same listener (404)", "/nothing"), ("  OCSP", "/ocsp")] {
        let (started, cpu) = (Instant::now(), server.cpu()?);
        let tasks: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (responder, subjects) = (responder.clone(), Arc::clone(&subjects));
                tokio::spawn(async move {
                    let subject = subjects.get(caller).context("a certificate for each caller")?;
                    let mut latencies = Vec::new();
                    while started.elapsed() < RUN {
                        let asked = Instant::now();
                        responder.post(path, &subject.request).await?;
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
        let figures = Figures::new(started.elapsed(), server.cpu()? - cpu, latencies);
        println!("{}", figures.line_of(name, Some(bare.sign), server.peak_mib()));
        if path == "/ocsp" {
            goal("CPU per answer with its HTTP, µs", 25.0, figures.cpu_per_operation().as_secs_f64() * 1e6);
        }
    }
    println!();
    Ok(())
}

/// A certificate that can be asked about.
#[derive(Clone)]
pub(crate) struct Subject {
    /// Its id.
    pub(crate) id: String,
    /// The address of its CRL, as it says itself.
    crl: String,
    /// Its serial number as a DER INTEGER.
    serial: Vec<u8>,
    /// The request about it.
    request: Vec<u8>,
}

/// The plain listener, and the CA that it speaks for.
#[derive(Clone)]
pub(crate) struct Responder {
    client: reqwest::Client,
    address: SocketAddr,
    ca: String,
}

impl Responder {
    /// That of the server; the CA is made when it is not there yet.
    pub(crate) async fn of(server: &Server, rest: &Rest) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().http1_only().timeout(Duration::from_secs(60)).build()?;
        let ca: Value = serde_json::from_slice(&rest.get(&format!("/api/v1/tenants/{TENANT}/ca")).await?)?;
        let ca = ca["certificate"].as_str().context("the CA's certificate")?.to_owned();
        Ok(Self { client, address: server.listener("revocation")?, ca })
    }

    /// So many new certificates.
    pub(crate) async fn subjects(&self, rest: &Rest, count: usize) -> Result<Vec<Subject>> {
        let folder = tempfile::tempdir().context("a temporary directory")?;
        std::fs::write(folder.path().join("ca.pem"), &self.ca)?;
        let requests = csr::requests(folder.path(), 1)?;
        let body = json!({ "csr": requests.first().context("a request")? });
        let mut subjects = Vec::with_capacity(count);
        for _ in 0..count {
            let issued = rest.post(&certificates(), &body).await?;
            let (id, pem) = (issued["id"].as_str().context("id")?, issued["certificate"].as_str().context("certificate")?);
            subjects.push(subject(folder.path(), id, pem)?);
        }
        Ok(subjects)
    }

    /// What the responder says: `good`, `revoked` or `unknown`.
    pub(crate) async fn status(&self, subject: &Subject) -> Result<&'static str> {
        let answer = self.post("/ocsp", &subject.request).await?;
        // SingleResponse: the CertID ends with the serial number, and the status follows it (RFC 6960 section 4.2.1).
        let behind = find(&answer, &subject.serial).and_then(|at| answer.get(at + subject.serial.len()));
        match behind {
            Some(0x80) => Ok("good"),
            Some(0xa1) => Ok("revoked"),
            Some(0x82) => Ok("unknown"),
            other => anyhow::bail!("an answer of {} bytes with {other:?} behind the serial number", answer.len()),
        }
    }

    /// Whether the CRL that the certificate names lists it.
    pub(crate) async fn lists(&self, subject: &Subject) -> Result<bool> {
        let response = self.client.get(&subject.crl).send().await?;
        anyhow::ensure!(response.status().is_success(), "{}: {}", subject.crl, response.status());
        Ok(find(&response.bytes().await?, &subject.serial).is_some())
    }

    async fn post(&self, path: &str, body: &[u8]) -> Result<Vec<u8>> {
        let request = self.client.post(format!("http://{}{path}", self.address)).header("content-type", "application/ocsp-request");
        Ok(request.body(body.to_vec()).send().await?.bytes().await?.to_vec())
    }
}

/// What has to be known of a certificate to ask about it.
fn subject(folder: &Path, id: &str, pem: &str) -> Result<Subject> {
    std::fs::write(folder.join("leaf.pem"), pem)?;
    let arguments = ["ocsp", "-issuer", "ca.pem", "-cert", "leaf.pem", "-reqout", "request.der", "-no_nonce"];
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().context("openssl")?;
    anyhow::ensure!(output.status.success(), "openssl ocsp: {}", String::from_utf8_lossy(&output.stderr));
    let text: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::engine::general_purpose::STANDARD.decode(text).context("base64")?;
    // The address stands in the certificate as an IA5String, and ends as lists do.
    let crl = der.windows(5).position(|part| part == b"/crl/").context("no CRL is named")?;
    let from = der.get(..crl).and_then(|before| before.windows(7).rposition(|part| part == b"http://")).context("no address")?;
    let to = der.get(crl..).and_then(|rest| rest.windows(4).position(|part| part == b".crl")).context("no end of an address")? + crl + 4;
    let crl = String::from_utf8(der.get(from..to).context("an address")?.to_vec())?;
    Ok(Subject { id: id.to_owned(), crl, serial: serial(&der)?, request: std::fs::read(folder.join("request.der"))? })
}

/// The serial number, as it stands in the certificate: the INTEGER behind the version.
fn serial(der: &[u8]) -> Result<Vec<u8>> {
    let at = find(der, &[0xa0, 0x03, 0x02, 0x01, 0x02]).context("a version")? + 5;
    let length = usize::from(*der.get(at + 1).context("a length")?);
    Ok(der.get(at..at + 2 + length).context("a serial number")?.to_vec())
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}
