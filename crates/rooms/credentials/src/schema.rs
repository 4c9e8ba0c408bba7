//! The room's tables.
//!
//! `credential` is the one table of all kinds, with all columns from the first day (design 3). Lists are read newest first
//! along an index of exactly their filter, so a page costs the same in ten million rows as in ten.

use signet_db::{Migration, Migrations};

const FIRST: &str = r"
CREATE TABLE tenant (
    id         {text_c} PRIMARY KEY,
    state      {text_c} NOT NULL,
    created_at {int8} NOT NULL,
    updated_at {int8} NOT NULL,
    version    {int8} NOT NULL
) {strict};
CREATE INDEX tenant_newest ON tenant (created_at, id);

CREATE TABLE identity (
    tenant     {text_c} NOT NULL,
    id         {text_c} PRIMARY KEY,
    name       {text_c} NOT NULL,
    kind       {text_c} NOT NULL,
    state      {text_c} NOT NULL,
    labels     TEXT NOT NULL,
    created_at {int8} NOT NULL,
    updated_at {int8} NOT NULL,
    version    {int8} NOT NULL
) {strict};
CREATE UNIQUE INDEX identity_name ON identity (tenant, name);
CREATE INDEX identity_newest ON identity (tenant, created_at, id);

CREATE TABLE credential (
    tenant         {text_c} NOT NULL,
    id             {text_c} PRIMARY KEY,
    identity       {text_c},
    kind           {text_c} NOT NULL,
    state          {text_c} NOT NULL,
    username       {text_c},
    password_hash  {text_c},
    application    {text_c},
    endpoint       {text_c},
    token_hash     {bytes},
    issuer_dn      {text_c},
    serial_decimal {text_c},
    spki_sha256    {bytes},
    common_name    {text_c},
    not_before     {int8},
    not_after      {int8},
    anchor         {text_c},
    selector_type  {text_c},
    selector_value {text_c},
    created_at     {int8} NOT NULL,
    updated_at     {int8} NOT NULL,
    last_used_at   {int8},
    version        {int8} NOT NULL
) {strict};
CREATE UNIQUE INDEX credential_username ON credential (tenant, username) WHERE kind = 'basic';
CREATE UNIQUE INDEX credential_serial ON credential (issuer_dn, serial_decimal) WHERE kind = 'x509';
CREATE UNIQUE INDEX credential_token ON credential (application, token_hash) WHERE kind = 'endpoint_token';
CREATE INDEX credential_newest ON credential (tenant, created_at, id);
CREATE INDEX credential_newest_of_kind ON credential (tenant, kind, created_at, id);
CREATE INDEX credential_newest_in_state ON credential (tenant, state, created_at, id, kind);
CREATE INDEX credential_newest_of_identity ON credential (tenant, identity, created_at, id) WHERE identity IS NOT NULL;

CREATE TABLE api_token (
    tenant     {text_c} NOT NULL,
    id         {text_c} PRIMARY KEY,
    name       {text_c},
    role       {text_c} NOT NULL,
    hash       {bytes} NOT NULL,
    created_at {int8} NOT NULL,
    created_by {text_c} NOT NULL,
    expires_at {int8} NOT NULL,
    revoked_at {int8},
    version    {int8} NOT NULL
) {strict};
CREATE UNIQUE INDEX api_token_hash ON api_token (hash);
CREATE INDEX api_token_newest ON api_token (tenant, created_at, id);

CREATE TABLE operator_token (
    slot       {int8} PRIMARY KEY CHECK (slot = 1),
    generation {int8} NOT NULL,
    hash       {bytes} NOT NULL,
    created_at {int8} NOT NULL,
    expires_at {int8} NOT NULL
) {strict};
";

/// Whose each application of Kaa is, and the way to an endpoint's tokens.
const ENDPOINT_TOKENS: &str = r"
CREATE TABLE application (
    name       {text_c} PRIMARY KEY,
    tenant     {text_c} NOT NULL,
    created_at {int8} NOT NULL
) {strict};
CREATE INDEX application_of_tenant ON application (tenant);
CREATE INDEX credential_newest_of_endpoint ON credential (endpoint, tenant, created_at, id) WHERE kind = 'endpoint_token';
CREATE INDEX credential_newest_of_application ON credential (application, tenant, created_at, id) WHERE kind = 'endpoint_token';
";

/// `tenant.purge_at`: when a deleted tenant is removed. `sweep`: one row per tenant (empty `identity`) or identity about whose
/// credentials the gateways have still to be told; `passed` is how far that has come, `told` up to where an earlier one had.
const SWEEPS: &str = r"
ALTER TABLE tenant ADD COLUMN purge_at {int8};
ALTER TABLE tenant ADD COLUMN managed {int8} NOT NULL DEFAULT 0;
ALTER TABLE tenant ADD COLUMN unregistered {int8} NOT NULL DEFAULT 0;
CREATE INDEX tenant_purge ON tenant (purge_at) WHERE purge_at IS NOT NULL;

CREATE TABLE sweep (
    tenant     {text_c} NOT NULL,
    identity   {text_c} NOT NULL,
    work       {text_c} NOT NULL,
    passed_at  {int8} NOT NULL,
    passed_id  {text_c} NOT NULL,
    told_at    {int8} NOT NULL,
    told_id    {text_c} NOT NULL,
    told       {int8} NOT NULL,
    version    {int8} NOT NULL,
    started_at {int8} NOT NULL,
    PRIMARY KEY (tenant, identity)
) {strict};
CREATE INDEX sweep_oldest ON sweep (started_at, tenant, identity);
";

/// What the Tenant Manager last told of each tenant; `client_secret` is sealed.
const MANAGED_TENANTS: &str = r"
CREATE TABLE managed_tenant (
    tenant        {text_c} PRIMARY KEY,
    realm         {text_c},
    issuer        {text_c},
    client_id     {text_c},
    client_secret {bytes},
    available     {int8} NOT NULL,
    updated_at    {int8} NOT NULL,
    version       {int8} NOT NULL
) {strict};
";

/// When a credential of each tenant was last used, to the minute.
const USES: &str = r"
CREATE TABLE tenant_use (
    tenant       {text_c} PRIMARY KEY,
    last_used_at {int8} NOT NULL
) {strict};
";

/// A certificate is looked up by its number first: then the number alone finds it, too. Common names need not be unique.
const CERTIFICATES: &str = r"
DROP INDEX credential_serial;
CREATE UNIQUE INDEX credential_serial ON credential (serial_decimal, issuer_dn) WHERE kind = 'x509';
CREATE INDEX credential_newest_of_common_name ON credential (tenant, common_name, created_at, id) WHERE kind = 'x509';
";

/// The room's migrations, to be run with those of the ledger and of the other rooms.
pub fn migrations() -> Migrations {
    const STEPS: &[Migration] = &[
        Migration { version: 1, name: "tenants, identities, credentials, tokens", sql: FIRST },
        Migration { version: 2, name: "applications, tokens of endpoints", sql: ENDPOINT_TOKENS },
        Migration { version: 3, name: "deleted tenants, sweeps", sql: SWEEPS },
        Migration { version: 4, name: "tenants of a Tenant Manager", sql: MANAGED_TENANTS },
        Migration { version: 5, name: "last use of tenants", sql: USES },
        Migration { version: 6, name: "certificates by number and by name", sql: CERTIFICATES },
    ];
    Migrations { owner: "credentials", steps: STEPS }
}
