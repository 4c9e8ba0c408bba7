//! What only a real server can do to a view: go away and come back.

use std::time::Duration;

use crate::source::tenant;
use crate::world::World;

#[tokio::test]
async fn after_a_reconnect_a_view_asks_at_once() {
    let world = World::nats().await;
    let watching = world.watching().await;
    let server = world.server.as_ref().unwrap();
    server.kill().unwrap();
    // Committed while nobody can be told.
    world.source.commit(&[(tenant("evil"), false, None)]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.resume().unwrap();
    // The interval is an hour: only the reconnect can have made it ask.
    watching.until_at(1).await;
    assert!(watching.view.check(&[tenant("evil")]).is_err());
    assert!(watching.view.check(&[tenant("good")]).is_ok());
}

#[tokio::test]
async fn a_view_started_before_the_worker_is_fresh_soon_after_it() {
    let server = signet_testkit::TestNats::private("");
    let world = World::on(server).await;
    let watching = world.start(world.config(Duration::from_secs(3_600)));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(watching.view.check(&[]).is_err());
    world.source.serve().await;
    watching.until_fresh().await;
}
