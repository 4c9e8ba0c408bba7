//! `signet import kaa-ccm`: every row once and as it was, whatever stops the run; bad rows left out and told.

use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use signet_testkit::{FaultProxy, ProxyMode, TestPostgres, process, psql, scratch_dir};
use signet_tests::{Deployment, House, Output, deep, run, signet_binary, within};

/// bcrypt of `abc`, cost 6 (a published test vector); for such passwords the three prefixes are the same function.
const HASH: &str = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
const COLUMNS: &str = "tenant text, id text PRIMARY KEY, username text, password_hash text, state text, \
                       created_at timestamptz, updated_at timestamptz, last_used_at timestamptz";
/// All of a credential that is kept, as one text: of the source, and of ours.
const SOURCE_SUM: &str = "SELECT md5(string_agg(concat_ws('|', tenant, id, username, password_hash, state, \
                          (extract(epoch FROM created_at) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint, \
                          (extract(epoch FROM last_used_at) * 1000000)::bigint), ',' ORDER BY id COLLATE \"C\")) FROM basic_credentials";
const OUR_SUM: &str = "SELECT md5(string_agg(concat_ws('|', tenant, id, username, password_hash, state, created_at, updated_at, last_used_at), \
                       ',' ORDER BY id)) FROM credential";

/// A database as Kaa's CCM leaves it behind, with so many rows in the tenant `acme`; its URL.
fn source(rows: u32) -> String {
    let url = TestPostgres::shared().fresh_database_blocking();
    sql(&url, &format!("CREATE TABLE basic_credentials ({COLUMNS})"));
    sql(
        &url,
        &format!(
            "INSERT INTO basic_credentials SELECT 'acme', lpad(to_hex(n), 20, '0'), 'user-' || n, \
             overlay('{HASH}' PLACING (ARRAY['a', 'b', 'y'])[1 + n % 3] FROM 3), \
             (ARRAY['Inactive', 'Active', 'Suspended', 'Revoked'])[1 + n % 4], \
             timestamptz '2020-03-01 12:47:02.247462+00' + n * interval '1 second 1 microsecond', \
             timestamptz '2021-03-01 12:47:02.000001+00' + n * interval '1 second', \
             CASE WHEN n % 4 = 0 THEN NULL ELSE timestamptz '2022-01-01+00' + n * interval '1 minute' END \
             FROM generate_series(1, {rows}) AS n"
        ),
    );
    url
}

#[track_caller]
fn sql(url: &str, text: &str) -> String {
    psql(url, text).unwrap().trim().to_owned()
}

fn import(house: &House, source: &str, more: &[&str]) -> Output {
    let all = ["import", "kaa-ccm", "-o", "json"].iter().chain(more);
    run(house.path(), &[("SIGNET_DATA_DIR", "d"), ("SIGNET_IMPORT_FROM", source)], all, b"")
}

fn numbers(summary: &Value) -> [u64; 4] {
    ["read", "imported", "already_there", "skipped"].map(|name| summary[name].as_u64().unwrap())
}

fn check(house: &House, username: &str) -> Output {
    house.run_with(&["credential", "check", &format!("{username}@acme"), "--password-stdin", "-o", "json"], "abc")
}

/// An import that runs beside the test, into the database of `house` by way of `proxied`.
fn beside(house: &House, proxied: &str, source: &str, page: &str) -> Child {
    house.write_configuration("import.toml", proxied, "");
    let mut command = process::bound_to_us("KILL", signet_binary());
    command.args(["import", "kaa-ccm", "--config", "import.toml", "--create-tenants", "-o", "json", "--page", page]);
    command.env("SIGNET_IMPORT_FROM", source).current_dir(house.path());
    let log = std::fs::File::create(house.path().join("import.log")).unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    process::spawn(command).unwrap()
}

#[test]
fn killed_half_way_and_run_again_every_row_is_there_once_and_as_it_was() {
    let (rows, page) = if deep() { (100_000, "250") } else { (2_000, "20") };
    let source = source(rows);
    // Into the database of a running server.
    let house = House::open(Deployment::Production);
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    proxy.set(ProxyMode::Slow(Duration::from_millis(2)));
    let mut child = beside(&house, &proxy.url_through(house.database_url()), &source, page);
    let count = || sql(house.database_url(), "SELECT count(*) FROM credential").parse::<u32>().unwrap();
    let log = || std::fs::read_to_string(house.path().join("import.log")).unwrap();
    assert!(within(Duration::from_secs(60), || count() >= 200), "{} rows; {}", count(), log());
    child.kill().unwrap();
    child.wait().unwrap();
    let before = count();
    assert!((200..rows).contains(&before), "{before} rows when it was killed");
    let summary = import(&house, &source, &["--config", "signet.toml", "--create-tenants"]).ok();
    // What was on its way when it was killed may still have been committed.
    let [read, imported, already, skipped] = numbers(&summary);
    assert_eq!((read, imported + already, skipped), (rows.into(), rows.into(), 0), "{summary}");
    assert!(already >= before.into(), "{summary}, {before}");
    assert_eq!(count(), rows);
    assert_eq!(sql(house.database_url(), OUR_SUM), sql(&source, SOURCE_SUM));
    let again = import(&house, &source, &["--config", "signet.toml"]).ok();
    assert_eq!(numbers(&again), [rows.into(), 0, rows.into(), 0]);
    // Old passwords work, of each prefix, where the state lets them: n % 4 is 0 and 1 for Inactive and Active.
    for number in [4, 5, 8, 9, 12] {
        check(&house, &format!("user-{number}")).exits(0);
    }
    check(&house, "user-2").refused(3, "credential.suspended");
    check(&house, "user-3").refused(3, "credential.revoked");
    // The log names every id that was taken, once, and verifies.
    let ids = "SELECT count(*), count(DISTINCT id) FROM (SELECT unnest(string_to_array(record::json #>> '{detail,ids}', ' ')) AS id \
               FROM audit WHERE record::json ->> 'action' = 'credential.import') AS imported";
    assert_eq!(sql(house.database_url(), ids), format!("{rows}|{rows}"));
    assert!(within(Duration::from_secs(30), || house.verify().code == 0), "{}", house.verify().stderr);
}

#[test]
fn a_source_that_stops_half_way_ends_with_seven_and_how_to_go_on() {
    let source = source(2_000);
    let house = House::open(Deployment::Embedded);
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let through = proxy.url_through(&source);
    proxy.set(ProxyMode::Slow(Duration::from_millis(20)));
    let stopped = std::thread::scope(|scope| {
        let import = scope.spawn(|| import(&house, &through, &["--create-tenants", "--page", "50"]));
        let some = || house.acme(&["credential", "list", "--limit", "1"]).json()["items"].as_array().is_some_and(|items| !items.is_empty());
        assert!(within(Duration::from_secs(60), some), "nothing was imported");
        proxy.set(ProxyMode::Cut);
        import.join().unwrap()
    });
    stopped.refused(7, "import.interrupted");
    let (detail, fix) = (stopped.error()["detail"].to_string(), stopped.error()["fix"].to_string());
    assert!(detail.contains("the source failed after") && detail.contains("of 2000 rows"), "{detail}");
    assert!(fix.contains("signet import kaa-ccm -o json --create-tenants --page 50"), "{fix}");
    proxy.set(ProxyMode::Forward);
    let summary = import(&house, &through, &["--create-tenants"]).ok();
    let [read, imported, already, skipped] = numbers(&summary);
    assert!(read == 2_000 && imported + already == 2_000 && already > 0 && skipped == 0, "{summary}");
    check(&house, "user-5").exits(0);
}

#[test]
fn bad_rows_are_left_out_and_told_and_a_dry_run_changes_nothing() {
    let source = source(3);
    sql(&source, "ALTER TABLE basic_credentials ALTER username TYPE bytea USING convert_to(username, 'UTF8')");
    let mut number = 100;
    let mut bad = |tenant: &str, id: &str, username: &str, hash: &str, state: &str, created: &str| {
        number += 1;
        let id = if id.is_empty() { format!("{number:020}") } else { id.to_owned() };
        sql(
            &source,
            &format!("INSERT INTO basic_credentials VALUES ('{tenant}', '{id}', {username}, '{hash}', '{state}', {created}, now(), NULL)"),
        );
    };
    let (day, name) = ("timestamptz '2020-01-01+00'", "'bad-1'");
    bad("acme", "", "'bad-state'", HASH, "Deleted", day);
    bad("acme", "", "'bad-hash'", "secret-canary", "Active", day);
    bad("acme", "", "'bad-cost'", &HASH.replace("$06$", "$31$"), "Active", day);
    bad("acme", "", "' bad-space'", HASH, "Active", day);
    bad("acme", "", "'\\x610062'", HASH, "Active", day);
    bad("acme", "", "'\\xff'", HASH, "Active", day);
    bad("acme", "", "'user-1'", HASH, "Active", day);
    bad("acme", "42", name, HASH, "Active", day);
    bad("acme", "", "'bad-day'", HASH, "Active", "'infinity'");
    bad("acme", "", "'bad-none'", HASH, "Active", "NULL");
    bad("a b", "", name, HASH, "Active", day);
    let wanted = [
        "credential.username-taken",
        "import.id-invalid",
        "import.state-unknown",
        "import.text-invalid",
        "import.text-invalid",
        "import.time-invalid",
        "import.time-invalid",
        "password.cost-not-allowed",
        "password.hash-invalid",
        "tenant.invalid-name",
        "username.invalid",
    ];
    let directory = scratch_dir("import").unwrap();
    let plain = |more: &[&str]| {
        let all = ["import", "kaa-ccm", "-o", "json", "--data-dir", "never"].iter().chain(more);
        run(directory.path(), &[("SIGNET_IMPORT_FROM", source.as_str())], all, b"")
    };
    let dry = plain(&["--dry-run", "--create-tenants"]).ok();
    assert_eq!((numbers(&dry), &dry["tenants_created"]), ([14, 3, 0, 11], &json!(1)), "{dry}");
    assert!(!directory.path().join("never").exists());
    let told = |path: &std::path::Path| {
        let text = std::fs::read_to_string(path.join("signet-import-skipped.jsonl")).unwrap();
        assert!(!text.contains("canary") && !text.contains(HASH.split_at(10).1), "{text}");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut reasons: Vec<String> = lines.map(|line| line["reason"].as_str().unwrap().to_owned()).collect();
        reasons.sort_unstable();
        reasons
    };
    assert_eq!(told(directory.path()), wanted);
    // Without a tenant to go into, nothing goes.
    let house = House::open(Deployment::Embedded);
    let none = import(&house, &source, &[]).ok();
    assert_eq!(numbers(&none), [14, 0, 0, 14], "{none}");
    let done = import(&house, &source, &["--create-tenants"]).ok();
    assert_eq!(numbers(&done), [14, 3, 0, 11], "{done}");
    assert_eq!(told(house.path()), wanted);
    let listed = house.acme(&["credential", "list"]).ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 3, "{listed}");
    check(&house, "user-1").exits(0);
    // A run without such rows leaves no report.
    sql(&source, "DELETE FROM basic_credentials WHERE tenant = 'a b' OR id ~ '^0+1[01][0-9]$' OR id = '42'");
    assert_eq!(numbers(&import(&house, &source, &[]).ok()), [3, 0, 3, 0]);
    assert!(!house.path().join("signet-import-skipped.jsonl").exists());
}

#[test]
fn a_layout_of_ones_own_is_named_by_flags_or_by_a_query_and_a_wrong_one_is_told() {
    let source = source(2);
    sql(&source, "CREATE SCHEMA ccm");
    sql(&source, "ALTER TABLE basic_credentials SET SCHEMA ccm");
    sql(&source, "ALTER TABLE ccm.basic_credentials RENAME tenant TO tenant_id");
    let house = House::open(Deployment::Embedded);
    let wrong = import(&house, &source, &["--create-tenants"]);
    wrong.refused(6, "import.source-layout");
    assert!(wrong.error()["fix"].to_string().contains("ccm.basic_credentials"), "{}", wrong.stderr);
    let wrong = import(&house, &source, &["--table", "ccm.basic_credentials"]);
    wrong.refused(6, "import.source-layout");
    assert!(wrong.error()["fix"].to_string().contains("tenant_id"), "{}", wrong.stderr);
    let named = ["--table", "ccm.basic_credentials", "--tenant-column", "tenant_id", "--create-tenants"];
    assert_eq!(numbers(&import(&house, &source, &named).ok()), [2, 2, 0, 0]);
    let query = "SELECT 'other' AS tenant, translate(id, '0', '1') AS id, username, password_hash, upper(state) AS state, \
                 created_at::timestamp, updated_at, NULL::timestamptz AS last_used_at FROM ccm.basic_credentials;";
    assert_eq!(numbers(&import(&house, &source, &["--query", query, "--create-tenants"]).ok()), [2, 2, 0, 0]);
    let integers = query.replace("created_at::timestamp", "1 AS created_at");
    import(&house, &source, &["--query", &integers]).refused(6, "import.source-layout");
    // A query that writes is stopped by the transaction that reads.
    let writes = import(&house, &source, &["--query", "DELETE FROM ccm.basic_credentials RETURNING *"]);
    assert_ne!(writes.code, 0);
    assert_eq!(sql(&source, "SELECT count(*) FROM ccm.basic_credentials"), "2");
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    proxy.set(ProxyMode::Cut);
    let gone = import(&house, &proxy.url_through(&source), &[]);
    gone.refused(7, "import.source-unreachable");
    let password = source.split(':').nth(2).and_then(|rest| rest.split('@').next()).unwrap();
    assert!(password.is_empty() || !gone.stderr.contains(&format!(":{password}@")), "{}", gone.stderr);
    import(&house, "mysql://u:canary@h/d", &[]).refused(6, "config.database-url");
    import(&house, &source, &["--report", "/nonexistent/report"]).refused(6, "import.report-unwritable");
    import(&house, &source, &["--page", "0"]).exits(2);
}
