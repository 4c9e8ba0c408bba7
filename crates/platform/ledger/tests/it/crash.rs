//! Killed with SIGKILL at random moments under load: what was answered is there, nothing is half there, every event goes out, and
//! the log verifies.

use std::collections::HashSet;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use signet_bus::{Bus, Pattern};
use signet_crypto::sign::Ed25519Public;
use signet_ledger::verify::{LogSource, VerifyOptions, verify};
use signet_ledger::{LedgerParts, LedgerRuntime};
use signet_testkit::{FakeClock, SeededEntropy, TestNats, TestPostgres, process, scratch_dir};

use crate::house::{House, Kind, Site, TestSealer, connected, creation, event, eventually, open, standing};
use crate::on_both;

/// What the child works on: database, bus, directory, round.
const SITE: &str = "SIGNET_LEDGER_CRASH_SITE";
const CALLERS: usize = 24;

/// Not a test of its own: the process that the tests below start and kill. It commits until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_is_killed() {
    let Ok(site) = std::env::var(SITE) else { return };
    let [url, nats, directory, round] = site.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let (db, bus) = (open(url).await, connected(nats).await);
    let parts = LedgerParts {
        db,
        bus,
        sealer: TestSealer::of(1),
        clock: Arc::new(FakeClock::new()),
        entropy: Arc::new(SeededEntropy::new(7)),
        data_dir: Some(directory.into()),
        worker: true,
    };
    let (ledger, _tasks) = LedgerRuntime::start(parts).await.unwrap();
    let answered = std::fs::File::options().create(true).append(true).open(format!("{directory}/answered")).unwrap();
    let answered = Arc::new(Mutex::new(answered));
    let callers: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (ledger, answered, round) = (ledger.clone(), Arc::clone(&answered), round.to_owned());
            tokio::spawn(async move {
                for n in 0.. {
                    let id = format!("r{round}-c{caller}-{n}");
                    let subject = format!("{:020}", caller);
                    let change = creation(&id).announcing(event("crash.event", &id)).standing(standing(&subject, n % 2 == 0));
                    if ledger.commit(change).await.is_ok() {
                        // One call, so that a kill leaves whole lines.
                        answered.lock().unwrap().write_all(format!("{id}\n").as_bytes()).unwrap();
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
}

/// Kills of one test; `--deep` runs make more.
fn rounds() -> u64 {
    if std::env::var_os("SIGNET_DEEP").is_some() { 100 } else { 5 }
}

fn answered(site: &Site) -> HashSet<String> {
    let text = std::fs::read_to_string(site.data_dir().join("answered")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

on_both! {
    async fn killed_again_and_again_nothing_is_lost_or_half_done(kind) {
        let directory = scratch_dir("crash").unwrap();
        let nats = TestNats::private("");
        let url = match kind {
            Kind::SqliteInProcess => format!("sqlite:{}", directory.path().join("signet.db").display()),
            Kind::PostgresNats => TestPostgres::shared().fresh_database().await,
        };
        let bus = connected(nats.url()).await;
        let mut events = bus.subscribe(&Pattern::new("crash.event").unwrap(), None, 65_536).await.unwrap();
        let seen: Arc<Mutex<HashSet<String>>> = Arc::default();
        let listener = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                while let Some(message) = events.next().await {
                    seen.lock().unwrap().insert(String::from_utf8(message.payload.to_vec()).unwrap());
                }
            }
        });
        let site = Site { directory: Some(directory), url: url.clone(), nats: None, bus: Some(bus.clone()) };
        for round in 0..rounds() {
            let before = answered(&site).len();
            let mut command = process::bound_to_us("KILL", std::env::current_exe().unwrap());
            command.args(["--exact", "crash::the_process_that_is_killed", "--nocapture"]).stdout(Stdio::null());
            command.env(SITE, format!("{url}\n{}\n{}\n{round}", nats.url(), site.data_dir().display()));
            let mut child = process::spawn(command).unwrap();
            eventually("the child commits", || async { answered(&site).len() > before }).await;
            tokio::time::sleep(Duration::from_millis(round * 97 % 400)).await;
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let answered = answered(&site);
        let house: House = site.start_on(open(&url).await, bus.clone(), TestSealer::of(1)).await;
        eventually("the outbox is empty", || async { house.number("SELECT count(*) FROM outbox").await == 0 }).await;
        eventually("all is sequenced", || async { house.ledger.stats().sequenced() == house.ledger.head().value() }).await;
        let positions = house.positions().await;
        assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
        let rows = house.db.query(crate::house::statement("SELECT id FROM thing", [])).await.unwrap();
        let stored: HashSet<String> = rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
        assert_eq!(stored.len(), positions.len(), "each change has its record and each record its change");
        assert!(answered.is_subset(&stored), "answered and lost: {:?}", answered.difference(&stored).collect::<Vec<_>>());
        eventually("every event was seen", || async { stored.is_subset(&seen.lock().unwrap()) }).await;
        assert_eq!(seen.lock().unwrap().len(), stored.len(), "an event of a change that is not there");
        let checked = (house.site.data_dir().join("keys/log.pub"), house.site.data_dir().join("checkpoints.log"));
        let site = house.end().await;
        let log = match kind {
            Kind::SqliteInProcess => LogSource::SqliteFile(site.data_dir().join("signet.db")),
            Kind::PostgresNats => LogSource::Database(open(&url).await),
        };
        let key = Ed25519Public::from_pem(&std::fs::read_to_string(checked.0).unwrap()).unwrap();
        let verdict = verify(VerifyOptions { log, key, checkpoints_log: Some(checked.1), checkpoint: None }).await;
        assert!(verdict.ok && verdict.records == stored.len() as u64 && verdict.size == verdict.records, "{verdict:?}");
        listener.abort();
        let _: Bus = bus;
    }
}
