//! The ledger's tables.
//!
//! `audit` is the log: position, and beside the record only what lists filter by, which the verifier compares with the record.
//! `standing` holds one row per subject with its last position, so that a view can start at 0 with a compacted answer.

use signet_db::{Migration, Migrations};

const FIRST: &str = r"
CREATE TABLE audit (
    position {int8} PRIMARY KEY,
    tenant   {text_c},
    object   {text_c} NOT NULL,
    record   TEXT NOT NULL
) {strict};
CREATE INDEX audit_by_tenant ON audit (tenant, position);
CREATE INDEX audit_by_object ON audit (object, position);

CREATE TABLE audit_tile (
    level  {int8} NOT NULL,
    tile   {int8} NOT NULL,
    hashes {bytes} NOT NULL,
    PRIMARY KEY (level, tile)
) {strict};

CREATE TABLE audit_checkpoint (
    slot {int8} PRIMARY KEY CHECK (slot = 1),
    size {int8} NOT NULL,
    note TEXT NOT NULL
) {strict};

CREATE TABLE outbox (
    position   {int8} NOT NULL,
    number     {int8} NOT NULL,
    id         {text_c} NOT NULL,
    subject    {text_c} NOT NULL,
    payload    {bytes} NOT NULL,
    created_at {int8} NOT NULL,
    PRIMARY KEY (position, number)
) {strict};

CREATE TABLE standing (
    subject  {text_c} PRIMARY KEY,
    position {int8} NOT NULL,
    good     {int8} NOT NULL,
    reason   {text_c}
) {strict};
CREATE INDEX standing_by_position ON standing (position);

CREATE TABLE idempotency (
    scope      {text_c} PRIMARY KEY,
    body_hash  {bytes} NOT NULL,
    status     {int8} NOT NULL,
    answer     {text_c},
    secret_of  {text_c},
    expires_at {int8} NOT NULL
) {strict};
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at);

CREATE TABLE ledger_meta (
    name  {text_c} PRIMARY KEY,
    value TEXT NOT NULL
) {strict};

CREATE TABLE ledger_key (
    name   {text_c} PRIMARY KEY,
    public {bytes} NOT NULL,
    sealed {bytes} NOT NULL
) {strict};

CREATE TABLE ledger_sequencer (
    slot      {int8} PRIMARY KEY CHECK (slot = 1),
    term      {int8} NOT NULL,
    sequenced {int8} NOT NULL
) {strict};
INSERT INTO ledger_sequencer (slot, term, sequenced) VALUES (1, 0, 0);
";

/// The ledger's migrations, to be run with those of the rooms.
pub fn migrations() -> Migrations {
    const STEPS: &[Migration] = &[Migration { version: 1, name: "the ledger", sql: FIRST }];
    Migrations { owner: "ledger", steps: STEPS }
}
