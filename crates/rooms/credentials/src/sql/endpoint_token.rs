//! Endpoint tokens in the table `credential`, and table `application`: whose each application is.

use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{ApplicationName, CredentialId, CredentialState, Enabled, EndpointId, IdentityId, TenantId, Timestamp};

use super::{opt_parsed, parsed};
use crate::credential::Credential;
use crate::revocation::Gone;

/// What stands in the way of a new token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    /// Whose the application is, if anybody has used it.
    pub(crate) owner: Option<TenantId>,
    /// Whether the application has this token already, in whatever tenant.
    pub(crate) taken: bool,
}

pub(crate) fn before(application: &ApplicationName, hash: &[u8; 32]) -> Statement {
    Statement::new(
        "SELECT (SELECT a.tenant FROM application a WHERE a.name = $1), \
         (SELECT count(*) FROM credential c WHERE c.application = $1 AND c.token_hash = $2 AND c.kind = 'endpoint_token')",
        params![application, hash],
    )
}

pub(crate) fn read_before(row: &Row) -> Result<Before, DbError> {
    Ok(Before { owner: opt_parsed(row, 0)?, taken: row.int(1)? > 0 })
}

/// Guard: the application is this tenant's.
pub(crate) fn owns(tenant: &TenantId, application: &ApplicationName) -> Statement {
    Statement::new("SELECT 1 FROM application WHERE name = $1 AND tenant = $2", params![application, tenant])
}

/// Makes the application this tenant's, unless it is anybody's.
pub(crate) fn claim(tenant: &TenantId, application: &ApplicationName, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO application (name, tenant, created_at) SELECT $1, $2, $3 WHERE {ok} ON CONFLICT DO NOTHING",
        params![application, tenant, now],
    )
}

pub(crate) fn insert(tenant: &TenantId, credential: &Credential, hash: &[u8; 32]) -> Statement {
    Statement::new(
        "INSERT INTO credential (tenant, id, identity, kind, state, application, endpoint, token_hash, created_at, updated_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            tenant,
            &credential.id,
            credential.identity.as_ref(),
            credential.kind,
            credential.state,
            credential.application.as_deref(),
            credential.endpoint.as_deref(),
            hash,
            credential.created_at,
            credential.updated_at,
            credential.version
        ],
    )
}

/// What a validation needs of a token, in one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownToken {
    pub(crate) tenant: TenantId,
    pub(crate) tenant_state: Enabled,
    pub(crate) id: CredentialId,
    pub(crate) endpoint: String,
    pub(crate) state: CredentialState,
    pub(crate) identity: Option<(IdentityId, Enabled)>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) version: i64,
}

/// The one statement that names no tenant: 16/ECAP names none, the tenant is what it finds. Sub-selects in place of joins leave a
/// planner no choice but to look each of them up by its key.
pub(crate) fn look_up(application: &ApplicationName, hash: &[u8; 32]) -> Statement {
    Statement::new(
        "SELECT c.tenant, (SELECT t.state FROM tenant t WHERE t.id = c.tenant), c.id, c.endpoint, c.state, c.identity, \
         (SELECT i.state FROM identity i WHERE i.id = c.identity AND i.tenant = c.tenant), c.last_used_at, c.version FROM credential c \
         WHERE c.application = $1 AND c.token_hash = $2 AND c.kind = 'endpoint_token'",
        params![application, hash],
    )
}

pub(crate) fn read_look_up(row: &Row) -> Result<KnownToken, DbError> {
    let identity = match opt_parsed(row, 5)? {
        // An identity that is not there any more lets nobody in, and a tenant neither.
        Some(identity) => Some((identity, opt_parsed(row, 6)?.unwrap_or(Enabled::Disabled))),
        None => None,
    };
    Ok(KnownToken {
        tenant: parsed(row, 0)?,
        tenant_state: opt_parsed(row, 1)?.unwrap_or(Enabled::Disabled),
        id: parsed(row, 2)?,
        endpoint: row.text(3)?.to_owned(),
        state: parsed(row, 4)?,
        identity,
        last_used_at: row.opt_time(7)?,
        version: row.int(8)?,
    })
}

/// The compare-and-set of the first use: `updated_at` stays, and neither a suspension nor a disabled identity or tenant is run
/// over.
pub(crate) fn activate(known: &KnownToken, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET state = 'Active', last_used_at = $1, version = version + 1 \
         WHERE id = $2 AND tenant = $3 AND state = 'Inactive' AND version = $4 AND kind = 'endpoint_token' AND {ok} \
         AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = credential.tenant AND t.state = 'enabled') \
         AND (identity IS NULL OR EXISTS \
         (SELECT 1 FROM identity i WHERE i.id = credential.identity AND i.tenant = credential.tenant AND i.state = 'enabled'))",
        params![now, &known.id, &known.tenant, known.version],
    )
}

/// The first and the last by name of the tenants that have tokens of an endpoint: whether there is one, and whether another.
pub(crate) fn tenants_of(endpoint: &EndpointId) -> Statement {
    Statement::new("SELECT min(tenant), max(tenant) FROM credential WHERE endpoint = $1 AND kind = 'endpoint_token'", params![endpoint])
}

pub(crate) fn read_tenants(row: &Row) -> Result<Option<(TenantId, TenantId)>, DbError> {
    Ok(opt_parsed(row, 0)?.zip(opt_parsed(row, 1)?))
}

/// A token of an endpoint, as far as deleting it needs it.
#[derive(Clone, Debug)]
pub(crate) struct OfEndpoint {
    pub(crate) gone: Gone,
    pub(crate) identity: Option<IdentityId>,
    pub(crate) state: CredentialState,
    pub(crate) created_at: Timestamp,
    pub(crate) version: i64,
}

/// The oldest tokens of an endpoint in a tenant.
pub(crate) fn oldest_of(tenant: &TenantId, endpoint: &EndpointId, limit: u32) -> Statement {
    Statement::new(
        "SELECT id, kind, application, endpoint, state, created_at, version, identity FROM credential \
         WHERE tenant = $1 AND endpoint = $2 AND kind = 'endpoint_token' ORDER BY created_at, id LIMIT $3",
        params![tenant, endpoint, limit],
    )
}

pub(crate) fn read_of_endpoint(row: &Row) -> Result<OfEndpoint, DbError> {
    let endpoint = row.opt_text(2)?.map(str::to_owned).zip(row.opt_text(3)?.map(str::to_owned));
    let gone = Gone { id: parsed(row, 0)?, kind: parsed(row, 1)?, endpoint };
    Ok(OfEndpoint { gone, identity: opt_parsed(row, 7)?, state: parsed(row, 4)?, created_at: row.time(5)?, version: row.int(6)? })
}

/// Guard: up to `last` the endpoint's tokens are still so many, with versions that sum up to this. Any that came, went or moved
/// meanwhile changes one of the two, since versions only grow.
pub(crate) fn unmoved(tenant: &TenantId, endpoint: &EndpointId, last: &OfEndpoint, count: i64, versions: i64) -> Statement {
    Statement::new(
        "SELECT 1 FROM (SELECT count(*) AS number, coalesce(CAST(sum(version) AS bigint), 0) AS versions FROM credential \
         WHERE tenant = $1 AND endpoint = $2 AND kind = 'endpoint_token' AND (created_at, id) <= ($3, $4)) AS tokens \
         WHERE tokens.number = $5 AND tokens.versions = $6",
        params![tenant, endpoint, last.created_at, &last.gone.id, Value::Int(count), Value::Int(versions)],
    )
}

/// Deletes an endpoint's tokens up to `last`.
pub(crate) fn delete(tenant: &TenantId, endpoint: &EndpointId, last: &OfEndpoint) -> Statement {
    Statement::new(
        "DELETE FROM credential WHERE tenant = $1 AND endpoint = $2 AND kind = 'endpoint_token' \
         AND (created_at, id) <= ($3, $4) AND {ok}",
        params![tenant, endpoint, last.created_at, &last.gone.id],
    )
}
