//! Table `sweep`: what is still to be told, revoked or removed of a tenant or an identity, and how far that has come.
//!
//! Sweeps pass the credentials in the order of `(created_at, id)`, the oldest first, along the index of the list.

use signet_db::{DbError, Row, Statement, params};
use signet_model::{CredentialId, CredentialKind, CredentialState, Enabled, IdentityId, TenantId, Timestamp};

use super::{opt_parsed, parsed};
use crate::sweep::{Key, Sweep, Work};

const WHOLE_TENANT: &str = "";

fn identity_text(identity: Option<&IdentityId>) -> String {
    identity.map_or(WHOLE_TENANT, IdentityId::as_str).to_owned()
}

pub(crate) fn insert(sweep: &Sweep) -> Statement {
    Statement::new(
        "INSERT INTO sweep (tenant, identity, work, passed_at, passed_id, told_at, told_id, told, version, started_at) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            &sweep.tenant,
            identity_text(sweep.identity.as_ref()),
            sweep.work,
            sweep.passed.created_at,
            &sweep.passed.id,
            sweep.already_told.created_at,
            &sweep.already_told.id,
            sweep.told,
            sweep.version,
            sweep.started_at
        ],
    )
}

/// The compare-and-set of every step: writes what `to` says over what was read at `version`.
pub(crate) fn replace(version: i64, to: &Sweep) -> Statement {
    Statement::new(
        "UPDATE sweep SET work = $1, passed_at = $2, passed_id = $3, told_at = $4, told_id = $5, told = $6, version = version + 1 \
         WHERE tenant = $7 AND identity = $8 AND version = $9 AND {ok}",
        params![
            to.work,
            to.passed.created_at,
            &to.passed.id,
            to.already_told.created_at,
            &to.already_told.id,
            to.told,
            &to.tenant,
            identity_text(to.identity.as_ref()),
            version
        ],
    )
}

/// The end of a sweep that is as it was read.
pub(crate) fn finish(sweep: &Sweep) -> Statement {
    Statement::new(
        "DELETE FROM sweep WHERE tenant = $1 AND identity = $2 AND version = $3 AND {ok}",
        params![&sweep.tenant, identity_text(sweep.identity.as_ref()), sweep.version],
    )
}

/// Ends the telling about a tenant or an identity that is enabled again.
pub(crate) fn end_announcement(tenant: &TenantId, identity: Option<&IdentityId>) -> Statement {
    Statement::new(
        "DELETE FROM sweep WHERE tenant = $1 AND identity = $2 AND work = 'announce' AND {ok}",
        params![tenant, identity_text(identity)],
    )
}

/// Turns the telling about a tenant, if one is under way, into its revocation: what was passed is told, and all is passed anew.
pub(crate) fn turn_to_revocation(tenant: &TenantId) -> Statement {
    let start = Key::start();
    Statement::new(
        "UPDATE sweep SET work = 'revoke', told_at = passed_at, told_id = passed_id, passed_at = $1, passed_id = $2, \
         version = version + 1 WHERE tenant = $3 AND identity = '' AND work = 'announce' AND {ok}",
        params![start.created_at, start.id, tenant],
    )
}

/// The telling about an identity that is disabled while its tenant is swept: it goes on from where the tenant's has come, since
/// from now on that one passes the identity's credentials over. Without a sweep of the tenant all is told, and nothing is
/// written.
pub(crate) fn split_off(tenant: &TenantId, identity: &IdentityId, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO sweep (identity, started_at, tenant, work, passed_at, passed_id, told_at, told_id, told, version) \
         SELECT CAST($1 AS text), CAST($2 AS bigint), st.tenant, 'announce', \
         CASE WHEN (st.passed_at, st.passed_id) >= (st.told_at, st.told_id) THEN st.passed_at ELSE st.told_at END, \
         CASE WHEN (st.passed_at, st.passed_id) >= (st.told_at, st.told_id) THEN st.passed_id ELSE st.told_id END, \
         CAST($3 AS bigint), CAST($4 AS text), 0, 1 FROM sweep st WHERE st.tenant = $5 AND st.identity = '' AND {ok} \
         ON CONFLICT DO NOTHING",
        params![identity, now, Key::start().created_at, Key::start().id, tenant],
    )
}

pub(crate) fn find(tenant: &TenantId, identity: Option<&IdentityId>) -> Statement {
    Statement::new(
        "SELECT tenant, identity, work, passed_at, passed_id, told_at, told_id, told, version, started_at FROM sweep \
         WHERE tenant = $1 AND identity = $2",
        params![tenant, identity_text(identity)],
    )
}

/// Every sweep that can go on now: revoking and removing wait until the identities of the tenant are told of.
pub(crate) fn under_way(limit: u32) -> Statement {
    Statement::new(
        "SELECT tenant, identity, work, passed_at, passed_id, told_at, told_id, told, version, started_at FROM sweep \
         WHERE work = 'announce' OR NOT EXISTS (SELECT 1 FROM sweep s WHERE s.tenant = sweep.tenant AND s.identity <> '') \
         ORDER BY started_at, tenant, identity LIMIT $1",
        params![limit],
    )
}

/// How many sweeps of identities the tenant has; as a guard, none.
pub(crate) fn of_identities(tenant: &TenantId) -> Statement {
    Statement::new("SELECT 1 FROM sweep WHERE tenant = $1 AND identity <> '' LIMIT 1", params![tenant])
}

pub(crate) fn read(row: &Row) -> Result<Sweep, DbError> {
    let identity = match row.text(1)? {
        WHOLE_TENANT => None,
        _ => Some(parsed(row, 1)?),
    };
    Ok(Sweep {
        tenant: parsed(row, 0)?,
        identity,
        work: parsed(row, 2)?,
        passed: Key { created_at: row.int(3)?, id: row.text(4)?.to_owned() },
        already_told: Key { created_at: row.int(5)?, id: row.text(6)?.to_owned() },
        told: row.int(7)?,
        version: row.int(8)?,
        started_at: row.time(9)?,
    })
}

/// A credential as a sweep meets it.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    pub(crate) key: Key,
    pub(crate) id: CredentialId,
    pub(crate) kind: CredentialKind,
    pub(crate) state: CredentialState,
    pub(crate) version: i64,
    pub(crate) application: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) identity: Option<IdentityId>,
    pub(crate) identity_state: Option<Enabled>,
    /// Of a certificate: issuer, serial number and key.
    pub(crate) certificate: Option<(String, String, [u8; 32])>,
}

// The identity's state is asked row by row and not by a join: PostgreSQL, which overestimates the rows between two keys, would read
// all identities for one page.

/// The credentials behind `after`, of the tenant or of one identity, the oldest first.
pub(crate) fn credentials(tenant: &TenantId, identity: Option<&IdentityId>, after: &Key, limit: u32) -> Statement {
    match identity {
        None => Statement::new(
            "SELECT c.id, c.kind, c.state, c.version, c.application, c.endpoint, c.created_at, c.identity, \
             (SELECT i.state FROM identity i WHERE i.id = c.identity AND i.tenant = c.tenant), \
             c.issuer_dn, c.serial_decimal, c.spki_sha256 FROM credential c \
             WHERE c.tenant = $1 AND (c.created_at, c.id) > ($2, $3) ORDER BY c.created_at, c.id LIMIT $4",
            params![tenant, after.created_at, &after.id, limit],
        ),
        Some(identity) => Statement::new(
            "SELECT c.id, c.kind, c.state, c.version, c.application, c.endpoint, c.created_at, c.identity, \
             (SELECT i.state FROM identity i WHERE i.id = c.identity AND i.tenant = c.tenant), \
             c.issuer_dn, c.serial_decimal, c.spki_sha256 FROM credential c \
             WHERE c.tenant = $1 AND c.identity = $2 AND (c.created_at, c.id) > ($3, $4) ORDER BY c.created_at, c.id LIMIT $5",
            params![tenant, identity, after.created_at, &after.id, limit],
        ),
    }
}

pub(crate) fn read_met(row: &Row) -> Result<Met, DbError> {
    let id: CredentialId = parsed(row, 0)?;
    Ok(Met {
        key: Key { created_at: row.int(6)?, id: id.as_str().to_owned() },
        id,
        kind: parsed(row, 1)?,
        state: parsed(row, 2)?,
        version: row.int(3)?,
        application: row.opt_text(4)?.map(str::to_owned),
        endpoint: row.opt_text(5)?.map(str::to_owned),
        identity: opt_parsed(row, 7)?,
        identity_state: opt_parsed(row, 8)?,
        certificate: match (row.opt_text(9)?, row.opt_text(10)?) {
            (Some(issuer), Some(serial)) => Some((issuer.to_owned(), serial.to_owned(), super::certificate::hash(row, 11)?)),
            (_, _) => None,
        },
    })
}

/// What a page was decided on: so many credentials with versions of this sum. Versions only grow, so whatever came, went or
/// moved meanwhile changes one of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) number: i64,
    pub(crate) versions: i64,
}

/// Guard: the credentials of one identity between the two keys that can be used by their own state are still these.
pub(crate) fn usable_of_identity_unmoved(tenant: &TenantId, identity: &IdentityId, from: &Key, to: &Key, tally: Tally) -> Statement {
    Statement::new(
        "SELECT 1 FROM (SELECT count(*) AS number, coalesce(CAST(sum(version) AS bigint), 0) AS versions FROM credential \
         WHERE tenant = $1 AND identity = $2 AND (created_at, id) > ($3, $4) AND (created_at, id) <= ($5, $6) \
         AND state IN ('Inactive', 'Active')) AS usable WHERE usable.number = $7 AND usable.versions = $8",
        params![tenant, identity, from.created_at, &from.id, to.created_at, &to.id, tally.number, tally.versions],
    )
}

/// Guard: the tenant's credentials between the two keys that only the tenant keeps from being used are still these.
pub(crate) fn usable_of_tenant_unmoved(tenant: &TenantId, from: &Key, to: &Key, tally: Tally) -> Statement {
    Statement::new(
        "SELECT 1 FROM (SELECT count(*) AS number, coalesce(CAST(sum(c.version) AS bigint), 0) AS versions FROM credential c \
         WHERE c.tenant = $1 AND (c.created_at, c.id) > ($2, $3) AND (c.created_at, c.id) <= ($4, $5) \
         AND c.state IN ('Inactive', 'Active') AND (c.identity IS NULL OR \
         (SELECT i.state FROM identity i WHERE i.id = c.identity AND i.tenant = c.tenant) = 'enabled')) AS usable \
         WHERE usable.number = $6 AND usable.versions = $7",
        params![tenant, from.created_at, &from.id, to.created_at, &to.id, tally.number, tally.versions],
    )
}

/// Guard: the tenant's credentials between the two keys that are not revoked are still these.
pub(crate) fn unrevoked_unmoved(tenant: &TenantId, from: &Key, to: &Key, tally: Tally) -> Statement {
    Statement::new(
        "SELECT 1 FROM (SELECT count(*) AS number, coalesce(CAST(sum(version) AS bigint), 0) AS versions FROM credential \
         WHERE tenant = $1 AND (created_at, id) > ($2, $3) AND (created_at, id) <= ($4, $5) AND state <> 'Revoked') AS standing \
         WHERE standing.number = $6 AND standing.versions = $7",
        params![tenant, from.created_at, &from.id, to.created_at, &to.id, tally.number, tally.versions],
    )
}

/// Revokes the tenant's credentials between the two keys.
pub(crate) fn revoke(tenant: &TenantId, from: &Key, to: &Key, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET state = 'Revoked', updated_at = $1, version = version + 1 \
         WHERE tenant = $2 AND (created_at, id) > ($3, $4) AND (created_at, id) <= ($5, $6) AND state <> 'Revoked' AND {ok}",
        params![now, tenant, from.created_at, &from.id, to.created_at, &to.id],
    )
}

/// The oldest credentials of a tenant: what a page of a purge removes.
pub(crate) fn oldest(tenant: &TenantId, limit: u32) -> Statement {
    Statement::new("SELECT created_at, id, kind FROM credential WHERE tenant = $1 ORDER BY created_at, id LIMIT $2", params![tenant, limit])
}

pub(crate) fn read_oldest(row: &Row) -> Result<(Key, CredentialId, CredentialKind), DbError> {
    let id: CredentialId = parsed(row, 1)?;
    Ok((Key { created_at: row.int(0)?, id: id.as_str().to_owned() }, id, parsed(row, 2)?))
}

/// Removes the tenant's credentials up to this one.
pub(crate) fn remove_credentials(tenant: &TenantId, last: &Key) -> Statement {
    Statement::new(
        "DELETE FROM credential WHERE tenant = $1 AND (created_at, id) <= ($2, $3) AND {ok}",
        params![tenant, last.created_at, &last.id],
    )
}

/// What else a purge removes, table by table; each statement takes away the oldest `limit` rows of the tenant.
pub(crate) fn remove_identities(tenant: &TenantId, limit: u32) -> Statement {
    Statement::new(
        "DELETE FROM identity WHERE tenant = $1 AND id IN \
         (SELECT i.id FROM identity i WHERE i.tenant = $2 ORDER BY i.created_at, i.id LIMIT $3) AND {ok}",
        params![tenant, tenant, limit],
    )
}

pub(crate) fn remove_api_tokens(tenant: &TenantId, limit: u32) -> Statement {
    Statement::new(
        "DELETE FROM api_token WHERE tenant = $1 AND id IN \
         (SELECT a.id FROM api_token a WHERE a.tenant = $2 ORDER BY a.created_at, a.id LIMIT $3) AND {ok}",
        params![tenant, tenant, limit],
    )
}

pub(crate) fn remove_applications(tenant: &TenantId, limit: u32) -> Statement {
    Statement::new(
        "DELETE FROM application WHERE tenant = $1 AND name IN (SELECT a.name FROM application a WHERE a.tenant = $2 LIMIT $3) AND {ok}",
        params![tenant, tenant, limit],
    )
}

/// What is left of a tenant, each counted no further than `limit`: credentials, identities, API tokens, applications.
pub(crate) fn left(tenant: &TenantId, limit: u32) -> Statement {
    Statement::new(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM credential WHERE tenant = $1 LIMIT $2) AS c), \
         (SELECT count(*) FROM (SELECT 1 FROM identity WHERE tenant = $3 LIMIT $4) AS i), \
         (SELECT count(*) FROM (SELECT 1 FROM api_token WHERE tenant = $5 LIMIT $6) AS a), \
         (SELECT count(*) FROM (SELECT 1 FROM application WHERE tenant = $7 LIMIT $8) AS n)",
        params![tenant, limit, tenant, limit, tenant, limit, tenant, limit],
    )
}

/// Guard, of no rows: something is left of the tenant.
pub(crate) fn anything_left(tenant: &TenantId) -> Statement {
    Statement::new(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM credential WHERE tenant = $1) OR EXISTS (SELECT 1 FROM identity WHERE tenant = $2) \
         OR EXISTS (SELECT 1 FROM api_token WHERE tenant = $3) OR EXISTS (SELECT 1 FROM application WHERE tenant = $4)",
        params![tenant, tenant, tenant, tenant],
    )
}

impl From<Work> for signet_db::Value {
    fn from(work: Work) -> Self {
        Self::from(work.as_str())
    }
}
