//! Several replicas on one PostgreSQL, broken connections, and a leader that vanishes.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use signet_bus::Pattern;
use signet_ledger::CommitError;
use signet_testkit::{FaultProxy, ProxyMode, TestPostgres, psql};

use crate::house::{House, Kind, Site, TestSealer, creation, event, eventually, open, transition};

/// A second replica of a house: its own directory and connections.
async fn replica_of(house: &House, url: &str) -> House {
    let directory = Some(signet_testkit::scratch_dir("replica").unwrap());
    let bus = house.site.bus().await;
    let site = Site { directory, url: url.to_owned(), nats: None, bus: Some(bus.clone()) };
    let db = open(url).await;
    site.start_on(db, bus, TestSealer::of(1)).await
}

async fn leads(house: &House) {
    eventually("it leads", || async { house.ledger.stats().leader() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_commit_into_one_order_and_one_leads() {
    let one = House::new(Kind::PostgresNats).await;
    leads(&one).await;
    let two = replica_of(&one, &one.site.url).await;
    one.commit(creation("a")).await.unwrap();
    let all = join_all((0..100).map(|n| {
        let house = if n % 2 == 0 { &one } else { &two };
        house.commit(transition("a", "new", "moved").announcing(event("things.moved", &n.to_string())))
    }));
    let won = all.await.into_iter().filter(Result::is_ok).count();
    assert_eq!(won, 1);
    let ids: Vec<String> = (0..200).map(|n| format!("t{n}")).collect();
    join_all(ids.iter().enumerate().map(|(n, id)| if n % 2 == 0 { &one } else { &two }.commit(creation(id)))).await;
    assert_eq!(two.positions().await, (1..=202).collect::<Vec<_>>());
    eventually("all is sequenced", || async { one.ledger.stats().sequenced() == 202 }).await;
    assert!(!two.ledger.stats().leader());
    assert_eq!(one.number("SELECT count(*) FROM audit WHERE record LIKE '%thing.move%'").await, 1);
    two.end().await;
    one.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leader_is_killed_another_sequences_without_gap_or_double() {
    let one = House::new(Kind::PostgresNats).await;
    leads(&one).await;
    let two = replica_of(&one, &one.site.url).await;
    let mut events = one.bus.subscribe(&Pattern::new("things.>").unwrap(), None, 1_024).await.unwrap();
    one.commit(creation("before").announcing(event("things.e", "before"))).await.unwrap();
    assert_eq!(&events.next().await.unwrap().payload[..], b"before");
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'signet-leader' AND datname = current_database() \
                AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)";
    assert_eq!(psql(&one.site.url, kill).unwrap().trim(), "t");
    two.commit(creation("after").announcing(event("things.e", "after"))).await.unwrap();
    eventually("somebody leads in a newer term", || async { two.number("SELECT term FROM ledger_sequencer").await == 2 }).await;
    // At least once: "before" may come again, "after" must come.
    while &events.next().await.unwrap().payload[..] != b"after" {}
    eventually("all is sequenced", || async { two.number("SELECT sequenced FROM ledger_sequencer").await == 2 }).await;
    assert_eq!(two.positions().await, [1, 2]);
    two.end().await;
    one.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_only_waits_to_lead_is_well_again_after_the_database_was_away() {
    let one = House::new(Kind::PostgresNats).await;
    leads(&one).await;
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let two = replica_of(&one, &proxy.url_through(&one.site.url)).await;
    let fault = || two.ledger.stats().fault();
    proxy.set(ProxyMode::Cut);
    eventually("it says that the database is away", || async { fault().is_some() }).await;
    proxy.set(ProxyMode::Forward);
    eventually("it is well again, and waits", || async { fault().is_none() }).await;
    assert!(!two.ledger.stats().leader() && one.ledger.stats().leader());
    two.end().await;
    one.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_leaders_packets_are_dropped_another_takes_over_within_ten_seconds() {
    let site = Site::of(Kind::PostgresNats).await;
    let direct = site.url.clone();
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let bus = site.bus().await;
    let db = open(&proxy.url_through(&direct)).await;
    let one = site.start_on(db, bus, TestSealer::of(1)).await;
    leads(&one).await;
    let two = replica_of(&one, &direct).await;
    two.commit(creation("before")).await.unwrap();
    proxy.set(ProxyMode::Blackhole);
    let (since, after) = (Instant::now(), two.commit(creation("after")).await);
    after.unwrap();
    leads(&two).await;
    eventually("all is sequenced", || async { two.ledger.stats().sequenced() == 2 }).await;
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed()); // 10 s, and the machine may be slow
    // The silent one answers by its deadline, and has noticed.
    let refused = one.commit(creation("silent")).await;
    assert!(matches!(refused, Err(CommitError::Refused(_))), "{refused:?}");
    eventually("the silent one stops leading", || async { !one.ledger.stats().leader() }).await;
    proxy.set(ProxyMode::Forward);
    eventually("the silent one commits again", || async { one.commit(creation("back")).await.is_ok() }).await;
    let positions = two.positions().await;
    assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
    two.end().await;
    one.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_committed_once_whatever_breaks() {
    let site = Site::of(Kind::PostgresNats).await;
    let direct = open(&site.url).await;
    let proxy = FaultProxy::to(TestPostgres::shared().address());
    let (bus, db) = (site.bus().await, open(&proxy.url_through(&site.url)).await);
    let house = site.start_on(db, bus, TestSealer::of(1)).await;
    let (mut committed, mut refused) = (Vec::new(), 0);
    for round in 0..12 {
        let ids: Vec<String> = (0..40).map(|n| format!("r{round}-{n}")).collect();
        let batch = join_all(ids.iter().map(|id| house.commit(creation(id))));
        let cut = async {
            tokio::time::sleep(Duration::from_millis(round)).await;
            proxy.set(ProxyMode::Cut);
            tokio::time::sleep(Duration::from_millis(20)).await;
            proxy.set(ProxyMode::Forward);
        };
        let (answers, ()) = tokio::join!(batch, cut);
        for (id, answer) in ids.into_iter().zip(answers) {
            match answer {
                Ok(done) => committed.push((id, done.position.value())),
                Err(CommitError::Refused(_)) => refused += 1,
                Err(other) => panic!("each id is new, so never {other:?}"),
            }
        }
    }
    // Whoever was told "committed" is there, at that position, once; whoever was told "nothing was committed" is not.
    let rows = direct.query(crate::house::statement("SELECT object, position FROM audit ORDER BY position", [])).await.unwrap();
    let mut stored: Vec<(String, i64)> = rows.iter().map(|row| (row.text(0).unwrap().to_owned(), row.int(1).unwrap())).collect();
    assert_eq!(stored.iter().map(|(_, position)| *position).collect::<Vec<_>>(), (1..=stored.len() as i64).collect::<Vec<_>>());
    committed.sort();
    stored.sort();
    assert_eq!(stored, committed, "{refused} were refused");
    eventually("the ledger works again", || async {
        house.commit(creation(&format!("end{}", house.ledger.stats().committed()))).await.is_ok()
    })
    .await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_held_open_in_another_database_delays_nothing() {
    let house = House::new(Kind::PostgresNats).await;
    let other = open(&TestPostgres::shared().fresh_database().await).await;
    let signet_db::Db::Postgres(other) = other else { panic!("not PostgreSQL") };
    let session = other.dedicated("holder").await.unwrap();
    session.client().batch_execute("BEGIN; INSERT INTO thing VALUES ('held', 'open', 0)").await.unwrap();
    let mut events = house.bus.subscribe(&Pattern::new("things.>").unwrap(), None, 16).await.unwrap();
    house.commit(creation("a").announcing(event("things.e", "through"))).await.unwrap();
    assert_eq!(&events.next().await.unwrap().payload[..], b"through");
    eventually("it is sequenced", || async { house.ledger.stats().sequenced() == 1 }).await;
    session.client().batch_execute("ROLLBACK").await.unwrap();
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_started_again_the_database_is_picked_up_unaided() {
    let server = TestPostgres::private();
    let mut site = Site::of(Kind::PostgresNats).await;
    site.url = server.fresh_database().await;
    let house = site.start().await;
    house.commit(creation("a")).await.unwrap();
    server.kill().unwrap();
    let refused = house.commit(creation("b")).await;
    assert!(matches!(&refused, Err(CommitError::Refused(error)) if error.reason().status == 503), "{refused:?}");
    server.resume().unwrap();
    eventually("it commits again", || async { house.commit(creation("c")).await.is_ok() }).await;
    eventually("it sequences again", || async { house.ledger.stats().leader() && house.ledger.stats().sequenced() >= 2 }).await;
    let positions = house.positions().await;
    assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_make_the_shared_seal_key_at_once_have_the_same_one() {
    for kind in [Kind::SqliteInProcess, Kind::PostgresNats] {
        let house = House::new(kind).await;
        let entropy = signet_testkit::SeededEntropy::new(7);
        let keys = join_all((0..8).map(|_| signet_ledger::shared_seal_key(&house.db, &entropy))).await;
        let keys: Vec<_> = keys.into_iter().map(|key| *key.unwrap()).collect();
        assert!(keys.iter().all(|key| *key == keys[0] && *key != [0; 32]));
        let again = signet_ledger::shared_seal_key(&house.db, &entropy).await.unwrap();
        assert_eq!(*again, keys[0]);
        house.end().await;
    }
}
