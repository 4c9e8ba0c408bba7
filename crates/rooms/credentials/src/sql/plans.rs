//! The statements read along their indexes on both databases, so that a page costs the same in ten million rows: no scan of a
//! table, no sort. The statements are those that the room runs.

use std::collections::BTreeSet;

use signet_db::{DatabaseConfig, Db, Statement};
use signet_model::{ApplicationName, CredentialKind, CredentialState, EndpointId, IdentityId, TenantId};
use signet_testkit::{TestPostgres, psql, scratch_dir};

use super::{Cursor, api_token, certificate, credential, endpoint_list, endpoint_token, identity, kaa_list, sweep, tenant};
use crate::api_token::Owner;
use crate::credential::CredentialFilter;
use crate::endpoint_list::EndpointTokens;
use crate::kaa_list::{KaaFilter, Listed};
use crate::sweep::Key;

/// Each statement with the index that it must read along; `*` stands for any ending of its name.
fn statements() -> Vec<(Statement, &'static str)> {
    let acme: TenantId = "acme".parse().unwrap();
    let device: IdentityId = "idn_00000000000000000000000000000007".parse().unwrap();
    let filter = |kind, state, username: Option<&str>| CredentialFilter {
        kind,
        state,
        username: username.map(|name| name.parse().unwrap()),
        ..CredentialFilter::default()
    };
    let (demo, twin): (ApplicationName, EndpointId) = ("app-7".parse().unwrap(), "ep-7".parse().unwrap());
    let of = |application: Option<&ApplicationName>, endpoint: Option<&EndpointId>| CredentialFilter {
        application: application.cloned(),
        endpoint: endpoint.cloned(),
        ..CredentialFilter::default()
    };
    let certificates = |common_name: Option<&str>, serial: Option<&str>| CredentialFilter {
        kind: Some(CredentialKind::X509),
        common_name: common_name.map(str::to_owned),
        serial: serial.map(|text| signet_pki::Serial::parse_text(text).unwrap()),
        ..CredentialFilter::default()
    };
    let kaa = |listed: Listed, state| KaaFilter { listed, state };
    let (u7, cn7) = (Listed::Basic(Some("u7".parse().unwrap())), Listed::Certificates(Some("cn7".to_owned())));
    let (basic, suspended) = (Some(CredentialKind::Basic), Some(CredentialState::Suspended));
    let after = Cursor { created_at: 40_000, id: "c".to_owned() };
    let (from, to) = (Key { created_at: 40_000, id: "c".to_owned() }, Key { created_at: 40_200, id: "c".to_owned() });
    let tally = sweep::Tally::default();
    // A count of most of a table rightly reads the table.
    let old = Cursor { created_at: 400, id: "c".to_owned() };
    let list = |filter: CredentialFilter, of: Option<&IdentityId>| credential::newest(&acme, &filter, of, &after, 51);
    let part = |oldest_first| EndpointTokens { states: BTreeSet::new(), oldest_first, offset: 3, limit: 20 };
    vec![
        (list(filter(None, None, None), None), "credential_newest"),
        (list(filter(basic, None, None), None), "credential_newest_of_kind"),
        (list(filter(None, suspended, None), None), "credential_newest_in_state"),
        (list(filter(basic, suspended, None), None), "credential_newest_in_state"),
        (list(filter(None, None, None), Some(&device)), "credential_newest_of_identity"),
        (list(filter(basic, suspended, None), Some(&device)), "credential_newest_of_identity"),
        (list(filter(None, None, Some("u7")), None), "credential_username"),
        (list(filter(basic, suspended, Some("u7")), Some(&device)), "credential_username"),
        (credential::look_up(&acme, &"u7".parse().unwrap()), "credential_username"),
        (credential::username_taken(&acme, &"u7".parse().unwrap()), "credential_username"),
        (list(of(None, Some(&twin)), None), "credential_newest_of_endpoint"),
        (list(of(Some(&demo), Some(&twin)), Some(&device)), "credential_newest_of_endpoint"),
        (list(of(Some(&demo), None), None), "credential_newest_of_application"),
        (endpoint_token::look_up(&demo, &[0; 32]), "credential_token"),
        (endpoint_token::before(&demo, &[0; 32]), "credential_token"),
        (endpoint_token::tenants_of(&twin), "credential_newest_of_endpoint"),
        (endpoint_list::count(&acme, &twin, &BTreeSet::from([CredentialState::Active])), "credential_newest_of_endpoint"),
        (endpoint_list::part(&acme, &twin, &part(true)), "credential_newest_of_endpoint"),
        (endpoint_list::part(&acme, &twin, &part(false)), "credential_newest_of_endpoint"),
        (endpoint_token::oldest_of(&acme, &twin, 1_000), "credential_newest_of_endpoint"),
        (kaa_list::nth(&acme, &kaa(Listed::Basic(None), None), 40), "credential_newest_of_kind"),
        (kaa_list::nth(&acme, &kaa(Listed::Basic(None), suspended), 40), "credential_newest_in_state"),
        (kaa_list::nth(&acme, &kaa(u7.clone(), suspended), 1), "credential_username"),
        (kaa_list::nth(&acme, &kaa(Listed::Certificates(None), None), 40), "credential_newest_of_kind"),
        (kaa_list::nth(&acme, &kaa(cn7.clone(), suspended), 1), "credential_newest_of_common_name"),
        (kaa_list::count(&acme, &kaa(Listed::Basic(None), None), &old), "credential_newest_of_kind"),
        (kaa_list::count(&acme, &kaa(Listed::Basic(None), suspended), &old), "credential_newest_in_state"),
        (kaa_list::count(&acme, &kaa(u7, None), &after), "credential_username"),
        (kaa_list::count(&acme, &kaa(cn7, None), &after), "credential_newest_of_common_name"),
        (list(certificates(Some("cn7"), None), None), "credential_newest_of_common_name"),
        (list(certificates(Some("cn7"), Some("7")), Some(&device)), "credential_serial"),
        (list(certificates(None, Some("7")), None), "credential_serial"),
        (certificate::look_up("CN=acme", "7"), "credential_serial"),
        (certificate::taken("CN=acme", "7"), "credential_serial"),
        (sweep::oldest(&acme, 500), "credential_newest"),
        (identity::newest(&acme, &after, 51), "identity_newest"),
        (identity::find_by_name(&acme, &"dev-1".parse().unwrap()), "identity_name"),
        (identity::usable_credentials(&acme, &device, 11), "credential_newest_of_identity"),
        (identity::usable_credentials_unmoved(&acme, &device, 1, 1), "credential_newest_of_identity"),
        (api_token::newest(&Owner::Tenant(acme.clone()), &after, 51), "api_token_newest"),
        (api_token::by_hash(&[0; 32]), "api_token_hash"),
        (tenant::newest(&after, 51), "tenant_newest"),
        (tenant::due_for_purge(signet_model::Timestamp::from_micros(40_000), 64), "tenant_purge"),
        (sweep::credentials(&acme, None, &from, 4_000), "credential_newest"),
        (sweep::credentials(&acme, Some(&device), &from, 4_000), "credential_newest_of_identity"),
        (sweep::usable_of_identity_unmoved(&acme, &device, &from, &to, tally), "credential_newest_of_identity"),
        (sweep::usable_of_tenant_unmoved(&acme, &from, &to, tally), "credential_newest*"),
        (sweep::unrevoked_unmoved(&acme, &from, &to, tally), "credential_newest*"),
    ]
}

/// Statements that find so little that sorting it is no matter.
fn finds_little(index: &str) -> bool {
    matches!(index, "credential_username" | "credential_token" | "credential_serial")
}

fn reads_along(plan: &str, lead: &str, index: &str) -> bool {
    match index.strip_suffix('*') {
        Some(beginning) => plan.contains(&format!("{lead}{beginning}")),
        None => [' ', '\n'].iter().any(|end| plan.contains(&format!("{lead}{index}{end}"))),
    }
}

async fn explained(db: &Db, statement: Statement, column: usize) -> String {
    let (prefix, text) = match db {
        Db::Sqlite(_) => ("EXPLAIN QUERY PLAN", statement.sql.sqlite()),
        Db::Postgres(_) => ("EXPLAIN", statement.sql.postgres()),
    };
    let text: &'static str = Box::leak(format!("{prefix} {text}").into_boxed_str());
    let rows = db.query(Statement::new(text, statement.params)).await.unwrap();
    rows.iter().map(|row| row.text(column).unwrap()).collect::<Vec<_>>().join("\n")
}

async fn opened(url: &str) -> Db {
    let db = Db::open(&DatabaseConfig::new(url)).await.unwrap();
    db.migrate(&[signet_ledger::migrations(), crate::migrations()]).await.unwrap();
    db
}

#[tokio::test]
async fn sqlite_reads_along_the_indexes() {
    let directory = scratch_dir("plans").unwrap();
    let db = opened(&format!("sqlite:{}", directory.path().join("signet.db").display())).await;
    for (statement, index) in statements() {
        let text = statement.sql.sqlite();
        let plan = explained(&db, statement, 3).await;
        assert!(reads_along(&plan, "INDEX ", index), "{text}\n{plan}");
        // The one row of a guard's own sum is no table, and neither is that of a statement of sub-selects.
        let tables = plan.replace("SCAN usable", "").replace("SCAN standing", "").replace("SCAN CONSTANT ROW", "");
        assert!(!tables.contains("SCAN"), "{text}\n{plan}");
        assert!(finds_little(index) || !plan.contains("TEMP B-TREE"), "{text}\n{plan}");
    }
    let counts = explained(&db, credential::counts(), 3).await;
    assert!(counts.contains("COVERING INDEX"), "{counts}");
    db.close().await;
}

#[tokio::test]
async fn postgresql_reads_along_the_indexes() {
    let url = TestPostgres::shared().fresh_database().await;
    let db = opened(&url).await;
    let fill = "INSERT INTO tenant SELECT 't' || n, 'enabled', n, n, 1 FROM generate_series(1, 20000) AS n;
        INSERT INTO tenant VALUES ('acme', 'enabled', 1, 1, 1);
        INSERT INTO identity SELECT 'acme', 'idn_' || lpad(n::text, 32, '0'), 'n' || n, 'device', 'enabled', '{}', n, n, 1
        FROM generate_series(1, 60000) AS n;
        INSERT INTO api_token SELECT 'acme', 'atk_' || n, NULL, 'auditor', sha256(n::text::bytea), n, 'x', n, NULL, 1
        FROM generate_series(1, 60000) AS n;
        INSERT INTO credential (tenant, id, identity, kind, state, username, created_at, updated_at, version)
        SELECT 'acme', 'c' || n, 'idn_' || lpad((n % 500)::text, 32, '0'), CASE WHEN n % 3 = 0 THEN 'x509' ELSE 'basic' END,
               (ARRAY['Inactive', 'Active', 'Suspended', 'Revoked'])[1 + n % 4], 'u' || n, n, n, 1
        FROM generate_series(1, 60000) AS n;
        INSERT INTO credential (tenant, id, kind, state, application, endpoint, token_hash, created_at, updated_at, version)
        SELECT 'acme', 'e' || n, 'endpoint_token', 'Active', 'app-' || n % 300, 'ep-' || n % 20000, sha256(n::text::bytea), n, n, 1
        FROM generate_series(1, 60000) AS n;
        UPDATE credential SET issuer_dn = 'CN=acme', serial_decimal = created_at::text, common_name = 'cn' || created_at % 9000
        WHERE kind = 'x509';
        INSERT INTO application SELECT 'app-' || n, 'acme', n FROM generate_series(0, 5000) AS n;
        ANALYZE;";
    psql(&url, fill).unwrap();
    for (statement, index) in statements() {
        let text = statement.sql.postgres();
        let plan = explained(&db, statement, 0).await;
        assert!(reads_along(&plan, " ", index), "{text}\n{plan}");
        // The table of sweeps is empty as a rule.
        assert!(!plan.replace("Seq Scan on sweep", "").contains("Seq Scan"), "{text}\n{plan}");
        assert!(finds_little(index) || !plan.contains("Sort"), "{text}\n{plan}");
    }
    db.close().await;
}
