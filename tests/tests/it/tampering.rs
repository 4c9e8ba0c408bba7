//! Row 13 of the walk: whoever changes the log by SQL is found out, with the kind of damage, on both databases.

use std::path::Path;

use signet_testkit::psql;
use signet_tests::{Deployment, House};

/// A house with a dozen records, stopped, and a copy of its checkpoints kept elsewhere.
fn stopped_house(deployment: Deployment) -> House {
    let mut house = House::open(deployment);
    house.run(&["tenant", "create", "acme", "-o", "json"]).exits(0);
    for number in 0..8 {
        house.acme(&["identity", "create", &format!("dev-{number}"), "--kind", "device"]).exits(0);
    }
    house.stop();
    std::fs::copy(house.data().join("checkpoints.log"), house.path().join("copy.log")).unwrap();
    house
}

/// Damage, and the statements that do it for positions `{m}`, the next one `{n}` and the fourth from the end `{t}`.
const DAMAGE: &[(&str, &[&str])] = &[
    ("altered", &["UPDATE audit SET record = {zeroed} WHERE position = {m}"]),
    ("missing", &["DELETE FROM audit WHERE position = {m}"]),
    (
        "reordered",
        &[
            "CREATE TABLE aside AS SELECT position, record FROM audit WHERE position IN ({m}, {n})",
            "UPDATE audit SET record = (SELECT record FROM aside WHERE position = {n}) WHERE position = {m}",
            "UPDATE audit SET record = (SELECT record FROM aside WHERE position = {m}) WHERE position = {n}",
        ],
    ),
    ("truncated", &["DELETE FROM audit WHERE position > {t}"]),
];

fn filled_in(statement: &str, positions: &[i64], zeroed: &str) -> String {
    let middle = positions.len() / 2;
    let fourth_from_the_end = positions[positions.len() - 4];
    statement
        .replace("{zeroed}", zeroed)
        .replace("{m}", &positions[middle].to_string())
        .replace("{n}", &positions[middle + 1].to_string())
        .replace("{t}", &fourth_from_the_end.to_string())
}

pub(crate) fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn damage_by_sql_is_found_in_sqlite() {
    let house = stopped_house(Deployment::Embedded);
    for (kind, statements) in DAMAGE {
        let directory = format!("d-{kind}");
        copy_directory(&house.data(), &house.path().join(&directory));
        let database = rusqlite::Connection::open(house.path().join(&directory).join("signet.db")).unwrap();
        let positions: Vec<i64> = {
            let mut query = database.prepare("SELECT position FROM audit ORDER BY position").unwrap();
            query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        for statement in *statements {
            database.execute_batch(&filled_in(statement, &positions, "substr(record, 1, length(record) - 1) || x'00'")).unwrap();
        }
        drop(database);
        found_out(&house, kind, &["--data-dir", &directory]);
    }
}

#[test]
fn damage_by_sql_is_found_in_postgresql() {
    let house = stopped_house(Deployment::Production);
    let (server, original) = house.database_url().rsplit_once('/').unwrap();
    let listed = psql(house.database_url(), "SELECT position FROM audit ORDER BY position").unwrap();
    let positions: Vec<i64> = listed.lines().map(|line| line.parse().unwrap()).collect();
    for (kind, statements) in DAMAGE {
        let copy = format!("{original}_{kind}");
        psql(&format!("{server}/postgres"), &format!("CREATE DATABASE {copy} TEMPLATE {original}")).unwrap();
        let url = format!("{server}/{copy}");
        for statement in *statements {
            let zeroed = r"substring(record FROM 1 FOR length(record) - 1) || '\x00'::bytea";
            psql(&url, &filled_in(statement, &positions, zeroed)).unwrap();
        }
        house.write_configuration(&format!("{kind}.toml"), &url, "");
        found_out(&house, kind, &["--config", &format!("{kind}.toml")]);
    }
}

fn found_out(house: &House, kind: &str, place: &[&str]) {
    let checkpoint: &[&str] = if kind == "truncated" { &["--checkpoint", "copy.log"] } else { &[] };
    let arguments = [&["audit", "verify", "-o", "json"], place, checkpoint].concat();
    let verdict = house.run(&arguments).exits(8).json();
    assert_eq!((&verdict["ok"], verdict["kind"].as_str()), (&serde_json::Value::Bool(false), Some(kind)), "{verdict}");
    assert!(verdict["first_bad"].is_number(), "{verdict}");
}
