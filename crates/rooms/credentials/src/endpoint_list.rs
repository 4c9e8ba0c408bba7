//! The tokens of one endpoint as Kaa lists them: in some states, in either order, some skipped, all counted.

use std::collections::BTreeSet;

use signet_model::{CredentialState, EndpointId, Refusal, Scope};

use crate::CredentialsRoom;
use crate::credential::Credential;
use crate::sql::{self, endpoint_list};

/// Which tokens of an endpoint, and which part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndpointTokens {
    /// Only in these states; in whichever when there are none.
    pub(crate) states: BTreeSet<CredentialState>,
    /// Oldest first.
    pub(crate) oldest_first: bool,
    /// How many are left out at the beginning.
    pub(crate) offset: u32,
    /// Most that are listed.
    pub(crate) limit: u32,
}

/// A part of the tokens, and how many there are in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokensOfEndpoint {
    pub(crate) tokens: Vec<Credential>,
    pub(crate) total: i64,
}

impl CredentialsRoom {
    /// The tokens that the tenant has of the endpoint; none for one that it does not know.
    pub(crate) async fn tokens_of_endpoint(
        &self,
        scope: &Scope,
        endpoint: &EndpointId,
        wanted: &EndpointTokens,
    ) -> Result<TokensOfEndpoint, Refusal> {
        let total = sql::one(&self.db, endpoint_list::count(&scope.tenant, endpoint, &wanted.states), |row| row.int(0)).await?;
        let tokens = sql::all(&self.db, endpoint_list::part(&scope.tenant, endpoint, wanted), sql::credential::read).await?;
        Ok(TokensOfEndpoint { tokens, total: total.unwrap_or(0) })
    }
}
