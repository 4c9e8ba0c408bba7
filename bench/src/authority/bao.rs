//! OpenBao's PKI engine over the same kind of connections: what a certificate from the same requests costs there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use signet_testkit::{BaoKind, TestBao};

use super::bare::Bare;
use super::{CALLERS, csr};
use crate::report::{Figures, cpu_of, head, peak_memory_mib};

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(5);

/// Prints the figures of certificates that are stored, and that are not.
pub(crate) async fn run(bare: &Bare) -> Result<()> {
    println!("Certificates from a CSR by OpenBao's PKI engine, in memory, over TLS, {CALLERS} callers.\n{}", head());
    let bao = TestBao::start(BaoKind::DevTls).context("OpenBao")?;
    let pid = bao.pid().context("its process")?.to_string();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(bao.ca_file())?)?;
    let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().http1_only().timeout(Duration::from_secs(60)).build()?;
    let api = Arc::new(Api { client, url: bao.url(), token: bao.root_token().to_owned() });
    api.post("sys/mounts/pki", &json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } })).await?;
    api.post("pki/root/generate/internal", &json!({ "common_name": "acme", "key_type": "ec", "key_bits": 256, "ttl": "87600h" })).await?;
    for (role, no_store) in [("stored", false), ("unstored", true)] {
        let rules = json!({ "allow_any_name": true, "enforce_hostnames": false, "key_type": "ec", "key_bits": 256, "ttl": "8760h", "no_store": no_store });
        api.post(&format!("pki/roles/{role}"), &rules).await?;
    }
    let folder = tempfile::tempdir().context("a temporary directory")?;
    let requests = Arc::new(csr::requests(folder.path(), CALLERS)?);
    for role in ["stored", "unstored"] {
        let (started, cpu) = (Instant::now(), cpu_of(&pid)?);
        let tasks: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let (api, requests) = (Arc::clone(&api), Arc::clone(&requests));
                tokio::spawn(async move {
                    let csr = requests.get(caller).context("a request for each caller")?;
                    let body = json!({ "csr": csr, "common_name": format!("bench-{caller}") });
                    let path = format!("pki/sign/{role}");
                    let mut latencies = Vec::new();
                    while started.elapsed() < RUN {
                        let asked = Instant::now();
                        api.post(&path, &body).await?;
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
        let figures = Figures::new(started.elapsed(), cpu_of(&pid)? - cpu, latencies);
        println!("{}", figures.line_of(&format!("  {role}"), Some(bare.sign), peak_memory_mib(&pid)));
    }
    println!();
    Ok(())
}

/// OpenBao's API.
struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    async fn post(&self, path: &str, body: &Value) -> Result<()> {
        let sent = self.client.post(format!("{}/v1/{path}", self.url)).header("x-vault-token", &self.token).json(body).send().await;
        let response = sent.with_context(|| path.to_owned())?;
        let status = response.status();
        let text = response.text().await?;
        anyhow::ensure!(status.is_success(), "{path}: {status}: {text}");
        Ok(())
    }
}
