//! REST as a plain HTTPS client with kept connections speaks it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::server::Server;

/// A client with the operator token. HTTP/1.1: one connection for each request in flight.
#[derive(Clone)]
pub(crate) struct Rest {
    base: String,
    token: String,
    client: reqwest::Client,
}

impl Rest {
    /// Trusts the authority in the server's data directory.
    pub(crate) fn new(server: &Server, folder: &Path) -> Result<Self> {
        let data = folder.join("d");
        let token = std::fs::read_to_string(data.join("operator.token")).context("operator.token")?.trim().to_owned();
        let authority = reqwest::Certificate::from_pem(&std::fs::read(data.join("tls/ca.pem")).context("tls/ca.pem")?)?;
        let builder = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().http1_only().timeout(Duration::from_secs(60));
        Ok(Self { base: format!("https://{}", server.api), token, client: builder.build()? })
    }

    /// GET; the body.
    pub(crate) async fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.answer(self.client.get(format!("{}{path}", self.base)), path).await
    }

    /// GET with further headers; the answer, whose body is still to be read. It may take longer than any other.
    pub(crate) async fn stream(&self, path: &str, headers: &[(&str, &str)]) -> Result<reqwest::Response> {
        let mut request = self.client.get(format!("{}{path}", self.base)).bearer_auth(&self.token).timeout(Duration::from_secs(600));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.with_context(|| path.to_owned())?;
        anyhow::ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(response)
    }

    /// POST with a JSON body; the answer.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(serde_json::from_slice(&self.answer(self.client.post(format!("{}{path}", self.base)).json(body), path).await?)?)
    }

    async fn answer(&self, request: reqwest::RequestBuilder, path: &str) -> Result<Vec<u8>> {
        let response = request.bearer_auth(&self.token).send().await.with_context(|| path.to_owned())?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            bail!("{path}: {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body.to_vec())
    }
}
