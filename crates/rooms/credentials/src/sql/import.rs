//! Table `credential`, many rows at once: the pages of an import travel as one JSON text each.

use signet_db::{DbError, Row, Sql, Statement, params};
use signet_model::TenantId;

/// Inserts every row of a JSON list; those that clash with what is there are left out, which the count of rows shows.
pub(crate) fn insert(tenant: &TenantId, rows: &str) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "INSERT INTO credential \
                     (tenant, id, kind, state, username, password_hash, created_at, updated_at, last_used_at, version) \
                     SELECT $1, r.value ->> 'id', 'basic', r.value ->> 'state', r.value ->> 'username', r.value ->> 'password_hash', \
                     r.value ->> 'created_at', r.value ->> 'updated_at', r.value ->> 'last_used_at', 1 \
                     FROM json_each($2) AS r WHERE {ok} ON CONFLICT DO NOTHING",
            postgres: "INSERT INTO credential \
                       (tenant, id, kind, state, username, password_hash, created_at, updated_at, last_used_at, version) \
                       SELECT $1, r.id, 'basic', r.state, r.username, r.password_hash, r.created_at, r.updated_at, r.last_used_at, 1 \
                       FROM json_to_recordset(CAST($2 AS text)::json) AS r (id text, state text, username text, password_hash text, \
                       created_at bigint, updated_at bigint, last_used_at bigint) WHERE {ok} ON CONFLICT DO NOTHING",
        },
        params![tenant, rows],
    )
}

/// A credential that has one of the ids, in whichever tenant: an id is unique over all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) id: String,
    pub(crate) username: Option<String>,
    /// Whether it is the tenant's own.
    pub(crate) own: bool,
}

/// Who has the ids of a JSON list.
pub(crate) fn holders(tenant: &TenantId, ids: &str) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "SELECT id, CASE WHEN tenant = $1 THEN username END, CASE WHEN tenant = $1 THEN 1 ELSE 0 END FROM credential \
                     WHERE id IN (SELECT value FROM json_each($2))",
            postgres: "SELECT id, CASE WHEN tenant = $1 THEN username END, CASE WHEN tenant = $1 THEN 1 ELSE 0 END FROM credential \
                       WHERE id = ANY (ARRAY(SELECT json_array_elements_text(CAST($2 AS text)::json)))",
        },
        params![tenant, ids],
    )
}

pub(crate) fn read_holder(row: &Row) -> Result<Holder, DbError> {
    Ok(Holder { id: row.text(0)?.to_owned(), username: row.opt_text(1)?.map(str::to_owned), own: row.int(2)? == 1 })
}

/// The usernames of a JSON list that the tenant has, each with its credential's id.
pub(crate) fn taken(tenant: &TenantId, usernames: &str) -> Statement {
    Statement::new(
        Sql::Pair {
            sqlite: "SELECT username, id FROM credential \
                     WHERE tenant = $1 AND kind = 'basic' AND username IN (SELECT value FROM json_each($2))",
            postgres: "SELECT username, id FROM credential WHERE tenant = $1 AND kind = 'basic' \
                       AND username = ANY (ARRAY(SELECT json_array_elements_text(CAST($2 AS text)::json)))",
        },
        params![tenant, usernames],
    )
}

pub(crate) fn read_taken(row: &Row) -> Result<(String, String), DbError> {
    Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))
}
