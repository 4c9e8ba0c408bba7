//! How a view behaves between friends, and what it does when it cannot know.

use std::time::Duration;

use signet_model::{Lineage, Position, StandingSubject, reasons};
use signet_standing::{ViewConfig, ViewFault};
use tokio::sync::broadcast;

use crate::PATIENCE;
use crate::source::tenant;
use crate::world::World;

const HOUR: Duration = Duration::from_secs(3_600);

reasons! {
    /// A reason of a room.
    TENANT_DISABLED = ("tenant.disabled", 403, "Enable the tenant.");
}

pub(crate) async fn a_new_view_is_stale_until_its_first_answer(world: World) {
    world.source.answering(false);
    let watching = world.start(world.config(Duration::from_millis(300)));
    let refusal = watching.view.check(&[]).unwrap_err();
    assert_eq!(refusal.reason.code, "standing.stale");
    assert_eq!((watching.view.age(), watching.view.lineage(), watching.view.position()), (None, None, Position::ZERO));
    world.source.withdraw("evil").await;
    watching.until("asked", |_| world.source.asked() >= 2).await;
    assert!(watching.view.check(&[]).is_err(), "a live batch is no answer");
    world.source.answering(true);
    watching.until_fresh().await;
    assert_eq!(watching.view.lineage(), Some(Lineage("ours".to_owned())));
    assert!(watching.view.check(&[tenant("evil")]).is_err());
    assert!(watching.view.check(&[tenant("good")]).is_ok());
}

pub(crate) async fn a_live_batch_is_applied_and_told_to_caches(world: World) {
    let watching = world.watching().await;
    let mut changes = watching.view.changes();
    world.source.withdraw("evil").await;
    // A rotation of the operator token is good news to the feed, and yet caches must drop what they hold.
    world.source.publish(&world.source.commit(&[(StandingSubject::OperatorToken, true, None)])).await;
    for wanted in [(tenant("evil"), false), (StandingSubject::OperatorToken, true)] {
        let told = tokio::time::timeout(PATIENCE, changes.recv()).await.unwrap().unwrap();
        assert_eq!(told.iter().map(|change| (change.subject.clone(), change.good)).collect::<Vec<_>>(), [wanted]);
    }
    assert!(watching.view.check(&[StandingSubject::OperatorToken]).is_ok());
    assert_eq!((watching.view.withdrawn_count(), world.source.asked()), (1, 1));
    // A cache that lags too far behind is told so.
    for _ in 0..300 {
        world.source.withdraw("evil").await;
    }
    watching.until_at(302).await;
    assert!(matches!(changes.recv().await, Err(broadcast::error::RecvError::Lagged(_))));
}

pub(crate) async fn a_view_without_answers_grows_stale_although_batches_arrive(world: World) {
    let watching = world.start(ViewConfig { max_age: Duration::from_secs(90), ..world.config(HOUR) });
    watching.until_fresh().await;
    world.source.answering(false);
    world.clock.advance(Duration::from_secs(80));
    world.source.withdraw("evil").await;
    watching.until_at(1).await;
    assert!(watching.view.check(&[tenant("good")]).is_ok());
    world.clock.advance(Duration::from_secs(11));
    world.source.restore("evil").await;
    watching.until_at(2).await;
    for subjects in [vec![], vec![tenant("good")], vec![tenant("evil")]] {
        assert_eq!(watching.view.check(&subjects).unwrap_err().reason.code, "standing.stale");
    }
    assert!(watching.view.age().unwrap() >= Duration::from_secs(91));
}

pub(crate) async fn a_view_that_was_cut_off_converges_at_the_next_question(world: World) {
    // Cut off for 10 s by the view's clock, an interval of 1 s: what design and issue promise.
    let watching = world.start(world.config(Duration::from_secs(1)));
    watching.until_fresh().await;
    world.source.answering(false);
    // Committed, but no batch of it ever arrives.
    world.source.commit(&[(tenant("evil"), false, None), (tenant("other"), false, None)]);
    world.source.commit(&[(tenant("other"), true, None)]);
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(watching.view.check(&[tenant("good")]).unwrap_err().reason.code, "standing.stale");
    let (asked, cut) = (world.source.asked(), std::time::Instant::now());
    world.source.answering(true);
    watching.until_fresh().await;
    assert!(cut.elapsed() < Duration::from_secs(10), "{:?} after the first chance", cut.elapsed());
    assert!(world.source.asked() <= asked + 4, "no storm of questions");
    assert!(watching.view.check(&[tenant("evil")]).is_err());
    assert!(watching.view.check(&[tenant("other")]).is_ok());
    assert_eq!(watching.view.position(), Position::new(3));
}

pub(crate) async fn a_gap_is_asked_about_at_once(world: World) {
    let watching = world.watching().await;
    let mut changes = watching.view.changes();
    world.source.commit(&[(tenant("evil"), false, None)]); // lost
    world.source.restore("other").await;
    // The interval is an hour: only the gap can have made it ask.
    watching.until_at(2).await;
    assert!(watching.view.check(&[tenant("evil")]).is_err());
    assert_eq!(watching.view.gaps(), 1);
    let told = changes.recv().await.unwrap();
    assert_eq!(told.len(), 2, "caches hear of what an answer brought, too");
}

pub(crate) async fn a_long_answer_is_read_page_by_page(world: World) {
    for number in 0..250 {
        world.source.commit(&[(tenant(&format!("t{number}")), false, None)]);
    }
    world.source.page.store(100, std::sync::atomic::Ordering::SeqCst);
    let watching = world.watching().await;
    assert_eq!((watching.view.withdrawn_count(), world.source.asked()), (250, 3));
    assert_eq!(watching.view.position(), Position::new(250));
}

pub(crate) async fn one_question_at_a_time(world: World) {
    world.source.slowness.store(150, std::sync::atomic::Ordering::SeqCst);
    let watching = world.start(world.config(Duration::from_secs(20)));
    let begun = std::time::Instant::now();
    // Gap upon gap while answers are slow.
    for number in 0..100 {
        world.source.commit(&[(tenant("evil"), false, None)]);
        world.source.publish(&world.source.commit(&[(tenant(&format!("t{number}")), false, None)])).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    watching.until_at(200).await;
    assert_eq!(world.source.most_open.load(std::sync::atomic::Ordering::SeqCst), 1);
    // As many as slow answers leave time for, however long a loaded machine took, and not one per gap.
    let most = begun.elapsed().as_millis() / 150 + 2;
    assert!((world.source.asked() as u128) <= most, "{} questions, {most} at most", world.source.asked());
}

pub(crate) async fn an_answer_from_a_restored_backup_puts_the_view_out_of_use(world: World) {
    let watching = world.start(world.config(Duration::from_millis(200)));
    watching.until_fresh().await;
    world.source.store.lock().lineage = Lineage("restored".to_owned());
    watching.until("out of use", |view| view.fault().is_some()).await;
    let refusal = watching.view.check(&[]).unwrap_err();
    assert_eq!(refusal.reason.code, "standing.other-history");
    assert!(refusal.detail.contains("restored") && refusal.detail.contains("ours"), "{refusal}");
    // The old history coming back does not mend it: what was missed meanwhile is unknown.
    world.source.store.lock().lineage = Lineage("ours".to_owned());
    world.source.withdraw("evil").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(watching.view.check(&[]).unwrap_err().reason.code, "standing.other-history");
    assert_eq!(watching.view.position(), Position::ZERO);
    // A restart does.
    let restarted = world.watching().await;
    assert_eq!(restarted.view.position(), Position::new(1));
}

pub(crate) async fn a_lower_head_puts_the_view_out_of_use(world: World) {
    let watching = world.start(world.config(Duration::from_millis(200)));
    world.source.withdraw("evil").await;
    watching.until_at(1).await;
    world.source.store.lock().head = 0;
    watching.until("out of use", |view| view.fault().is_some()).await;
    let wanted = ViewFault::LowerHead { ours: Position::new(1), theirs: Position::ZERO };
    assert_eq!(watching.view.fault(), Some(wanted));
    assert_eq!(watching.view.check(&[]).unwrap_err().reason.code, "standing.other-history");
}

pub(crate) async fn no_room_fails_closed(world: World) {
    let watching = world.start(ViewConfig { capacity: 2, ..world.config(HOUR) });
    watching.until_fresh().await;
    for name in ["a", "b"] {
        world.source.withdraw(name).await;
    }
    watching.until_at(2).await;
    world.source.restore("a").await;
    world.source.withdraw("c").await;
    watching.until_at(4).await;
    assert!(watching.view.check(&[tenant("good")]).is_ok(), "room that was given back is used");
    world.source.withdraw("d").await;
    watching.until("full", |view| view.fault().is_some()).await;
    assert_eq!(watching.view.check(&[tenant("good")]).unwrap_err().reason.code, "standing.full");
}

pub(crate) async fn a_restored_subject_is_good_again_and_a_withdrawn_one_says_why(world: World) {
    let watching = world.start(ViewConfig { reasons: vec![&TENANT_DISABLED], ..world.config(HOUR) });
    watching.until_fresh().await;
    let disabled = [(tenant("evil"), false, Some("tenant.disabled")), (tenant("other"), false, Some("lost on a train"))];
    world.source.publish(&world.source.commit(&disabled)).await;
    watching.until_at(2).await;
    let known = watching.view.check(&[tenant("good"), tenant("evil")]).unwrap_err();
    assert_eq!((known.reason.code, known.reason.status), ("tenant.disabled", 403));
    let unknown = watching.view.check(&[tenant("other")]).unwrap_err();
    assert_eq!(unknown.reason.code, "standing.withdrawn");
    assert_eq!(unknown.detail, "tenant/other since position 2: lost on a train");
    world.source.restore("evil").await;
    watching.until_at(3).await;
    assert!(watching.view.check(&[tenant("evil")]).is_ok());
    assert_eq!(watching.view.withdrawn(&tenant("evil")), None);
}
