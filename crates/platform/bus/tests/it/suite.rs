//! What both back ends promise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use signet_bus::{BusError, NO_RESPONDERS, OutMessage};

use crate::{PATIENCE, World, next, settled, until};

pub(crate) async fn a_message_reaches_every_subscription_that_matches(world: World) {
    let mut heard = Vec::new();
    for pattern in ["a.b", "a.*", "*.b", ">", "a.>"] {
        heard.push(world.bus.subscribe(&world.pattern(pattern), None, 8).await.unwrap());
    }
    let mut deaf = world.bus.subscribe(&world.pattern("a.b.c"), None, 8).await.unwrap();
    settled(&world.bus).await;
    world.other.publish(&world.subject("a.b"), Some(&world.subject("reply")), "hello").await.unwrap();
    for subscription in &mut heard {
        let message = next(subscription).await;
        assert_eq!(message.subject, world.subject("a.b"));
        assert_eq!(message.reply, Some(world.subject("reply")));
        assert_eq!((&message.payload[..], message.status), (&b"hello"[..], None));
    }
    settled(&world.bus).await;
    assert_eq!(deaf.try_next(), None);
}

pub(crate) async fn messages_of_one_publisher_keep_their_order(world: World) {
    let mut events = world.bus.subscribe(&world.pattern("*"), None, 2_000).await.unwrap();
    settled(&world.bus).await;
    for number in 0..1_000_u32 {
        let subject = world.subject(if number % 2 == 0 { "even" } else { "odd" });
        world.other.publish(&subject, None, number.to_be_bytes().to_vec()).await.unwrap();
    }
    for number in 0..1_000_u32 {
        assert_eq!(next(&mut events).await.payload[..], number.to_be_bytes());
    }
    assert_eq!(events.lost(), 0);
}

pub(crate) async fn one_member_of_each_queue_group_gets_each_message(world: World) {
    const MESSAGES: usize = 600;
    let mut members = Vec::new();
    for (group, pattern) in [("blue", "job"), ("blue", "job"), ("blue", "*"), ("red", "job"), ("red", "job")] {
        members.push((group, world.bus.subscribe(&world.pattern(pattern), Some(group), MESSAGES).await.unwrap()));
    }
    let mut everyone = world.bus.subscribe(&world.pattern("job"), None, MESSAGES).await.unwrap();
    settled(&world.bus).await;
    for _ in 0..MESSAGES {
        world.other.publish(&world.subject("job"), None, Bytes::new()).await.unwrap();
    }
    for _ in 0..MESSAGES {
        next(&mut everyone).await;
    }
    let mut counts = vec![0_usize; members.len()];
    until("every group has every message", || {
        for (count, (_, member)) in counts.iter_mut().zip(&mut members) {
            while member.try_next().is_some() {
                *count += 1;
            }
        }
        counts.iter().sum::<usize>() >= 2 * MESSAGES
    })
    .await;
    settled(&world.bus).await;
    for group in ["blue", "red"] {
        let of_group: Vec<usize> = counts.iter().zip(&members).filter(|(_, (name, _))| *name == group).map(|(n, _)| *n).collect();
        assert_eq!(of_group.iter().sum::<usize>(), MESSAGES, "{group}: {of_group:?}");
        let fair = MESSAGES / of_group.len();
        assert!(of_group.iter().all(|count| *count > fair / 2), "{group}: {of_group:?}");
    }
    assert!(members.iter_mut().all(|(_, member)| member.try_next().is_none()));
}

/// Answers each request with its own payload, twice, until the bus ends.
async fn echo_service(world: &World, subject: &str) -> tokio::task::JoinHandle<()> {
    let mut requests = world.other.subscribe(&world.pattern(subject), Some("echo"), 1_024).await.unwrap();
    settled(&world.other).await;
    let bus = world.other.clone();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let reply = request.reply.expect("a request has a reply subject");
            for _ in 0..2 {
                bus.publish(&reply, None, request.payload.clone()).await.unwrap();
            }
        }
    })
}

pub(crate) async fn each_request_gets_its_own_answer(world: World) {
    let service = echo_service(&world, "echo").await;
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..300_u32 {
        let (bus, subject) = (world.bus.clone(), world.subject("echo"));
        asked.spawn(async move {
            let answer = bus.request(&subject, number.to_be_bytes().to_vec(), PATIENCE).await.unwrap();
            assert_eq!(answer.payload[..], number.to_be_bytes());
        });
    }
    while let Some(done) = asked.join_next().await {
        done.unwrap();
    }
    service.abort();
}

pub(crate) async fn a_request_that_nobody_hears_fails_at_once(world: World) {
    let answer = world.bus.request(&world.subject("nobody"), "x", Duration::from_secs(600)).await;
    assert_eq!(answer, Err(BusError::NoResponders));
}

pub(crate) async fn a_request_without_an_answer_times_out_and_a_late_one_is_ignored(world: World) {
    let mut requests = world.other.subscribe(&world.pattern("slow"), None, 8).await.unwrap();
    settled(&world.other).await;
    let answer = world.bus.request(&world.subject("slow"), "1", Duration::from_millis(50)).await;
    assert_eq!(answer, Err(BusError::Timeout));
    let late = next(&mut requests).await.reply.unwrap();
    let asking = tokio::spawn({
        let (bus, subject) = (world.bus.clone(), world.subject("slow"));
        async move { bus.request(&subject, "2", PATIENCE).await }
    });
    let second = next(&mut requests).await;
    world.other.publish(&late, None, "too late").await.unwrap();
    world.other.publish(&second.reply.unwrap(), None, "in time").await.unwrap();
    assert_eq!(&asking.await.unwrap().unwrap().payload[..], b"in time");
}

pub(crate) async fn a_wrong_answer_does_not_stand_in_the_way_of_the_right_one(world: World) {
    let mut requests = world.other.subscribe(&world.pattern("many"), None, 8).await.unwrap();
    settled(&world.other).await;
    let asking = tokio::spawn({
        let (bus, subject) = (world.bus.clone(), world.subject("many"));
        async move { bus.request_until(&subject, "?", PATIENCE, |m| (&m.payload[..] == b"right").then_some(42)).await }
    });
    let reply = next(&mut requests).await.reply.unwrap();
    for answer in ["wrong", "", "right", "late"] {
        world.other.publish(&reply, None, answer).await.unwrap();
    }
    assert_eq!(asking.await.unwrap(), Ok(42));
}

pub(crate) async fn nobody_listening_is_a_status_message_on_the_reply_subject(world: World) {
    let mut replies = world.bus.subscribe(&world.pattern("replica.basic-response"), None, 8).await.unwrap();
    settled(&world.bus).await;
    world.bus.publish(&world.subject("absent"), Some(&world.subject("replica.basic-response")), "request").await.unwrap();
    let message = next(&mut replies).await;
    assert_eq!((message.status, message.payload.len(), message.reply), (Some(NO_RESPONDERS), 0, None));
}

pub(crate) async fn a_full_queue_loses_what_does_not_fit_and_counts_it(world: World) {
    let mut slow = world.bus.subscribe(&world.pattern("event"), None, 4).await.unwrap();
    let mut quick = world.bus.subscribe(&world.pattern("event"), None, 200).await.unwrap();
    settled(&world.bus).await;
    for number in 0..100_u8 {
        world.other.publish(&world.subject("event"), None, vec![number]).await.unwrap();
    }
    for number in 0..100_u8 {
        assert_eq!(next(&mut quick).await.payload[..], [number], "a slow neighbour must not matter");
    }
    until("96 of 100 are lost", || slow.lost() == 96).await;
    for number in 0..4_u8 {
        assert_eq!(next(&mut slow).await.payload[..], [number]);
    }
    assert_eq!(slow.try_next(), None);
    assert_eq!((quick.lost(), world.bus.counters().lost), (0, 96));
    world.other.publish(&world.subject("event"), None, vec![200]).await.unwrap();
    assert_eq!(next(&mut slow).await.payload[..], [200], "it goes on after the loss");
}

pub(crate) async fn a_payload_over_the_limit_is_refused_before_it_is_sent(world: World) {
    let mut large = world.bus.subscribe(&world.pattern("large"), None, 8).await.unwrap();
    settled(&world.bus).await;
    let limit = 1 << 20;
    let refused = world.other.publish(&world.subject("large"), None, vec![0; limit + 1]).await;
    assert_eq!(refused, Err(BusError::TooLarge { size: limit + 1, limit }));
    let batch = vec![OutMessage::new(world.subject("large"), vec![0; limit + 1])];
    assert!(matches!(world.other.publish_confirmed(batch, PATIENCE).await, Err(BusError::TooLarge { .. })));
    world.other.publish(&world.subject("large"), None, vec![7; limit]).await.unwrap();
    assert_eq!(next(&mut large).await.payload.len(), limit);
}

pub(crate) async fn a_dropped_subscription_is_gone(world: World) {
    let service = echo_service(&world, "echo").await;
    world.bus.request(&world.subject("echo"), "x", PATIENCE).await.unwrap();
    service.abort();
    service.await.unwrap_err();
    let gone = Arc::new(AtomicUsize::new(0));
    while world.bus.request(&world.subject("echo"), "x", Duration::from_millis(200)).await != Err(BusError::NoResponders) {
        assert!(gone.fetch_add(1, Ordering::Relaxed) < 100, "still subscribed");
    }
}

pub(crate) async fn a_confirmed_batch_was_read_by_the_bus(world: World) {
    let mut events = world.bus.subscribe(&world.pattern("*"), None, 1_000).await.unwrap();
    settled(&world.bus).await;
    for round in 0..3_u8 {
        let batch = (0..100_u8).map(|n| OutMessage::new(world.subject(&format!("e{}", n % 7)), vec![round, n])).collect();
        world.other.publish_confirmed(batch, PATIENCE).await.unwrap();
    }
    for round in 0..3_u8 {
        for number in 0..100_u8 {
            assert_eq!(next(&mut events).await.payload[..], [round, number]);
        }
    }
    assert_eq!(world.other.publish_confirmed(Vec::new(), PATIENCE).await, Ok(()));
}

pub(crate) async fn a_drained_bus_ends_its_subscriptions_and_refuses_the_rest(world: World) {
    let mut events = world.bus.subscribe(&world.pattern("event"), None, 8).await.unwrap();
    settled(&world.bus).await;
    world.bus.publish_confirmed(vec![OutMessage::new(world.subject("event"), "last")], PATIENCE).await.unwrap();
    world.bus.drain().await;
    assert_eq!(&next(&mut events).await.payload[..], b"last", "what had arrived is still there");
    assert_eq!(tokio::time::timeout(PATIENCE, events.next()).await.unwrap(), None);
    assert_eq!(world.bus.publish(&world.subject("event"), None, "x").await, Err(BusError::Closed));
    assert_eq!(world.bus.subscribe(&world.pattern("event"), None, 8).await.err(), Some(BusError::Closed));
    assert!(world.bus.request(&world.subject("event"), "x", PATIENCE).await.is_err());
    assert!(world.bus.publish_confirmed(Vec::new(), PATIENCE).await.is_err());
}

pub(crate) async fn odd_queue_groups_are_refused(world: World) {
    for group in ["", "a b", "a.b", "*", ">", "a\r\n"] {
        assert!(matches!(world.bus.subscribe(&world.pattern("x"), Some(group), 1).await, Err(BusError::Subject(_))), "{group:?}");
    }
}
