//! Whoever can publish on the bus can restore nothing and make no view look fresh. Each test besieges a view in which
//! `evil` is withdrawn, and which nobody answers, by one kind of message from a foreign client.

use std::time::Duration;

use signet_model::{AfterAnswer, FeedBatch, Lineage, Position, SignedMessage, StandingChange, Timestamp};
use signet_standing::Cause;

use crate::source::{Signer, tenant};
use crate::world::World;

/// What every attacker wants to be believed: `evil` is good at position 3.
fn wish() -> FeedBatch {
    FeedBatch {
        lineage: Lineage("ours".to_owned()),
        term: 1,
        from: Position::new(2),
        to: Position::new(3),
        time: Timestamp::EPOCH,
        changes: vec![StandingChange { position: Position::new(3), subject: tenant("evil"), good: true, reason: None }],
    }
}

fn wish_as_answer(nonce: String) -> AfterAnswer {
    let FeedBatch { lineage, from, to, time, changes, .. } = wish();
    AfterAnswer { lineage, nonce, after: from, to, head: to, time, changes }
}

pub(crate) async fn a_forged_signature_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let honest = world.source.signed(&wish());
    let forged = Signer::new(66).sign(FeedBatch::PURPOSE, &wish());
    let mut altered = SignedMessage::decode(&honest).unwrap();
    altered.payload = altered.payload.replace("\"term\":1", "\"term\":2");
    let mut cut = SignedMessage::decode(&honest).unwrap();
    cut.signature.truncate(63);
    let empty = SignedMessage { signature: Vec::new(), ..cut.clone() };
    for (count, message) in (1..).zip([forged, altered.encode(), cut.encode(), empty.encode()]) {
        world.foreigner.feed(message).await;
        besieged.until_refused(Cause::Signature, count).await;
        besieged.unmoved();
    }
    // The same message with its true signature is believed: the test would notice if nothing ever were.
    world.foreigner.feed(honest).await;
    besieged.until_at(3).await;
    assert!(besieged.view.check(&[tenant("evil")]).is_ok());
}

pub(crate) async fn a_forged_answer_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let mut ear = world.foreigner.ear().await;
    // The view asks; the source is silent, the foreigner is not.
    provoke(&world).await;
    let question = ear.question().await;
    let forged = Signer::new(66).sign(AfterAnswer::PURPOSE, &wish_as_answer(question.request.nonce.clone()));
    world.foreigner.publish(&question.reply, forged).await;
    besieged.until_refused(Cause::Signature, 1).await;
    besieged.unmoved();
    // The wrong answer did not close the question: the right one is still taken.
    let honest = world.source.signer.sign(AfterAnswer::PURPOSE, &wish_as_answer(question.request.nonce));
    world.foreigner.publish(&question.reply, honest).await;
    besieged.until_at(3).await;
}

pub(crate) async fn a_signature_for_another_purpose_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let purposes = [AfterAnswer::PURPOSE, "", "signet.v1", "signet.v1.feed\0", "signet.log/ours"];
    for (count, purpose) in (1..).zip(purposes) {
        world.foreigner.feed(world.source.signer.sign(purpose, &wish())).await;
        besieged.until_refused(Cause::Signature, count).await;
        besieged.unmoved();
    }
}

pub(crate) async fn a_replayed_old_batch_restores_nothing(world: World) {
    let watching = world.watching().await;
    let good = world.source.commit(&[(tenant("evil"), true, None)]);
    let bad = world.source.commit(&[(tenant("evil"), false, None)]);
    world.source.publish(&good).await;
    world.source.publish(&bad).await;
    watching.until_at(2).await;
    world.source.answering(false);
    world.clock.advance(Duration::from_secs(10));
    for _ in 0..3 {
        world.foreigner.feed(world.source.signed(&good)).await;
        world.foreigner.feed(world.source.signed(&bad)).await;
        world.foreigner.feed(world.source.signed(&good)).await;
    }
    // Something that is counted comes last, so that the replays are known to have been looked at.
    world.foreigner.feed(b"the end".to_vec()).await;
    watching.until_refused(Cause::Malformed, 1).await;
    watching.unmoved();
}

pub(crate) async fn reordered_batches_restore_nothing(world: World) {
    let besieged = world.besieged_asking_every(Duration::from_millis(500)).await;
    let first = world.source.commit(&[(tenant("evil"), true, None)]);
    let second = world.source.commit(&[(tenant("evil"), false, None), (tenant("other"), true, None)]);
    world.foreigner.feed(world.source.signed(&second)).await;
    besieged.until("the gap", |view| view.gaps() == 1).await;
    besieged.unmoved();
    // The earlier one, when it comes, is the truth of its position; what follows is known to be missing.
    world.foreigner.feed(world.source.signed(&first)).await;
    besieged.until_at(3).await;
    world.source.answering(true);
    besieged.until_at(5).await;
    assert!(besieged.view.check(&[tenant("evil")]).is_err());
}

/// Makes a view ask, by a batch from the future that is signed as it must be.
async fn provoke(world: &World) {
    let future = FeedBatch { from: Position::new(90), to: Position::new(91), changes: Vec::new(), ..wish() };
    world.foreigner.feed(world.source.signed(&future)).await;
}

pub(crate) async fn a_stale_answer_with_an_old_nonce_renews_nothing(world: World) {
    let mut ear = world.foreigner.ear().await;
    world.source.restore("evil").await;
    let watching = world.watching().await;
    // A true answer, signed for a question that this very view asked: "evil is good, and that is all there is".
    let kept = world.source.answer(&ear.question().await.request);
    world.source.withdraw("evil").await;
    watching.until_at(2).await;
    world.source.answering(false);
    world.clock.advance(Duration::from_secs(10));
    provoke(&world).await;
    let question = ear.question().await;
    for count in 1..=3 {
        world.foreigner.publish(&question.reply, kept.clone()).await;
        watching.until_refused(Cause::Nonce, count).await;
        watching.unmoved();
    }
    // Nor does it help to put the new nonce into the old answer, or to send an answer where batches go.
    let mut renewed = SignedMessage::decode(&kept).unwrap();
    let old = serde_json::from_str::<AfterAnswer>(&renewed.payload).unwrap().nonce;
    renewed.payload = renewed.payload.replace(&old, &question.request.nonce);
    world.foreigner.publish(&question.reply, renewed.encode()).await;
    world.foreigner.feed(kept).await;
    watching.until_refused(Cause::Signature, 2).await;
    watching.unmoved();
}

pub(crate) async fn a_replayed_nothing_new_renews_nothing(world: World) {
    let besieged = world.besieged().await;
    let mut ear = world.foreigner.ear().await;
    provoke(&world).await;
    let question = ear.question().await;
    // "Nothing came after 2", true and signed, but of another question: an earlier one, or another view's.
    let old = signet_model::AfterRequest { nonce: "0".repeat(32), after: Position::new(2), feed: None };
    let nothing_new = world.source.answer(&old);
    for count in 1..=3 {
        world.foreigner.publish(&question.reply, nothing_new.clone()).await;
        besieged.until_refused(Cause::Nonce, count).await;
        besieged.unmoved();
    }
    // An empty batch that is signed and follows on, sent again and again, says nothing about the present either.
    let empty = FeedBatch { from: Position::new(2), to: Position::new(2), changes: Vec::new(), ..wish() };
    for _ in 0..3 {
        world.foreigner.feed(world.source.signed(&empty)).await;
    }
    world.foreigner.feed(b"the end".to_vec()).await;
    besieged.until_refused(Cause::Malformed, 1).await;
    besieged.unmoved();
    // The one answer that was asked for does renew, once.
    world.foreigner.publish(&question.reply, world.source.answer(&question.request)).await;
    besieged.until("renewed", |view| view.age().unwrap() < Duration::from_secs(10)).await;
    world.clock.advance(Duration::from_secs(10));
    world.foreigner.publish(&question.reply, world.source.answer(&question.request)).await;
    world.foreigner.feed(b"the end".to_vec()).await;
    besieged.until_refused(Cause::Malformed, 2).await;
    besieged.unmoved();
}

pub(crate) async fn an_unsigned_message_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let mut ear = world.foreigner.ear().await;
    let bare = serde_json::to_string(&wish()).unwrap();
    let messages = [
        bare.clone(),
        format!("{{\"payload\":{}}}", serde_json::to_string(&bare).unwrap()),
        format!("{{\"payload\":{},\"signature\":null}}", serde_json::to_string(&bare).unwrap()),
        format!("{{\"payload\":{bare},\"signature\":\"\"}}"),
        String::new(),
        "null".to_owned(),
        "[".repeat(10_000),
    ];
    for (count, message) in (1..).zip(messages) {
        world.foreigner.feed(message.into_bytes()).await;
        besieged.until_refused(Cause::Malformed, count).await;
        besieged.unmoved();
    }
    provoke(&world).await;
    let question = ear.question().await;
    let answer = serde_json::to_vec(&wish_as_answer(question.request.nonce)).unwrap();
    world.foreigner.publish(&question.reply, answer).await;
    besieged.until_refused(Cause::Malformed, 8).await;
    besieged.unmoved();
    // A message signed with an empty signature is signed by nobody.
    world.foreigner.feed(SignedMessage { payload: bare, signature: Vec::new() }.encode()).await;
    besieged.until_refused(Cause::Signature, 1).await;
    besieged.unmoved();
}

pub(crate) async fn a_batch_of_another_history_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let foreign = FeedBatch { lineage: Lineage("theirs".to_owned()), term: 99, ..wish() };
    world.foreigner.feed(world.source.signed(&foreign)).await;
    besieged.until_refused(Cause::Lineage, 1).await;
    besieged.unmoved();
    // Neither did it put the view out of use, nor its term in the way of the true leader's.
    world.foreigner.feed(world.source.signed(&wish())).await;
    besieged.until_at(3).await;
    // A leader that was replaced is not listened to.
    let next = |term| FeedBatch { term, from: Position::new(3), to: Position::new(4), changes: Vec::new(), ..wish() };
    world.foreigner.feed(world.source.signed(&next(5))).await;
    besieged.until_at(4).await;
    let replaced = FeedBatch { term: 4, from: Position::new(4), to: Position::new(5), changes: Vec::new(), ..wish() };
    world.foreigner.feed(world.source.signed(&replaced)).await;
    besieged.until_refused(Cause::Term, 1).await;
    besieged.until_at(4).await;
}

pub(crate) async fn a_huge_message_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let largest = SignedMessage::LONGEST;
    let mut padded = world.source.signed(&wish());
    padded.resize(largest - 1, b' ');
    padded.push(b'x');
    let mut messages = vec![padded, vec![b'{'; largest]];
    if world.server.is_some() {
        // Correctly signed and longer than a view looks at: white space is free in JSON.
        let mut long = world.source.signed(&wish());
        long.resize(largest + 1, b' ');
        messages.push(long);
    }
    for (count, message) in (1..).zip(messages) {
        world.foreigner.feed(message).await;
        besieged.until_refused(Cause::Malformed, count).await;
        besieged.unmoved();
    }
}

pub(crate) async fn a_message_that_is_no_text_restores_nothing(world: World) {
    let besieged = world.besieged().await;
    let mut ear = world.foreigner.ear().await;
    let mut broken = world.source.signed(&wish());
    let at = broken.iter().position(|byte| *byte == b't').unwrap();
    broken[at] = 0xff;
    for (count, message) in (1..).zip([broken.clone(), vec![0xc3, 0x28], vec![0; 64]]) {
        world.foreigner.feed(message).await;
        besieged.until_refused(Cause::Malformed, count).await;
        besieged.unmoved();
    }
    provoke(&world).await;
    let question = ear.question().await;
    world.foreigner.publish(&question.reply, broken).await;
    besieged.until_refused(Cause::Malformed, 4).await;
    besieged.unmoved();
}
