//! The room's tables.
//!
//! `certificate` holds every certificate that a CA of ours was about to sign, from before it was signed: `state` is `intended`
//! until the certificate is stored, then a copy of its credential's state, moved in the same commit; `orphaned` when it was never
//! stored. What was never stored has no `issued_at` and is in no list but that of its state. `partition` says on which CRL it
//! stands, for good. Lists are read along an index of exactly their filter.

use signet_db::{Migration, Migrations};

/// `platform_ca.key` is sealed; NULL while the key lies in a file. `chain`: the certificates above it, each behind its length in
/// four bytes. Of each tenant one CA is `active` at most, which the partial index sees to.
const CAS: &str = r"
CREATE TABLE platform_ca (
    generation  {int8} PRIMARY KEY,
    state       {text_c} NOT NULL,
    subject     {text_c} NOT NULL,
    certificate {bytes} NOT NULL,
    chain       {bytes} NOT NULL,
    key         {bytes},
    ski         {bytes} NOT NULL,
    not_before  {int8} NOT NULL,
    not_after   {int8} NOT NULL,
    created_at  {int8} NOT NULL,
    version     {int8} NOT NULL
) {strict};
CREATE UNIQUE INDEX platform_ca_active ON platform_ca (state) WHERE state = 'active';

CREATE TABLE tenant_ca (
    tenant              {text_c} NOT NULL,
    generation          {int8} NOT NULL,
    state               {text_c} NOT NULL,
    subject             {text_c} NOT NULL,
    certificate         {bytes},
    ski                 {bytes},
    serial_decimal      {text_c},
    custody             {text_c} NOT NULL,
    key                 {bytes},
    mount               {text_c},
    platform_generation {int8} NOT NULL,
    not_before          {int8},
    not_after           {int8},
    created_at          {int8} NOT NULL,
    updated_at          {int8} NOT NULL,
    version             {int8} NOT NULL,
    PRIMARY KEY (tenant, generation)
) {strict};
CREATE UNIQUE INDEX tenant_ca_active ON tenant_ca (tenant) WHERE state = 'active';
CREATE UNIQUE INDEX tenant_ca_next ON tenant_ca (tenant) WHERE state IN ('pending', 'prepared');
CREATE UNIQUE INDEX tenant_ca_ski ON tenant_ca (ski) WHERE ski IS NOT NULL;
CREATE INDEX tenant_ca_expiry ON tenant_ca (not_after, tenant, generation);
CREATE INDEX tenant_ca_subject ON tenant_ca (subject);
CREATE INDEX tenant_ca_in_state ON tenant_ca (state, tenant, generation);
";

const CERTIFICATES: &str = r"
CREATE TABLE certificate (
    tenant            {text_c} NOT NULL,
    id                {text_c} PRIMARY KEY,
    generation        {int8} NOT NULL,
    issuer_dn         {text_c} NOT NULL,
    serial_decimal    {text_c} NOT NULL,
    serial            {bytes} NOT NULL,
    partition         {int8} NOT NULL,
    profile           {text_c} NOT NULL,
    state             {text_c} NOT NULL,
    state_since       {int8} NOT NULL,
    revocation_reason {text_c},
    subject           {text_c} NOT NULL,
    common_name       {text_c},
    spki_sha256       {bytes} NOT NULL,
    fingerprint       {bytes},
    der               {bytes},
    not_before        {int8} NOT NULL,
    not_after         {int8} NOT NULL,
    intended_at       {int8} NOT NULL,
    issued_at         {int8},
    identity          {text_c},
    anchor            {text_c},
    version           {int8} NOT NULL
) {strict};
CREATE UNIQUE INDEX certificate_serial ON certificate (issuer_dn, serial_decimal);
CREATE INDEX certificate_of_partition ON certificate (tenant, generation, partition, state, id);
CREATE INDEX certificate_newest_in_state ON certificate (tenant, state, intended_at, id);
CREATE INDEX certificate_newest ON certificate (tenant, intended_at, id) WHERE issued_at IS NOT NULL;
CREATE INDEX certificate_newest_of_identity ON certificate (tenant, identity, intended_at, id)
    WHERE issued_at IS NOT NULL AND identity IS NOT NULL;
CREATE INDEX certificate_newest_named ON certificate (tenant, common_name, intended_at, id) WHERE issued_at IS NOT NULL;
CREATE INDEX certificate_expiry ON certificate (tenant, not_after, id, state, profile, issued_at) WHERE issued_at IS NOT NULL;
CREATE INDEX certificate_expiry_of_all ON certificate (not_after, id) WHERE issued_at IS NOT NULL;
CREATE INDEX certificate_fingerprint ON certificate (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX certificate_key ON certificate (spki_sha256);
CREATE INDEX certificate_of_anchor ON certificate (tenant, anchor, id) WHERE anchor IS NOT NULL;
CREATE INDEX certificate_foreign ON certificate (tenant, serial_decimal) WHERE generation = 0;
CREATE INDEX certificate_orphaned ON certificate (not_after, id) WHERE state = 'orphaned';
CREATE INDEX certificate_intended ON certificate (intended_at, id) WHERE state = 'intended';

CREATE TABLE certificate_name (
    tenant      {text_c} NOT NULL,
    id          {text_c} NOT NULL,
    kind        {text_c} NOT NULL,
    value       {text_c} NOT NULL,
    intended_at {int8} NOT NULL,
    PRIMARY KEY (id, kind, value)
) {strict};
CREATE INDEX certificate_name_newest ON certificate_name (tenant, value, intended_at, id);
";

/// `crl_partition.certificates` is how many may be put into it, settled when a process reserves it. `changed` grows with each
/// change of state of a member, `published` is the value of it that the stored CRL holds. `next_update` is NULL where no CRL is
/// needed: nobody has asked for one yet, or every member has expired. The CRL itself lies in a table of its own, so that
/// counting a change does not write it again. `alarm`: up to which expiry each level was told of.
const REVOCATION: &str = r"
CREATE TABLE crl_partition (
    tenant       {text_c} NOT NULL,
    generation   {int8} NOT NULL,
    number       {int8} NOT NULL,
    certificates {int8} NOT NULL,
    changed      {int8} NOT NULL,
    published    {int8} NOT NULL,
    crl_number   {int8} NOT NULL,
    this_update  {int8},
    next_update  {int8},
    created_at   {int8} NOT NULL,
    version      {int8} NOT NULL,
    PRIMARY KEY (tenant, generation, number)
) {strict};
CREATE INDEX crl_partition_changed ON crl_partition (tenant, generation, number) WHERE changed <> published;
CREATE INDEX crl_partition_next ON crl_partition (next_update, tenant, generation, number) WHERE next_update IS NOT NULL;

CREATE TABLE crl (
    tenant     {text_c} NOT NULL,
    generation {int8} NOT NULL,
    number     {int8} NOT NULL,
    crl_number {int8} NOT NULL,
    der        {bytes} NOT NULL,
    PRIMARY KEY (tenant, generation, number)
) {strict};

CREATE TABLE compromised_key (
    spki_sha256 {bytes} PRIMARY KEY,
    tenant      {text_c} NOT NULL,
    since       {int8} NOT NULL
) {strict};
CREATE INDEX compromised_key_of_tenant ON compromised_key (tenant);

CREATE TABLE alarm (
    kind    {text_c} NOT NULL,
    days    {int8} NOT NULL,
    told_to {int8} NOT NULL,
    told_id {text_c} NOT NULL,
    version {int8} NOT NULL,
    PRIMARY KEY (kind, days)
) {strict};
";

/// `anchor.names`: a JSON array of what the CA may vouch for in this tenant. `issuance_rule.rule`: a JSON object.
const RULES: &str = r"
CREATE TABLE anchor (
    tenant        {text_c} NOT NULL,
    id            {text_c} PRIMARY KEY,
    subject       {text_c} NOT NULL,
    certificate   {bytes} NOT NULL,
    fingerprint   {bytes} NOT NULL,
    names         TEXT NOT NULL,
    allow_v1_leaf {int8} NOT NULL,
    not_before    {int8} NOT NULL,
    not_after     {int8} NOT NULL,
    created_at    {int8} NOT NULL,
    version       {int8} NOT NULL
) {strict};
CREATE UNIQUE INDEX anchor_certificate ON anchor (tenant, fingerprint);
CREATE INDEX anchor_newest ON anchor (tenant, created_at, id);

CREATE TABLE issuance_rule (
    tenant     {text_c} PRIMARY KEY,
    rule       TEXT NOT NULL,
    updated_at {int8} NOT NULL,
    version    {int8} NOT NULL
) {strict};
";

/// `crl_partition.base`: below which address the partition's CRL is served, as the certificates in it name it. The CRL has to say the
/// same of itself byte for byte, whichever replica signs it and whatever is configured by then. NULL in partitions from before this
/// step: what is configured.
const BASES: &str = r"
ALTER TABLE crl_partition ADD COLUMN base {text_c};
";

/// Revocations that the mounts of CAs in Vault are to be told of; what they were told stays with no `next_at`, until the CA ends.
const MOUNTS: &str = r"
CREATE TABLE mount_revocation (
    tenant     {text_c} NOT NULL,
    generation {int8} NOT NULL,
    serial     {text_c} NOT NULL,
    next_at    {int8},
    attempts   {int8} NOT NULL,
    PRIMARY KEY (tenant, generation, serial)
) {strict};
CREATE INDEX mount_revocation_due ON mount_revocation (next_at, tenant, generation, serial) WHERE next_at IS NOT NULL;
";

/// The room's migrations, to be run with those of the ledger and of the other rooms.
pub fn migrations() -> Migrations {
    const STEPS: &[Migration] = &[
        Migration { version: 1, name: "CAs of platform and tenants", sql: CAS },
        Migration { version: 2, name: "certificates", sql: CERTIFICATES },
        Migration { version: 3, name: "partitions of CRLs, compromised keys, alarms", sql: REVOCATION },
        Migration { version: 4, name: "trust anchors, rules of issuance", sql: RULES },
        Migration { version: 5, name: "revocations in mounts of Vault", sql: MOUNTS },
        Migration { version: 6, name: "addresses of CRLs", sql: BASES },
    ];
    Migrations { owner: "authority", steps: STEPS }
}
