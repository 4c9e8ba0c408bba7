//! Table `credential`.

use signet_crypto::password::BcryptHash;
use signet_db::{DbError, Row, Statement, Value, params};
use signet_model::{CredentialId, CredentialKind, CredentialState, Enabled, IdentityId, TenantId, Timestamp, Username};
use signet_pki::IssuerName;

use super::{Cursor, opt_parsed, parsed};
use crate::credential::{Credential, CredentialFilter};

pub(crate) fn insert_basic(tenant: &TenantId, credential: &Credential, username: &Username, hash: &BcryptHash) -> Statement {
    Statement::new(
        "INSERT INTO credential (tenant, id, identity, kind, state, username, password_hash, created_at, updated_at, version) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 WHERE {ok} ON CONFLICT DO NOTHING",
        params![
            tenant,
            &credential.id,
            credential.identity.as_ref(),
            credential.kind,
            credential.state,
            username,
            hash.as_str(),
            credential.created_at,
            credential.updated_at,
            credential.version
        ],
    )
}

pub(crate) fn find(tenant: &TenantId, id: &CredentialId) -> Statement {
    Statement::new(credentials!("WHERE id = $1 AND tenant = $2"), params![id, tenant])
}

/// Whether a username is taken.
pub(crate) fn username_taken(tenant: &TenantId, username: &Username) -> Statement {
    Statement::new("SELECT id FROM credential WHERE tenant = $1 AND username = $2 AND kind = 'basic'", params![tenant, username])
}

/// The compare-and-set of a move by the API.
pub(crate) fn set_state(tenant: &TenantId, credential: &Credential, to: CredentialState, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET state = $1, updated_at = $2, version = version + 1 \
         WHERE id = $3 AND tenant = $4 AND state = $5 AND version = $6 AND {ok}",
        params![to, now, &credential.id, tenant, credential.state, credential.version],
    )
}

/// The compare-and-set of another password. A revoked credential gets none, however old what was read of it.
pub(crate) fn set_password(tenant: &TenantId, credential: &Credential, hash: &BcryptHash, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET password_hash = $1, updated_at = $2, version = version + 1 \
         WHERE id = $3 AND tenant = $4 AND kind = 'basic' AND state <> 'Revoked' AND version = $5 AND {ok}",
        params![hash.as_str(), now, &credential.id, tenant, credential.version],
    )
}

/// The compare-and-set of the first use: `updated_at` stays, and neither a suspension, nor a disabled identity or tenant, nor
/// another password is run over.
pub(crate) fn activate(tenant: &TenantId, known: &KnownUser, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET state = 'Active', last_used_at = $1, version = version + 1 \
         WHERE id = $2 AND tenant = $3 AND state = 'Inactive' AND version = $4 AND password_hash = $5 AND {ok} \
         AND EXISTS (SELECT 1 FROM tenant t WHERE t.id = credential.tenant AND t.state = 'enabled') \
         AND (identity IS NULL OR EXISTS \
         (SELECT 1 FROM identity i WHERE i.id = credential.identity AND i.tenant = credential.tenant AND i.state = 'enabled'))",
        params![now, &known.id, tenant, known.version, known.password_hash.as_str()],
    )
}

/// Upkeep: the last use, unless a later one is there already.
pub(crate) fn touch(tenant: &TenantId, id: &CredentialId, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE credential SET last_used_at = $1 WHERE id = $2 AND tenant = $3 AND (last_used_at IS NULL OR last_used_at < $4)",
        params![now, id, tenant, now],
    )
}

/// Upkeep: a hash of a higher cost in place of the one that the same password was just verified against.
pub(crate) fn rehash(tenant: &TenantId, id: &CredentialId, old: &str, new: &BcryptHash) -> Statement {
    Statement::new(
        "UPDATE credential SET password_hash = $1 WHERE id = $2 AND tenant = $3 AND password_hash = $4",
        params![new.as_str(), id, tenant, old],
    )
}

/// What a check needs of a user, in one read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownUser {
    pub(crate) id: CredentialId,
    pub(crate) state: CredentialState,
    pub(crate) password_hash: String,
    pub(crate) identity: Option<(IdentityId, Enabled)>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) version: i64,
}

/// The tenant's state, and the user where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KnownTenant {
    pub(crate) state: Enabled,
    pub(crate) user: Option<KnownUser>,
}

pub(crate) fn look_up(tenant: &TenantId, username: &Username) -> Statement {
    Statement::new(
        "SELECT t.state, c.id, c.state, c.password_hash, c.identity, i.state, c.last_used_at, c.version FROM tenant t \
         LEFT JOIN credential c ON c.tenant = t.id AND c.username = $1 AND c.kind = 'basic' \
         LEFT JOIN identity i ON i.id = c.identity AND i.tenant = c.tenant WHERE t.id = $2",
        params![username, tenant],
    )
}

pub(crate) fn read_look_up(row: &Row) -> Result<KnownTenant, DbError> {
    let state = parsed(row, 0)?;
    let Some(id) = opt_parsed(row, 1)? else { return Ok(KnownTenant { state, user: None }) };
    let identity = match opt_parsed(row, 4)? {
        // An identity that is not there any more lets nobody in.
        Some(identity) => Some((identity, opt_parsed(row, 5)?.unwrap_or(Enabled::Disabled))),
        None => None,
    };
    let user = KnownUser {
        id,
        state: parsed(row, 2)?,
        password_hash: row.text(3)?.to_owned(),
        identity,
        last_used_at: row.opt_time(6)?,
        version: row.int(7)?,
    };
    Ok(KnownTenant { state, user: Some(user) })
}

/// A page of the list. The narrowest filter picks the index; the others sift what it yields.
pub(crate) fn newest(tenant: &TenantId, filter: &CredentialFilter, identity: Option<&IdentityId>, after: &Cursor, limit: u32) -> Statement {
    let (kind, state) = (Value::from(filter.kind), Value::from(filter.state));
    let (made, id, limit) = (Value::from(after.created_at), Value::from(&after.id), Value::from(limit));
    let tenant = Value::from(tenant);
    if let Some(username) = &filter.username {
        return Statement::new(
            credentials!(
                "WHERE tenant = $1 AND username = $2 AND kind = 'basic' AND (created_at, id) < ($3, $4) \
             AND (kind = $5 OR $5 IS NULL) AND (state = $6 OR $6 IS NULL) AND (identity = $7 OR $7 IS NULL) \
             ORDER BY created_at DESC, id DESC LIMIT $8"
            ),
            vec![tenant, username.as_str().into(), made, id, kind, state, identity.into(), limit],
        );
    }
    if let Some(serial) = &filter.serial {
        // The number finds a handful at most. The tenant is written so that no planner is led to read all of its rows instead.
        return Statement::new(
            credentials!(
                "WHERE serial_decimal = $1 AND tenant || '' = $2 AND kind = 'x509' AND (created_at, id) < ($3, $4) \
                 AND (kind = $5 OR $5 IS NULL) AND (state = $6 OR $6 IS NULL) AND (identity = $7 OR $7 IS NULL) \
                 AND (issuer_dn = $8 OR $8 IS NULL) AND (common_name = $9 OR $9 IS NULL) ORDER BY created_at DESC, id DESC LIMIT $10"
            ),
            vec![
                serial.decimal().into(),
                tenant,
                made,
                id,
                kind,
                state,
                identity.into(),
                filter.issuer.as_ref().map(IssuerName::as_str).into(),
                filter.common_name.as_deref().into(),
                limit,
            ],
        );
    }
    if let Some(common_name) = &filter.common_name {
        return Statement::new(
            credentials!(
                "WHERE tenant = $1 AND common_name = $2 AND kind = 'x509' AND (created_at, id) < ($3, $4) \
                 AND (kind = $5 OR $5 IS NULL) AND (state = $6 OR $6 IS NULL) AND (identity = $7 OR $7 IS NULL) \
                 ORDER BY created_at DESC, id DESC LIMIT $8"
            ),
            vec![tenant, common_name.into(), made, id, kind, state, identity.into(), limit],
        );
    }
    let (application, endpoint) = (Value::from(filter.application.as_ref()), Value::from(filter.endpoint.as_ref()));
    if filter.endpoint.is_some() {
        return Statement::new(
            credentials!(
                "WHERE endpoint = $1 AND tenant = $2 AND kind = 'endpoint_token' AND (created_at, id) < ($3, $4) \
             AND (kind = $5 OR $5 IS NULL) AND (state = $6 OR $6 IS NULL) AND (identity = $7 OR $7 IS NULL) \
             AND (application = $8 OR $8 IS NULL) ORDER BY created_at DESC, id DESC LIMIT $9"
            ),
            vec![endpoint, tenant, made, id, kind, state, identity.into(), application, limit],
        );
    }
    if filter.application.is_some() {
        return Statement::new(
            credentials!(
                "WHERE application = $1 AND tenant = $2 AND kind = 'endpoint_token' AND (created_at, id) < ($3, $4) \
             AND (kind = $5 OR $5 IS NULL) AND (state = $6 OR $6 IS NULL) AND (identity = $7 OR $7 IS NULL) \
             ORDER BY created_at DESC, id DESC LIMIT $8"
            ),
            vec![application, tenant, made, id, kind, state, identity.into(), limit],
        );
    }
    if let Some(identity) = identity {
        return Statement::new(
            credentials!(
                "WHERE tenant = $1 AND identity = $2 AND (created_at, id) < ($3, $4) \
             AND (kind = $5 OR $5 IS NULL) AND (state = $6 OR $6 IS NULL) \
             ORDER BY created_at DESC, id DESC LIMIT $7"
            ),
            vec![tenant, identity.into(), made, id, kind, state, limit],
        );
    }
    match (filter.state, filter.kind) {
        (Some(_), _) => Statement::new(
            credentials!(
                "WHERE tenant = $1 AND state = $2 AND (created_at, id) < ($3, $4) AND (kind = $5 OR $5 IS NULL) \
             ORDER BY created_at DESC, id DESC LIMIT $6"
            ),
            vec![tenant, state, made, id, kind, limit],
        ),
        (None, Some(_)) => Statement::new(
            credentials!("WHERE tenant = $1 AND kind = $2 AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $5"),
            vec![tenant, kind, made, id, limit],
        ),
        (None, None) => Statement::new(
            credentials!("WHERE tenant = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4"),
            vec![tenant, made, id, limit],
        ),
    }
}

/// How many there are of each kind in each state, read from an index alone.
pub(crate) fn counts() -> Statement {
    Statement::new("SELECT kind, state, count(*) FROM credential GROUP BY kind, state", params![])
}

pub(crate) fn read_count(row: &Row) -> Result<(CredentialKind, CredentialState, i64), DbError> {
    Ok((parsed(row, 0)?, parsed(row, 1)?, row.int(2)?))
}

pub(crate) fn read(row: &Row) -> Result<Credential, DbError> {
    Ok(Credential {
        id: parsed(row, 0)?,
        kind: parsed(row, 1)?,
        state: parsed(row, 2)?,
        username: row.opt_text(3)?.map(str::to_owned),
        application: row.opt_text(4)?.map(str::to_owned),
        endpoint: row.opt_text(5)?.map(str::to_owned),
        identity: opt_parsed(row, 6)?,
        created_at: row.time(7)?,
        updated_at: row.time(8)?,
        last_used_at: row.opt_time(9)?,
        version: row.int(10)?,
        certificate: super::certificate::read(row, 11)?,
    })
}
