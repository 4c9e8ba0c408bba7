//! What SQLite reads along for the statements of moves, CRLs, OCSP and ends: never a whole table, never all of a tenant. It has no
//! statistics here, as it has none in a house that nobody ran ANALYZE in.

use std::time::Duration;

use signet_db::{DatabaseConfig, Db, Statement};
use signet_model::{CredentialId, CredentialState, TenantId, Timestamp};
use signet_pki::Serial;
use signet_testkit::scratch_dir;

use super::{Cursor, expiry, inventory, ocsp, partition, status};
use crate::inventory::Search;
use crate::sql::partition::PartitionKey;

/// Each statement with what its plan must name.
fn statements() -> Vec<(Statement, &'static [&'static str])> {
    let acme: TenantId = "acme".parse().unwrap();
    let id: CredentialId = "00000000000000000001".parse().unwrap();
    let key = PartitionKey { tenant: acme.clone(), generation: 1, number: 0 };
    let (now, day) = (Timestamp::from_micros(7), Duration::from_secs(86_400));
    let revoked = CredentialState::Revoked;
    let serial = Serial::parse_text("7").unwrap();
    vec![
        (
            status::mark_partition(&acme, &id, revoked),
            &["crl_partition USING INDEX sqlite_autoindex_crl_partition_1", "c USING INDEX sqlite_autoindex_certificate_1 (id=?)"],
        ),
        (status::move_one(&acme, &id, revoked, None, now), &["certificate USING INDEX sqlite_autoindex_certificate_1 (id=?)"]),
        (
            status::mark_partitions(&acme, "[]", revoked),
            &["crl_partition USING INDEX sqlite_autoindex_crl_partition_1", "c USING INDEX sqlite_autoindex_certificate_1 (id=?)"],
        ),
        (status::move_many(&acme, "[]", revoked, None, now), &["certificate USING INDEX sqlite_autoindex_certificate_1 (id=?)"]),
        (status::usable_with_key(&acme, &[0; 32], 500), &["certificate USING INDEX certificate_key (spki_sha256=?)"]),
        (
            status::mark_report(&acme, &id, "keyCompromise"),
            &["crl_partition USING INDEX sqlite_autoindex_crl_partition_1", "c USING INDEX sqlite_autoindex_certificate_1 (id=?)"],
        ),
        (status::report(&acme, &id, "keyCompromise"), &["certificate USING INDEX sqlite_autoindex_certificate_1 (id=?)"]),
        (
            inventory::page(&acme, &Search { serial: Some(serial), ..Search::default() }, now, &Cursor::newest(), 50),
            &[
                "c USING INDEX sqlite_autoindex_certificate_1 (id=?)",
                "o USING INDEX certificate_serial (issuer_dn=? AND serial_decimal=?)",
                "f USING INDEX certificate_foreign (tenant=? AND serial_decimal=?)",
            ],
        ),
        (
            inventory::page(&acme, &Search { fingerprint: Some([7; 32]), ..Search::default() }, now, &Cursor::newest(), 50),
            &[
                "c USING INDEX sqlite_autoindex_certificate_1 (id=?)",
                "o USING INDEX certificate_fingerprint (fingerprint=?)",
                "k USING INDEX certificate_key (spki_sha256=?)",
            ],
        ),
        (status::of_serial("CN=acme", "7"), &["certificate USING INDEX certificate_serial"]),
        (partition::find(&key), &["p USING INDEX sqlite_autoindex_crl_partition_1 (tenant=? AND generation=? AND number=?)"]),
        (
            partition::listed(&key, now),
            &["certificate USING INDEX certificate_of_partition (tenant=? AND generation=? AND partition=? AND state=?)"],
        ),
        (
            partition::unrevoked(&key, now),
            &["certificate USING INDEX certificate_of_partition (tenant=? AND generation=? AND partition=? AND state=?)"],
        ),
        (
            partition::changed(None, 500),
            &["p USING INDEX crl_partition_changed", "a USING INDEX tenant_ca_in_state (state=? AND tenant=? AND generation=?)"],
        ),
        (
            partition::due(now, None, 500),
            &["p USING INDEX crl_partition_next", "a USING INDEX tenant_ca_in_state (state=? AND tenant=? AND generation=?)"],
        ),
        (partition::first_end(), &["crl_partition USING COVERING INDEX crl_partition_next"]),
        (
            expiry::certificates((now, ""), now, day, 100),
            &["certificate USING INDEX certificate_expiry_of_all ((not_after,id)>(?,?) AND not_after<?)"],
        ),
        (expiry::number(now, now), &["certificate USING INDEX certificate_expiry_of_all (not_after>? AND not_after<?)"]),
        (
            expiry::forecast(&acme, now, 13, day),
            &["certificate USING COVERING INDEX certificate_expiry (tenant=? AND not_after>? AND not_after<?)"],
        ),
        (expiry::forgettable(now, 500), &["c USING INDEX certificate_expiry_of_all (not_after<?)"]),
        (expiry::forgettable_orphans(now, 500), &["c USING INDEX certificate_orphaned (not_after<?)"]),
        (ocsp::cas(Some((&acme, 1)), 1_000), &["tenant_ca USING INDEX sqlite_autoindex_tenant_ca_1"]),
    ]
}

#[tokio::test]
async fn every_statement_reads_along_its_index() {
    let directory = scratch_dir("authority").unwrap();
    let db = Db::open(&DatabaseConfig::new(format!("sqlite:{}", directory.path().join("signet.db").display()))).await.unwrap();
    db.migrate(&[signet_ledger::migrations(), crate::migrations()]).await.unwrap();
    for (statement, wanted) in statements() {
        let text = statement.sql.sqlite().replace("{ok}", "TRUE");
        let explained = Box::leak(format!("EXPLAIN QUERY PLAN {text}").into_boxed_str());
        let rows = db.query(Statement::new(&*explained, statement.params)).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text(3).unwrap().to_owned()).collect();
        for part in wanted {
            // An index that holds more than was hoped for is as good.
            let found = |step: &String| {
                [step.clone(), step.replace("COVERING ", "")].iter().any(|step| step.starts_with(&format!("SEARCH {part}")))
            };
            assert!(plan.iter().any(found), "{text}\n{part} is not in {plan:#?}");
        }
        // What a statement makes for itself has as many rows as it was asked for.
        let made = |step: &str| ["json_each", "CONSTANT ROW", "SCAN stretch"].iter().any(|of| step.contains(of));
        let scans: Vec<_> = plan.iter().filter(|step| step.starts_with("SCAN") && !made(step)).collect();
        assert!(scans.is_empty(), "{text}\n{plan:#?}");
    }
}
