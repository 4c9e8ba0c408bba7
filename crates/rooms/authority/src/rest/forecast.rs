//! `GET /api/v1/tenants/{tenant}/certificates/forecast`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use signet_http::{Answer, Guard, Problem, Query, Route, Scoped};
use signet_model::Role;
use utoipa::ToSchema;

use crate::AuthorityRoom;
use crate::forecast::Week;

/// How far ahead
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ForecastQuery {
    /// Weeks, 1 to 520; 13 where nothing is said
    weeks: Option<u32>,
}

/// The coming weeks
#[derive(Debug, Serialize, ToSchema)]
struct Forecast {
    /// From now on, each of seven days
    weeks: Vec<Week>,
}

pub(super) fn routes(room: &Arc<AuthorityRoom>) -> Vec<Route> {
    vec![
        Route::get("/api/v1/tenants/{tenant}/certificates/forecast", Guard::Tenant(Role::Auditor))
            .operation_id("certificateForecast")
            .summary("Tells how many unrevoked certificates end in each of the coming weeks")
            .query::<ForecastQuery>()
            .answer::<Forecast>(200)
            .handler_with(Arc::clone(room), forecast),
    ]
}

async fn forecast(
    State(room): State<Arc<AuthorityRoom>>,
    Scoped(scope): Scoped,
    Query(query): Query<ForecastQuery>,
) -> Result<Answer<Forecast>, Problem> {
    Ok(Answer::ok(Forecast { weeks: room.forecast(&scope, query.weeks).await? }))
}
