//! `bench authority`: a real `signet` process that issues, revokes and tells of it, beside the bare signature in the same run and,
//! for issuance, beside OpenBao's PKI engine over the same keep-alive connections.

mod bao;
mod bare;
mod csr;
mod inventory;
mod issue;
mod lists;
mod ocsp;
mod revoke;
mod start;

use anyhow::{Context, Result};
use serde_json::json;
use signet_testkit::{PostgresOptions, TestNats, TestPostgres};

use crate::credentials::rest::Rest;
use crate::credentials::server::{self, Server};

/// The tenant whose certificates are issued and revoked.
pub(crate) const TENANT: &str = "acme";
/// Callers at once.
pub(crate) const CALLERS: usize = 16;

/// Measures everything, one after the other; or one part alone: `bare`, `issue`, `bao`, `revoke`, `crl`, `ocsp`, `start` or
/// `inventory`.
pub(crate) async fn run(only: Option<&str>) -> Result<()> {
    let parts = ["bare", "issue", "bao", "revoke", "crl", "ocsp", "start", "inventory"];
    anyhow::ensure!(only.is_none_or(|only| parts.contains(&only)), "the parts are: {}", parts.join(", "));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let bare = bare::run()?;
    if wanted("crl") {
        lists::run()?;
    }
    if wanted("bao") {
        bao::run(&bare).await?;
    }
    let served = ["issue", "revoke", "ocsp", "start", "inventory"];
    if !served.into_iter().any(wanted) {
        return Ok(());
    }
    let binary = tokio::task::block_in_place(server::build)?;
    let nats = TestNats::start("").context("nats-server")?;
    let begin = async |folder: &std::path::Path, settings: &[(&str, &str)]| -> Result<(Server, Rest)> {
        let server = Server::start_with(&binary, folder, nats.url(), settings)?;
        let rest = Rest::new(&server, folder)?;
        Ok((server, rest))
    };
    let folder = tempfile::tempdir().context("a temporary directory")?;
    let (server, rest) = begin(folder.path(), &[]).await?;
    furnish(&rest).await?;
    if wanted("issue") {
        issue::run("SQLite", &server, &rest, &bare).await?;
    }
    if wanted("ocsp") {
        ocsp::run(&server, &rest, &bare).await?;
    }
    let fresh = if wanted("revoke") { Some(revoke::run("with none revoked before", &server, &rest, &bare).await?) } else { None };
    server.stop()?;
    if let Some(fresh) = fresh {
        revoke::insert(folder.path())?;
        let (server, rest) = begin(folder.path(), &[]).await?;
        let laden = revoke::run("with 1,000,000 revoked before", &server, &rest, &bare).await?;
        goal("cost beside that with none revoked before", 1.1, laden / fresh);
        println!();
        server.stop()?;
    }
    if wanted("inventory") {
        inventory::insert(folder.path())?;
        let (server, rest) = begin(folder.path(), &[]).await?;
        inventory::run(&server, &rest).await?;
        server.stop()?;
    }
    if wanted("start") {
        start::insert(folder.path())?;
        let (server, rest) = begin(folder.path(), &[]).await?;
        start::run(&server, &rest).await?;
        server.stop()?;
    }
    if wanted("issue") {
        let options = PostgresOptions { durable: true, ..PostgresOptions::default() };
        let postgres = TestPostgres::start(options).context("PostgreSQL with fsync on")?;
        let url = postgres.fresh_database().await;
        let folder = tempfile::tempdir().context("a temporary directory")?;
        let (server, rest) = begin(folder.path(), &[("SIGNET_DATABASE__URL", &url)]).await?;
        furnish(&rest).await?;
        issue::run("PostgreSQL", &server, &rest, &bare).await?;
        server.stop()?;
    }
    Ok(())
}

/// Makes the tenant.
async fn furnish(rest: &Rest) -> Result<()> {
    rest.post("/api/v1/tenants", &json!({ "id": TENANT })).await?;
    Ok(())
}

/// Where certificates are.
pub(crate) fn certificates() -> String {
    format!("/api/v1/tenants/{TENANT}/certificates")
}

/// Says whether a goal was reached.
pub(crate) fn goal(what: &str, limit: f64, seen: f64) {
    let verdict = if seen <= limit { "reached" } else { "missed" };
    println!("  goal {verdict}: {what}: at most {limit:.1}, {seen:.2} here");
}
