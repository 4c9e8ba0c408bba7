//! TLS to PostgreSQL: what each `sslmode` trusts.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use signet_db::{DatabaseConfig, DbError, Postgres, Statement, params};
use signet_testkit::{PostgresOptions, TestPostgres, psql};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/tls").join(name)
}

/// A cluster whose certificate is for `localhost`.
fn cluster_with_tls() -> TestPostgres {
    let cluster = TestPostgres::start(PostgresOptions::default()).unwrap();
    let data = cluster.data_directory().unwrap();
    let owner = std::fs::metadata(&data).unwrap();
    for (from, to) in [("server.pem", "server.crt"), ("server.key", "server.key")] {
        let to = data.join(to);
        std::fs::copy(fixture(from), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    psql(cluster.admin_url(), "ALTER SYSTEM SET ssl = on").unwrap();
    psql(cluster.admin_url(), "SELECT pg_reload_conf()").unwrap();
    let started = Instant::now();
    // The postmaster takes the new settings a moment after it was told.
    while psql(&format!("{}?sslmode=require", cluster.admin_url()), "SELECT 1").is_err() {
        assert!(started.elapsed() < Duration::from_secs(30), "no TLS");
        std::thread::yield_now();
    }
    cluster
}

/// Whether the connection is encrypted.
async fn encrypted(url: &str, ca_file: Option<&str>) -> Result<bool, DbError> {
    let config = DatabaseConfig { ca_file: ca_file.map(fixture), ..DatabaseConfig::new(url) };
    let rows =
        Postgres::open(&config)?.query(Statement::new("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", params![])).await?;
    Ok(rows[0].int(0)? == 1)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mode_trusts_exactly_what_its_name_says() {
    let cluster = cluster_with_tls();
    let by_address = cluster.admin_url().to_owned();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let ours = Some("ca.pem");
    let rows = [
        // Without authorities: as libpq, whoever answers.
        (&by_address, "", None, Some(true)),
        (&by_address, "?sslmode=disable", None, Some(false)),
        (&by_address, "?sslmode=prefer", None, Some(true)),
        (&by_address, "?sslmode=require", None, Some(true)),
        // The system's authorities did not issue this certificate.
        (&by_name, "?sslmode=verify-full", None, None),
        (&by_name, "?sslmode=verify-ca", None, None),
        // With authorities: the chain, and the name where it is asked for or nothing was said.
        (&by_address, "?sslmode=require", ours, Some(true)),
        (&by_address, "?sslmode=verify-ca", ours, Some(true)),
        (&by_address, "?sslmode=verify-full", ours, None),
        (&by_address, "", ours, None),
        (&by_name, "?sslmode=verify-full", ours, Some(true)),
        (&by_name, "", ours, Some(true)),
        (&by_name, "?sslmode=verify-full", Some("other-ca.pem"), None),
        (&by_name, "?sslmode=verify-ca", Some("other-ca.pem"), None),
        (&by_name, "?sslmode=require", Some("other-ca.pem"), None),
    ];
    for (url, mode, ca_file, expected) in rows {
        let answer = encrypted(&format!("{url}{mode}"), ca_file).await;
        let row = format!("{} {mode} {ca_file:?}: {answer:?}", if *url == by_name { "by name" } else { "by address" });
        match expected {
            Some(expected) => assert_eq!(answer, Ok(expected), "{row}"),
            None => {
                let error = answer.expect_err(&row);
                assert!(matches!(error, DbError::Unavailable(_)) && error.to_string().contains("certificate"), "{row}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_server_is_refused_when_tls_is_demanded() {
    let url = TestPostgres::shared().admin_url().to_owned();
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = encrypted(&format!("{url}?sslmode={mode}"), Some("ca.pem")).await.unwrap_err();
        assert!(error.to_string().contains("server does not support TLS"), "{error}");
    }
    assert_eq!(encrypted(&format!("{url}?sslmode=prefer"), None).await, Ok(false));
}

#[tokio::test]
async fn a_file_of_authorities_that_holds_none_is_named() {
    for (file, words) in [("none.pem", "none.pem"), ("server.key", "there is no certificate in it")] {
        let error = encrypted("postgres://u@127.0.0.1/d", Some(file)).await.unwrap_err();
        assert!(matches!(error, DbError::Denied(_)) && error.to_string().contains(words), "{error}");
    }
}
