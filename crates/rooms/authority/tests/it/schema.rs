//! The room's tables on both databases.

use signet_db::{DatabaseConfig, Db, Statement};
use signet_testkit::{TestPostgres, scratch_dir};

async fn migrated(url: &str) -> Db {
    let db = Db::open(&DatabaseConfig::new(url)).await.unwrap();
    db.migrate(&[signet_ledger::migrations(), signet_authority::migrations()]).await.unwrap();
    db
}

const TABLES: [&str; 9] =
    ["platform_ca", "tenant_ca", "certificate", "certificate_name", "crl_partition", "compromised_key", "alarm", "anchor", "issuance_rule"];

async fn has_every_table(db: &Db) {
    for table in TABLES {
        let text: &'static str = Box::leak(format!("SELECT count(*) FROM {table}").into_boxed_str());
        assert_eq!(db.query(Statement::new(text, Vec::new())).await.unwrap()[0].int(0).unwrap(), 0, "{table}");
    }
}

#[tokio::test]
async fn the_tables_are_made_on_sqlite() {
    let directory = scratch_dir("authority").unwrap();
    has_every_table(&migrated(&format!("sqlite:{}", directory.path().join("signet.db").display())).await).await;
}

#[tokio::test]
async fn the_tables_are_made_on_postgres() {
    has_every_table(&migrated(&TestPostgres::shared().fresh_database().await).await).await;
}
