//! How many certificates of a tenant end in which week.

use std::time::Duration;

use serde::Serialize;
use signet_model::{Refusal, Scope, Timestamp, kinds};
use utoipa::ToSchema;

use crate::sql::expiry;
use crate::{AuthorityRoom, sql};

/// Weeks that are looked ahead where the request does not say.
pub(crate) const USUAL_WEEKS: u32 = 13;
/// Weeks that are looked ahead at most.
pub(crate) const MOST_WEEKS: u32 = 520;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A week, and what ends in it
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Week {
    /// When it begins; the first one begins now
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When it ends
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Certificates that end in it and are not revoked
    pub certificates: u64,
}

impl AuthorityRoom {
    /// The coming weeks, each with the number of the tenant's unrevoked certificates that end in it.
    ///
    /// # Errors
    /// Not 1 to 520 weeks; the database.
    pub async fn forecast(&self, scope: &Scope, weeks: Option<u32>) -> Result<Vec<Week>, Refusal> {
        let weeks = weeks.unwrap_or(USUAL_WEEKS);
        if !(1..=MOST_WEEKS).contains(&weeks) {
            return Err(Refusal::new(&kinds::INPUT_INVALID, format!("weeks: {weeks}, wanted 1 to {MOST_WEEKS}")));
        }
        let now = scope.now();
        let counted = expiry::forecast(&scope.tenant, now, weeks, WEEK);
        let counted = sql::all(&self.db, counted, |row| Ok((row.int(0)?, row.int(1)?))).await?;
        let week = |number: u32| {
            let found = counted.iter().find(|(stretch, _)| *stretch == i64::from(number)).map_or(0, |(_, count)| *count);
            Week {
                from: now.plus(WEEK.saturating_mul(number)),
                until: now.plus(WEEK.saturating_mul(number.saturating_add(1))),
                certificates: u64::try_from(found).unwrap_or(0),
            }
        };
        Ok((0..weeks).map(week).collect())
    }
}
