//! `bench credentials`: a real `signet` process on a real nats-server. Checks beside bare bcrypt, CPU per REST request, endpoint
//! tokens and certificates beside a bare echo, tokens of issuers beside a bare signature, and pages out of a million credentials. The server is a
//! process of its own, so that its CPU time is told from the generator's.

mod bcrypt;
pub(crate) mod bearer;
mod bus_load;
mod certificates;
mod checks;
mod ecap;
mod pages;
mod reads;
pub(crate) mod rest;
pub(crate) mod server;
mod storm;
mod stream;

use anyhow::{Context, Result};
use signet_testkit::TestNats;

use rest::Rest;
use server::Server;

/// The tenant whose credentials are checked, read and moved.
pub(crate) const TENANT: &str = "acme";
/// Credentials of [`TENANT`]; as many callers move one each.
pub(crate) const FLEET: usize = 64;
/// The password of each of them.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Measures everything, one after the other; or one part alone: `checks`, `reads`, `ecap`, `bearer`, `pages`,
/// `stream`, `storm` or `certificates`.
pub(crate) async fn run(only: Option<&str>) -> Result<()> {
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let binary = tokio::task::block_in_place(server::build)?;
    let nats = TestNats::start("").context("nats-server")?;
    let folder = tempfile::tempdir().context("a temporary directory")?;
    // Each check by bcrypt; what the memory of right passwords is worth is measured by the storm.
    let server = Server::start_with(&binary, folder.path(), nats.url(), &[("SIGNET_PASSWORD__REMEMBER_MOST", "0")])?;
    let rest = Rest::new(&server, folder.path())?;
    let fleet = furnish(&rest).await?;

    if wanted("checks") {
        checks::run(&server, &rest, nats.url(), &fleet).await?;
    }
    if wanted("reads") {
        reads::run(&server, &rest, &fleet).await?;
    }
    if wanted("ecap") {
        ecap::run(&server, &rest, nats.url()).await?;
    }
    if wanted("bearer") {
        bearer::run().await?;
    }
    pages::prepare(&rest).await?;
    storm::prepare(&rest).await?;
    certificates::prepare(&rest).await?;
    server.stop()?;
    if wanted("pages") || wanted("stream") {
        pages::insert(folder.path())?;
        let server = Server::start(&binary, folder.path(), nats.url())?;
        let rest = Rest::new(&server, folder.path())?;
        if wanted("pages") {
            pages::run(&server, &rest).await?;
        }
        if wanted("stream") {
            stream::run(&server, &rest).await?;
        }
        server.stop()?;
    }
    if wanted("storm") {
        storm::insert(folder.path())?;
        let server = Server::start_with(&binary, folder.path(), nats.url(), &storm::SETTINGS)?;
        storm::run(&server, &Rest::new(&server, folder.path())?, nats.url()).await?;
        server.stop()?;
    }
    if wanted("certificates") {
        let serials = certificates::insert(folder.path())?;
        let server = Server::start(&binary, folder.path(), nats.url())?;
        certificates::run(&server, nats.url(), serials).await?;
        server.stop()?;
    }
    Ok(())
}

/// Makes the tenant and its credentials; their ids.
async fn furnish(rest: &Rest) -> Result<Vec<String>> {
    rest.post("/api/v1/tenants", &serde_json::json!({ "id": TENANT })).await?;
    let mut fleet = Vec::with_capacity(FLEET);
    for number in 0..FLEET {
        let body = serde_json::json!({ "kind": "basic", "username": username(number), "password": PASSWORD });
        let made = rest.post(&format!("/api/v1/tenants/{TENANT}/credentials"), &body).await?;
        fleet.push(made["id"].as_str().context("the id of a new credential")?.to_owned());
    }
    Ok(fleet)
}

/// The username of one of the fleet.
pub(crate) fn username(number: usize) -> String {
    format!("device-{number}")
}
