//! `GET /api/v1/keys`: the public keys that verify the audit log's checkpoints and the feed. Public: they are no secret, and a
//! verifier needs no token.

use axum::extract::State;
use serde::Serialize;
use signet_http::{Answer, Guard, Problem, Route};
use signet_ledger::Ledger;
use utoipa::ToSchema;

/// The public keys of a Signet
#[derive(Serialize, ToSchema)]
struct PublicKeys {
    /// Verifies checkpoints of the audit log: PEM of an Ed25519 SubjectPublicKeyInfo
    log: String,
    /// Verifies the feed: PEM of an Ed25519 SubjectPublicKeyInfo
    feed: String,
    /// Which history the positions of log and feed belong to
    lineage: String,
}

pub(super) fn route(ledger: &Ledger) -> Route {
    Route::get("/api/v1/keys", Guard::Public)
        .operation_id("keysShow")
        .summary("Shows the public keys of the audit log and of the feed")
        .answer::<PublicKeys>(200)
        .handler_with(ledger.clone(), show)
}

async fn show(State(ledger): State<Ledger>) -> Result<Answer<PublicKeys>, Problem> {
    let keys = ledger.public_keys();
    Ok(Answer::ok(PublicKeys { log: keys.log.to_pem(), feed: keys.feed.to_pem(), lineage: ledger.lineage().0.clone() }))
}
