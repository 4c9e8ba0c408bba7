//! `/api/v1/tenants/{tenant}/certificate-rule`: what may be certified in the tenant.

use std::sync::Arc;

use axum::extract::State;
use signet_http::{Answer, Guard, Json, Problem, Route, Scoped};
use signet_model::Role;

use crate::AuthorityRoom;
use crate::rules::IssuanceRule;

pub(super) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    const PATH: &str = "/api/v1/tenants/{tenant}/certificate-rule";
    vec![
        Route::get(PATH, Guard::Tenant(Role::Auditor))
            .operation_id("certificateRuleShow")
            .summary("Shows what may be certified in the tenant")
            .answer::<IssuanceRule>(200)
            .handler_with(Arc::clone(room), show),
        Route::put(PATH, Guard::Tenant(Role::Owner))
            .operation_id("certificateRuleSet")
            .summary("Sets what may be certified in the tenant")
            .body::<IssuanceRule>()
            .answer::<IssuanceRule>(200)
            .handler_with(Arc::clone(room), set),
    ]
}

async fn show(State(room): State<Arc<AuthorityRoom>>, Scoped(scope): Scoped) -> Result<Answer<IssuanceRule>, Problem> {
    Ok(Answer::ok(room.rule(&scope).await?))
}

async fn set(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Json(rule): Json<IssuanceRule>,
) -> Result<Answer<IssuanceRule>, Problem> {
    Ok(Answer::ok(room.set_rule(&scope, rule).await?))
}
