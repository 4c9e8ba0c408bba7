//! What a new database needs before anybody can use it: the operator's token, and a tenant to begin with. Done at every start,
//! since any of several replicas may be the first.

use std::path::Path;
use std::sync::Arc;

use signet_credentials::{CredentialsRoom, OPERATOR_TOKEN_LIFETIME, OperatorTokenParts, RotatedOperatorToken, first_operator_token};
use signet_custody::secret_file;
use signet_db::Db;
use signet_ledger::Ledger;
use signet_model::{Caller, Refusal, Scope, TraceId};

use super::boot::Foundation;
use super::shape::Shape;

/// Makes what is missing.
pub(super) async fn furnish(
    shape: &Shape,
    foundation: &Foundation,
    ledger: &Ledger,
    db: &Db,
    room: &Arc<CredentialsRoom>,
) -> Result<(), Refusal> {
    let caller = Caller::System("first-start");
    if let Some(tenant) = &shape.first_tenant {
        let scope = Scope {
            tenant: tenant.clone(),
            caller: caller.clone(),
            trace: TraceId::generate(foundation.entropy.as_ref()),
            correlation: None,
            clock: Arc::clone(&foundation.clock),
            entropy: Arc::clone(&foundation.entropy),
        };
        if room.ensure_tenant(&scope).await? {
            tracing::info!(event = "first-start.tenant", %tenant);
        }
    }
    if shape.transient {
        // A token that nobody can keep is worse than none; `signet operator rotate` makes one that is kept.
        tracing::info!(event = "first-start.no-operator-token", fix = "run `signet operator rotate --data-dir DIR` where DIR stays");
        return Ok(());
    }
    let made = first_operator_token(OperatorTokenParts {
        db,
        ledger,
        clock: foundation.clock.as_ref(),
        entropy: foundation.entropy.as_ref(),
        caller: &caller,
        lifetime: OPERATOR_TOKEN_LIFETIME,
    })
    .await?;
    if let Some(made) = made {
        keep(foundation.data_dir(), &made)?;
        tracing::info!(event = "first-start.operator-token", expires_at = %made.expires_at);
    }
    Ok(())
}

/// Writes the token where the command line looks for it; the answer is the file.
pub(crate) fn keep(data_dir: &Path, made: &RotatedOperatorToken) -> Result<std::path::PathBuf, Refusal> {
    let path = data_dir.join("operator.token");
    let line = signet_crypto::Secret::from(format!("{}\n", made.token.expose()));
    secret_file::replace(&path, line.expose())?;
    Ok(path)
}
