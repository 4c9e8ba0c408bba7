//! Asking the management listener, as a monitor would: plain HTTP, no token, never through a proxy.

use std::time::Duration;

use crate::error::{SERVER_ANSWER, SERVER_UNREACHABLE};
use crate::{ClientError, trust};

/// Longest answer that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// Status and text of `http://{address}{path}`, such as `/health`.
pub async fn probe(address: &str, path: &str, deadline: Duration) -> Result<(u16, String), ClientError> {
    let url = format!("http://{address}{path}");
    let unreachable = |e: reqwest::Error| ClientError::local(&SERVER_UNREACHABLE, format!("{url}: {}", crate::connect::chain(&e)));
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(trust::nobody()?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(deadline)
        .build()
        .map_err(unreachable)?;
    let mut response = client.get(&url).send().await.map_err(unreachable)?;
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if bytes.len().saturating_add(chunk.len()) > LONGEST {
            return Err(ClientError::local(&SERVER_ANSWER, format!("{url} answered more than {LONGEST} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
}
