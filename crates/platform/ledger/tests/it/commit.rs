//! Changes: wholly or not at all, one winner, positions without gaps.

use futures_util::future::join_all;
use signet_db::Value;
use signet_ledger::{Change, CommitError, Decided, Expect, Upkeep};
use signet_model::{Position, Refusal};

use crate::house::{House, creation, event, eventually, record, standing, statement, text, transition};
use crate::on_both;

const CREDENTIAL: &str = "br7si8mg10l7an82que0";

on_both! {
    async fn a_change_is_committed_with_all_its_parts(kind) {
        let house = House::new(kind).await;
        let change = creation("a").announcing(event("things.a", "made")).standing(standing(CREDENTIAL, true));
        assert_eq!(house.commit(change).await.unwrap().position, Position::new(1));
        assert_eq!(house.thing("a").await, Some(("new".to_owned(), 0)));
        let page = house.ledger.audit_page(Some(&"acme".parse().unwrap()), Some("a"), Position::ZERO, 10).await.unwrap();
        assert_eq!((page.len(), page[0].action.as_str(), page[0].position), (1, "thing.create", Position::new(1)));
        assert_eq!(house.number("SELECT position FROM standing WHERE good = 1").await, 1);
        assert_eq!(house.ledger.head(), Position::new(1));
        house.end().await;
    }

    async fn a_failed_expectation_changes_nothing_and_takes_no_position(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a")).await.unwrap();
        let guard = Expect::guard(statement("SELECT 1 FROM thing WHERE id = $1", [text("a")]), 0);
        let effect = || statement("UPDATE thing SET count = 99 WHERE id = $1 AND {ok}", [text("a")]);
        let losers = [
            creation("a").effecting(effect()),
            transition("a", "old", "x").announcing(event("things.a", "no")).standing(standing(CREDENTIAL, false)),
            Change::new(record("thing.guarded", "a")).expecting(guard).effecting(effect()),
            transition("absent", "new", "x").effecting(effect()),
            // more than one statement can hold: the guard fails after a write that would have worked
            transition("a", "new", "x").expecting(Expect::write(statement("DELETE FROM thing WHERE id = $1 AND {ok}", [text("b")]), 1)),
        ];
        for loser in losers {
            assert!(matches!(house.commit(loser).await, Err(CommitError::Conflict)));
        }
        assert_eq!(house.thing("a").await, Some(("new".to_owned(), 0)));
        assert_eq!(house.number("SELECT count(*) FROM outbox").await + house.number("SELECT count(*) FROM standing").await, 0);
        assert_eq!(house.commit(transition("a", "new", "x")).await.unwrap().position, Position::new(2));
        assert_eq!(house.positions().await, [1, 2]);
        assert_eq!(house.ledger.stats().conflicts(), 5);
        house.end().await;
    }

    async fn a_write_that_touches_too_many_rows_is_undone(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a")).await.unwrap();
        house.commit(creation("b")).await.unwrap();
        let both = statement("UPDATE thing SET state = 'x' WHERE id IN ($1, $2) AND {ok}", [text("a"), text("b")]);
        let change = Change::new(record("thing.move", "a")).expecting(Expect::write(both, 1));
        assert!(matches!(house.commit(change).await, Err(CommitError::Conflict)));
        assert_eq!(house.number("SELECT count(*) FROM thing WHERE state = 'new'").await, 2);
        assert_eq!(house.positions().await, [1, 2]);
        house.end().await;
    }

    async fn a_failing_effect_leaves_nothing_and_spares_its_neighbours(kind) {
        let house = House::new(kind).await;
        house.commit(creation("taken")).await.unwrap();
        let fine = statement("INSERT INTO thing (id, state, count) SELECT $1, 'new', 0 WHERE {ok}", [text("first")]);
        let fails = statement("INSERT INTO thing (id, state, count) SELECT $1, 'new', 0 WHERE {ok}", [text("taken")]);
        let broken = transition("taken", "new", "x").effecting(fine).effecting(fails).announcing(event("things.x", "no"));
        let neighbours: Vec<String> = (0..20).map(|n| format!("n{n}")).collect();
        let (broken, others) = tokio::join!(house.commit(broken), join_all(neighbours.iter().map(|id| house.commit(creation(id)))));
        assert!(matches!(&broken, Err(CommitError::Refused(error)) if error.reason().status >= 400), "{broken:?}");
        assert!(others.iter().all(Result::is_ok));
        assert_eq!((house.thing("taken").await, house.thing("first").await), (Some(("new".to_owned(), 0)), None));
        assert_eq!(house.number("SELECT count(*) FROM outbox").await, 0);
        assert_eq!(house.positions().await, (1..=21).collect::<Vec<_>>());
        house.end().await;
    }

    async fn a_value_that_cannot_be_stored_refuses_its_own_change_only(kind) {
        let house = House::new(kind).await;
        house.commit(creation("base")).await.unwrap();
        let wrong_type = statement("UPDATE thing SET count = $2 WHERE id = $1 AND {ok}", [text("base"), Value::Bytes(vec![1])]);
        let bad = [creation("a\0b"), creation("x").effecting(wrong_type)];
        for (round, bad) in bad.into_iter().enumerate() {
            let neighbours: Vec<String> = (0..20).map(|n| format!("{round}-n{n}")).collect();
            let (bad, others) = tokio::join!(house.commit(bad), join_all(neighbours.iter().map(|id| house.commit(creation(id)))));
            assert!(matches!(bad, Err(CommitError::Refused(_))), "{bad:?}");
            // Whatever a neighbour is told is true, and it is there once at most.
            for (id, told) in neighbours.iter().zip(others) {
                assert_eq!(told.is_ok(), house.thing(id).await.is_some(), "{id}: {told:?}");
            }
        }
        let positions = house.positions().await;
        assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
        assert_eq!(house.number("SELECT count(*) FROM thing").await, positions.len() as i64);
        house.end().await;
    }

    async fn of_a_hundred_equal_changes_one_wins(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a")).await.unwrap();
        let all = join_all((0..100).map(|n| house.commit(transition("a", "new", &format!("by {n}"))))).await;
        let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 99));
        assert!(lost.iter().all(|loser| matches!(loser, Err(CommitError::Conflict))));
        assert_eq!(house.thing("a").await.unwrap().1, 1);
        assert_eq!(house.positions().await, [1, 2]);
        house.end().await;
    }

    async fn positions_follow_one_another_over_many_callers(kind) {
        let house = House::new(kind).await;
        let ids: Vec<String> = (0..600).map(|n| format!("t{}", n / 2)).collect(); // each id twice: half of them conflict
        let all = join_all(ids.iter().map(|id| house.commit(creation(id)))).await;
        let mut positions: Vec<i64> = all.into_iter().filter_map(Result::ok).map(|c| c.position.value()).collect();
        positions.sort_unstable();
        assert_eq!(positions, (1..=300).collect::<Vec<_>>());
        assert_eq!(house.positions().await, positions);
        house.end().await;
    }

    async fn a_change_too_large_for_one_statement_is_whole_too(kind) {
        let house = House::new(kind).await;
        let mut change = creation("a");
        for n in 0..150 {
            change = change.announcing(event("things.many", &n.to_string()));
        }
        let second = "INSERT INTO thing (id, state, count) SELECT $1, 'new', 0 WHERE {ok} ON CONFLICT DO NOTHING";
        change = change.expecting(Expect::write(statement(second, [text("b")]), 1));
        let mut events = house.bus.subscribe(&signet_bus::Pattern::new("things.many").unwrap(), None, 256).await.unwrap();
        assert_eq!(house.commit(change).await.unwrap().position, Position::new(1));
        for n in 0..150 {
            assert_eq!(events.next().await.unwrap().payload, n.to_string());
        }
        assert!(house.thing("b").await.is_some());
        house.end().await;
    }

    async fn a_caller_that_goes_away_does_not_undo_its_change(kind) {
        let house = House::new(kind).await;
        let ledger = house.ledger.clone();
        let gone = tokio::spawn(async move { ledger.commit(creation("a")).await });
        tokio::task::yield_now().await;
        gone.abort();
        let _ = gone.await;
        house.commit(creation("b")).await.unwrap();
        // Either it never reached the queue or it is wholly there.
        let records = house.positions().await.len();
        assert_eq!(records, if house.thing("a").await.is_some() { 2 } else { 1 });
        house.end().await;
    }

    async fn what_waits_at_the_end_is_committed_and_then_nothing_more(kind) {
        let house = House::new(kind).await;
        let ledger = house.ledger.clone();
        let ids: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
        let mut waiting = Box::pin(join_all(ids.iter().map(|id| ledger.commit(creation(id)))));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let site = house.end().await;
        assert!(waiting.await.iter().all(Result::is_ok));
        assert!(matches!(ledger.commit(creation("late")).await, Err(CommitError::Refused(_))));
        let house = site.start().await;
        assert_eq!(house.positions().await.len(), 50);
        house.end().await;
    }

    async fn upkeep_is_written_without_a_record(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a")).await.unwrap();
        for _ in 0..3 {
            house.ledger.upkeep(Upkeep { statement: statement("UPDATE thing SET count = count + 1 WHERE id = $1", [text("a")]) });
        }
        eventually("upkeep runs", || async { house.thing("a").await.unwrap().1 == 3 }).await;
        assert_eq!((house.positions().await.len(), house.ledger.stats().upkeep_done()), (1, 3));
        house.end().await;
    }

    async fn a_room_decides_again_when_it_lost_and_gives_up_after_three_times(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a")).await.unwrap();
        let (house, reads) = (&house, &std::sync::atomic::AtomicUsize::new(0));
        let moved = house.ledger.decide(|| async {
            let read = reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let (state, _) = house.thing("a").await.unwrap();
            if read == 0 {
                house.commit(transition("a", "new", "other")).await.unwrap(); // somebody is faster
            }
            Ok(Decided::commit(transition("a", &state, "mine"), read))
        });
        assert_eq!(moved.await.unwrap(), 1);
        let tries = &std::sync::atomic::AtomicUsize::new(0);
        let lost: Result<(), Refusal> = house.ledger.decide(|| async {
            tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(Decided::commit(transition("a", "never", "x"), ()))
        }).await;
        assert_eq!((lost.unwrap_err().reason.code, tries.load(std::sync::atomic::Ordering::SeqCst)), ("storage.contention", 4));
    }

    async fn a_tenant_sees_its_own_records_only(kind) {
        let house = House::new(kind).await;
        house.commit(creation("a")).await.unwrap();
        let mut foreign = creation("b");
        foreign.record.tenant = Some("other".parse().unwrap());
        house.commit(foreign).await.unwrap();
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let objects = |page: Vec<signet_model::AuditEntry>| page.into_iter().map(|entry| entry.object).collect::<Vec<_>>();
        assert_eq!(objects(house.ledger.audit_page(Some(&other), None, Position::ZERO, 10).await.unwrap()), ["b"]);
        assert!(house.ledger.audit_page(Some(&acme), Some("b"), Position::ZERO, 10).await.unwrap().is_empty());
        assert!(house.ledger.audit_entry(Some(&acme), Position::new(2)).await.unwrap().is_none());
        assert_eq!(house.ledger.audit_entry(Some(&other), Position::new(2)).await.unwrap().unwrap().object, "b");
        assert_eq!(house.ledger.audit_page(None, None, Position::new(1), 10).await.unwrap().len(), 1);
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_writes_are_refused_and_everything_else_goes_on() {
    let house = House::new(crate::house::Kind::SqliteInProcess).await;
    house.commit(creation("a").standing(standing(CREDENTIAL, true))).await.unwrap();
    let signet_db::Db::Sqlite(sqlite) = &house.db else { panic!("not SQLite") };
    let limit = |sql: &'static str| async move {
        let set = move |c: &mut rusqlite::Connection| c.query_row(sql, [], |row| row.get::<_, i64>(0));
        sqlite.writer().run(set).await.unwrap().unwrap()
    };
    limit("PRAGMA max_page_count = 1").await; // SQLite takes the present size for less than that
    let mut refused = 0;
    for n in 0..400 {
        let change = creation(&format!("{n}-{}", "x".repeat(2_000))).announcing(event("things.full", "x"));
        match house.commit(change).await {
            Ok(_) => {}
            Err(CommitError::Refused(error)) if error.reason().code == "storage.full" => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    let full = house.commit(creation(&"y".repeat(3_000_000))).await;
    assert!(matches!(&full, Err(CommitError::Refused(error)) if error.reason().code == "storage.full"), "{full:?}");
    house.ledger.upkeep(Upkeep { statement: statement("UPDATE thing SET count = count + 1 WHERE id = $1", [text("a")]) });
    assert!(house.thing("a").await.is_some());
    limit("PRAGMA max_page_count = 1000000").await;
    house.commit(creation("b")).await.unwrap();
    eventually("the outbox is empty", || async { house.number("SELECT count(*) FROM outbox").await == 0 }).await;
    eventually("all is sequenced", || async { house.ledger.stats().sequenced() == house.ledger.head().value() }).await;
    let positions = house.positions().await;
    assert_eq!(positions, (1..=positions.len() as i64).collect::<Vec<_>>());
    house.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_too_many_wait_the_next_is_refused_at_once_and_the_others_are_committed() {
    let house = House::new(crate::house::Kind::SqliteInProcess).await;
    let signet_db::Db::Sqlite(sqlite) = &house.db else { panic!("not SQLite") };
    let (release, held) = std::sync::mpsc::sync_channel::<()>(1);
    let writer = sqlite.writer();
    let holder = tokio::spawn(async move { writer.run(move |_| held.recv().is_ok()).await });
    let ids: Vec<String> = (0..9_000).map(|n| format!("t{n}")).collect();
    let mut all = Box::pin(join_all(ids.iter().map(|id| house.commit(creation(id)))));
    assert!(futures_util::poll!(&mut all).is_pending());
    release.send(()).unwrap();
    holder.await.unwrap().unwrap();
    let answers = all.await;
    let overloaded = answers.iter().filter(|answer| matches!(answer, Err(CommitError::Overloaded))).count();
    let committed = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(overloaded > 0 && overloaded as u64 == house.ledger.stats().overloaded(), "{overloaded}");
    // On a very slow machine some may have waited too long; none is left without an answer, and each answer is true.
    assert_eq!(house.number("SELECT count(*) FROM thing").await, committed as i64);
    assert_eq!(house.positions().await.len(), committed);
    house.end().await;
}
