//! What a hostile user tried and was told: wrong settings, wrong files, wrong variables. Each is refused with a reason, the value seen
//! and a fix that works, and nothing is made where something was mistyped.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use signet_testkit::TestPostgres;
use signet_tests::{Deployment, House, Output, Plan, http_1_0, run, run_in, signet_binary};

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn detail(output: &Output) -> String {
    output.error()["detail"].as_str().unwrap_or_default().to_owned()
}

#[track_caller]
fn fix(output: &Output) -> String {
    output.error()["fix"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_certificate_of_another_installation_is_untrusted_and_not_absent() {
    let (house, other) = (House::open(Deployment::Embedded), Plan::of(Deployment::Embedded).open());
    let ca = other.data().join("tls/ca.pem");
    let wrong = house.run(&["--ca-file", ca.to_str().unwrap(), "tenant", "list", "-o", "json"]);
    wrong.refused(7, "server.untrusted");
    assert!(fix(&wrong).contains("tls/ca.pem"), "{}", fix(&wrong));
    house.run(&["--ca-file", "d/tls/ca.pem", "tenant", "list", "-o", "json"]).exits(0);
}

#[test]
fn settings_that_cannot_work_are_refused_for_good_by_check_and_by_serve_alike() {
    let house = Plan::of(Deployment::Production).prepare();
    for (text, reason, named) in [
        ("[nats]\nurl = \"nats://u:topsecret@127.0.0.1:4222\"\n", "bus.configuration", "nats.password_file"),
        ("[tls]\ncert_file = \"own.crt\"\n", "", "tls.key_file"),
        ("[database]\nurl = \"postgres://u:topsecret@127.0.0.1/d?sslmode=bogus\"\n", "config.database-url", "bogus"),
        ("[database]\nmax_connections = 0\n", "config.value-invalid", "from 1 to 500, found 0"),
    ] {
        std::fs::write(house.path().join("bad.toml"), text).unwrap();
        for command in [
            &["config", "check", "bad.toml", "-o", "json"][..],
            &["config", "check", "--config", "bad.toml", "-o", "json"],
            &["serve", "--config", "bad.toml", "--data-dir", "bad", "--any-port", "-o", "json"],
        ] {
            let output = house.run(command);
            output.exits(6);
            assert!(reason.is_empty() || output.reason() == reason, "{command:?}: {}", output.stderr);
            assert!(detail(&output).contains(named) && !output.stderr.contains("topsecret"), "{command:?}: {}", output.stderr);
        }
    }
    std::fs::write(house.path().join("bad.toml"), "[nats]\nurl = \"nats://127.0.0.1:4222\"\nuser = \"u\"\npassword_file = \"absent\"\n")
        .unwrap();
    let output = house.run(&["serve", "--config", "bad.toml", "--data-dir", "bad", "--any-port", "-o", "json"]);
    output.refused(6, "bus.configuration");
    std::fs::write(house.path().join("bad.toml"), "[listen]\napi = \"127.0.0.1:7070\"\n").unwrap();
    house.run(&["config", "check", "bad.toml", "-o", "json"]).refused(6, "config.value-invalid");
}

#[test]
fn the_doctor_finds_the_token_of_a_directory_that_only_the_file_names() {
    let house = House::open(Deployment::Production);
    let answer = run(house.path(), &[], ["doctor", "--config", "signet.toml", "-o", "json"], b"");
    let checks = answer.json()["checks"].as_array().unwrap().clone();
    let token = checks.iter().find(|check| check["name"] == "operator token").unwrap();
    assert_eq!(token["ok"], true, "{token}");
}

#[test]
fn a_mistyped_directory_or_key_file_makes_nothing_new() {
    let mut house = House::open(Deployment::Production);
    let rotate = ["--data-dir", "typo", "operator", "rotate", "-o", "json"];
    let output = run(house.path(), &[], rotate, b"");
    output.refused(6, "operator.no-installation");
    assert!(detail(&output).contains("typo/signet.db") && !house.path().join("typo").exists(), "{}", output.stderr);

    house.stop();
    let nats = house.nats().map(|nats| nats.url().to_owned()).unwrap_or_default();
    let named = format!(
        "data_dir = \"d\"\n[database]\nurl = \"{}\"\n[nats]\nurl = \"{nats}\"\n[seal]\nkey_file = \"typo.key\"\n",
        house.database_url()
    );
    std::fs::write(house.path().join("typo.toml"), named).unwrap();
    for command in [
        &["serve", "--config", "typo.toml", "--any-port", "-o", "json"][..],
        &["operator", "rotate", "--config", "typo.toml", "-o", "json"],
    ] {
        let output = house.run(command);
        output.refused(6, "secret-file.missing");
        assert!(fix(&output).contains("Copy the seal key") && detail(&output).contains("typo.key"), "{}", output.stderr);
        assert!(!house.path().join("typo.key").exists(), "{command:?} made a key");
    }
    let second = house.run(&["serve", "--config", "signet.toml", "--data-dir", "second", "--any-port", "-o", "json"]);
    second.refused(6, "secret-file.missing");
    assert!(!house.path().join("second/seal.key").exists());
    house.start();
}

#[test]
fn what_others_can_read_is_warned_of_on_use_and_at_the_start() {
    let mut house = House::open(Deployment::Embedded);
    assert_eq!(house.run(&["tenant", "list"]).exits(0).stderr, "");
    set_mode(&house.data().join("operator.token"), 0o644);
    let told = house.run(&["tenant", "list"]).exits(0).stderr.clone();
    assert!(told.contains("0644") && told.contains("chmod 600 d/operator.token"), "{told}");
    assert_eq!(house.run(&["tenant", "list", "-o", "json"]).exits(0).stderr, "");
    house.stop();
    set_mode(&house.data(), 0o777);
    house.start();
    let log = house.server().log_text();
    for part in ["data-dir.open-to-others", "0644", "0777"] {
        assert!(log.contains(part), "{part}: {log}");
    }
}

#[test]
fn a_database_that_is_down_is_told_with_its_place_and_a_fix_that_is_no_circle() {
    let postgres = TestPostgres::private();
    let house = Plan::of(Deployment::Production).database(postgres.fresh_database_blocking()).open();
    postgres.stop().unwrap();
    let answer = house.run(&["doctor", "--config", "signet.toml", "-o", "json"]);
    let checks = answer.exits(8).json()["checks"].as_array().unwrap().clone();
    let database = checks.iter().find(|check| check["name"] == "database").unwrap();
    let (seen, mends) = (database["detail"].as_str().unwrap(), database["fix"].as_str().unwrap());
    assert_eq!(seen.matches(postgres.address()).count(), 1, "{seen}");
    assert!(seen.contains("database ") && !mends.contains("signet doctor") && mends.contains("database.url"), "{database}");
    let told = house.run(&["tenant", "list", "-o", "json"]);
    told.refused(7, "storage.unavailable");
    assert_ne!(detail(&told), "The credential store cannot be reached.", "the title says that already");
    postgres.resume().unwrap();
}

#[test]
fn a_checkpoint_file_that_is_none_is_the_callers_fault_and_not_the_logs() {
    let (house, other) = (House::open(Deployment::Embedded), Plan::of(Deployment::Embedded).open());
    house.furnish();
    other.furnish();
    let foreign = other.data().join("checkpoints.log");
    assert!(signet_tests::within(std::time::Duration::from_secs(20), || foreign.exists() && house.data().join("checkpoints.log").exists()));
    for file in ["absent", foreign.to_str().unwrap()] {
        house.run(&["audit", "verify", "--checkpoint", file, "-o", "json"]).refused(6, "audit.checkpoint-unusable");
    }
    house.run(&["audit", "verify", "--checkpoint", "d/checkpoints.log", "-o", "json"]).exits(0);
}

#[test]
fn variables_that_mean_nothing_are_refused_by_name() {
    let house = House::open(Deployment::Embedded);
    let command = |variables: &[(&str, &str)], arguments: &[&str]| run(house.path(), variables, arguments, b"");
    let revoke = ["--data-dir", "d", "credential", "revoke", "br7si8mg10l7an82que0", "-o", "json"];
    let maybe = command(&[("SIGNET_YES", "maybe")], &revoke);
    maybe.refused(2, "usage");
    assert!(detail(&maybe).contains("maybe"), "{}", maybe.stderr);
    command(&[("SIGNET_YES", "0")], &revoke).refused(2, "confirmation.required");
    command(&[("SIGNET_YES", "yes")], &revoke).refused(4, "credential.not-found");
    let empty = command(&[("SIGNET_TOKEN_FILE", "")], &["--data-dir", "d", "tenant", "list", "-o", "json"]);
    empty.refused(2, "usage");
    assert!(detail(&empty).contains("SIGNET_TOKEN_FILE"), "{}", empty.stderr);
    let mut odd = Command::new("env");
    odd.arg(std::ffi::OsStr::from_bytes(b"SIGNET_TENANT=\xe4")).arg(signet_binary());
    let odd = run_in(odd, house.path(), &[], ["--data-dir", "d", "tenant", "list", "-o", "json"], b"");
    odd.refused(2, "usage");
    assert!(detail(&odd).contains("`SIGNET_TENANT`"), "{}", odd.stderr);
}

#[test]
fn odd_arguments_are_told_as_what_they_are() {
    let house = House::open(Deployment::Embedded);
    house.furnish();
    let nobody = house.run_with(&["credential", "check", "bob@", "--password-stdin", "-o", "json"], "pw");
    nobody.refused(2, "usage");
    assert!(detail(&nobody).contains("bob@"), "{}", nobody.stderr);
    house.run_with(&["credential", "check", "bob@acme", "--password-stdin", "-o", "json"], "p\0w").refused(6, "password.nul");
    let huge = house.acme_with(&["credential", "create", "basic", "bob", "--password-stdin"], &"x".repeat(300_000));
    huge.refused(6, "password.too-long");
    assert!(detail(&huge).contains("more than 65536 bytes"), "{}", huge.stderr);
    let unknown = house.run_with(&["credential", "check", "bob@acme", "--password-stdin"], "pw");
    assert!(unknown.code == 3 && !unknown.stdout.contains("null"), "{unknown:?}");
    let page = house.rest().get("/api/v1/tenants/acme/credentials?limt=5");
    assert!(page.status == 400 && page.text().contains("`limit` and `after`"), "{}", page.text());
    for form in [&["config", "show", "absent.toml"][..], &["config", "show", "--config", "absent.toml"]] {
        house.run(&[form, &["-o", "json"]].concat()).refused(6, "config.unreadable");
    }
    assert!(house.run(&["config", "sample", "-o", "json"]).ok()["sample"].as_str().unwrap().contains("[listen]"));
    assert!(house.run(&["completions", "bash", "-o", "json"]).ok()["script"].as_str().unwrap().contains("signet"));
}

#[test]
fn every_metric_that_is_shown_is_explained() {
    let house = House::open(Deployment::Embedded);
    house.furnish();
    house.active_credential("bob");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/metrics.md")).unwrap();
    let text = http_1_0(house.server().listener("management"), "GET", "/metrics", &[]).unwrap().text();
    let shown: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(shown.len() > 10, "{text}");
    for name in shown {
        assert!(page.contains(&format!("`{name}`")), "{name} is not on the page of metrics");
    }
}

#[test]
fn a_fresh_start_warns_of_nothing() {
    let house = House::open(Deployment::Embedded);
    let log = house.server().log_text();
    assert!(!log.contains("standing.unanswered"), "{log}");
}
