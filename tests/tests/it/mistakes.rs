//! Eight mistakes that operators make: each error has a reason, the value seen, and a fix that works.
//!
//! The disk that is full is in `storage_full`.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use signet_testkit::{TestNats, TestPostgres};
use signet_tests::{Deployment, House, Output, Plan, Server, run_in, signet_binary, within};

/// The parts that every error has; the fix.
#[track_caller]
fn explained(output: &Output, value_seen: &str) -> String {
    let error = output.error();
    for part in ["reason", "detail", "fix", "status", "trace_id"] {
        assert!(error.get(part).is_some(), "{part} is missing: {}", output.stderr);
    }
    let detail = error["detail"].as_str().unwrap_or_default();
    assert!(detail.contains(value_seen), "`{value_seen}` is not in the detail: {detail}");
    let fix = error["fix"].as_str().unwrap_or_default().to_owned();
    assert!(!fix.is_empty());
    fix
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut house = Plan::of(Deployment::Embedded).prepare();
    let listen = format!("api={address}");
    let up = ["up", "--data-dir", "d", "--any-port", "--listen", &listen, "-o", "json"];
    let output = house.run(&up);
    output.refused(7, "listen.address-in-use");
    let fix = explained(&output, &address);
    assert!(fix.contains("--listen") || fix.contains("--any-port"), "{fix}");
    drop(taken);
    house.server = Some(Server::start(house.path(), "server", &up, &[]));
    assert_eq!(house.server().listener("api").to_string(), address);
}

#[test]
fn an_unreadable_data_directory_is_named() {
    let mut house = Plan::of(Deployment::Embedded).prepare();
    std::fs::create_dir(house.data()).unwrap();
    let allow = |mode| std::fs::set_permissions(house.data(), std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    // Root reads everything; without this right root is a user like others.
    let output = if signet_testkit::debian::is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search", "--"]);
        command.arg(signet_binary());
        run_in(command, house.path(), &[], house.server_arguments(), b"")
    } else {
        house.run(&house.server_arguments())
    };
    allow(0o700);
    assert!(output.reason().starts_with("data-dir."), "{}", output.stderr);
    assert_ne!(output.code, 0);
    explained(&output, "d");
    house.start();
}

#[test]
fn a_sealing_key_that_others_can_read_is_refused_with_the_line_that_mends_it() {
    let mut house = House::open(Deployment::Embedded);
    house.stop();
    let key = house.data().join("seal.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let output = house.run(&house.server_arguments());
    assert_ne!(output.code, 0);
    let fix = explained(&output, "644");
    let line = fix.split('`').find(|part| part.starts_with("chmod 600")).unwrap_or_else(|| panic!("no chmod line in: {fix}"));
    assert!(Command::new("sh").args(["-c", line]).current_dir(house.path()).status().unwrap().success(), "{line}");
    house.start();
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_name() {
    let house = Plan::of(Deployment::Production).prepare();
    for (wrong, nearest) in
        [("[standing]\nreconcile_intervall = \"30s\"\n", "reconcile_interval"), ("[datebase]\nurl = \"sqlite\"\n", "database")]
    {
        std::fs::write(house.path().join("bad.toml"), wrong).unwrap();
        let output = house.run(&["serve", "--config", "bad.toml", "-o", "json"]);
        output.refused(6, "config.unknown-key");
        assert!(output.stderr.contains(nearest), "{}", output.stderr);
        explained(&output, wrong.trim_start_matches('[').split([']', ' ']).next().unwrap());
        std::fs::write(house.path().join("good.toml"), wrong.replace("intervall", "interval").replace("datebase", "database")).unwrap();
        house.run(&["config", "check", "good.toml", "-o", "json"]).exits(0);
    }
    let by_variable = signet_tests::run(house.path(), &[("SIGNET_NATS__URI", "x")], house.server_arguments(), b"");
    by_variable.refused(6, "config.unknown-key");
    explained(&by_variable, "SIGNET_NATS__URI");
}

#[test]
fn a_database_that_is_down_is_seen_by_the_doctor_and_by_every_caller() {
    let postgres = TestPostgres::private();
    let house = Plan::of(Deployment::Production).database(postgres.fresh_database_blocking()).open();
    house.furnish();
    postgres.stop().unwrap();
    let output = house.run(&["tenant", "list", "-o", "json"]);
    output.refused(7, "storage.unavailable");
    explained(&output, "");
    doctor_says(&house, "database", postgres.address());
    postgres.resume().unwrap();
    assert!(within(Duration::from_secs(30), || house.run(&["tenant", "list", "-o", "json"]).code == 0), "it resumes by itself");
}

#[test]
fn nats_that_is_down_is_seen_by_the_doctor() {
    let nats = TestNats::private("");
    let house = Plan::of(Deployment::Production).nats(nats.url()).open();
    nats.stop().unwrap();
    doctor_says(&house, "nats", nats.address());
    nats.resume().unwrap();
    let well = within(Duration::from_secs(30), || {
        let checks = house.run(&["doctor", "--config", "signet.toml", "-o", "json"]).json();
        let nats = checks["checks"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "nats").cloned());
        nats.is_some_and(|check| check["ok"] == true)
    });
    assert!(well, "{}", house.run(&["doctor", "--config", "signet.toml", "-o", "json"]).stdout);
}

/// The doctor calls one thing ill, shows the value seen and has a fix.
#[track_caller]
fn doctor_says(house: &House, ill: &str, value_seen: &str) {
    let answer = house.run(&["doctor", "--config", "signet.toml", "-o", "json"]);
    let checks = answer.exits(8).json()["checks"].as_array().unwrap().clone();
    let check = checks.iter().find(|check| check["name"] == ill).unwrap_or_else(|| panic!("no check `{ill}` in {checks:?}"));
    assert_eq!(check["ok"], false, "{check}");
    assert!(check["detail"].as_str().unwrap().contains(value_seen), "{check}");
    assert!(check["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{check}");
}

#[test]
fn an_expired_operator_token_is_renewed_by_the_command_that_the_error_names() {
    let house = House::open(Deployment::Embedded);
    house.run(&["operator", "rotate", "--lifetime", "1s", "-o", "json"]).exits(0);
    let expired = within(Duration::from_secs(20), || house.run(&["tenant", "list", "-o", "json"]).reason() == "auth.expired");
    let output = house.run(&["tenant", "list", "-o", "json"]);
    assert!(expired, "{output:?}");
    output.refused(3, "auth.expired");
    let fix = explained(&output, "");
    assert!(fix.contains("signet operator rotate"), "{fix}");
    house.run(&["operator", "rotate", "-o", "json"]).exits(0);
    let obeyed = within(Duration::from_secs(10), || house.run(&["tenant", "list", "-o", "json"]).code == 0);
    assert!(obeyed, "running servers obey the new token");
}
