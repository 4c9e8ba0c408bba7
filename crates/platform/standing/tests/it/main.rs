//! Views on a real bus of both kinds, against a source of our own and a foreign publisher.

mod attacks;
mod behaviour;
mod nats;
mod source;
mod world;

use std::time::Duration;

/// Long enough for a slow machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(30);

macro_rules! on_both_back_ends {
    ($($module:ident: $($name:ident),+ $(,)?;)+) => {
        mod in_one_process {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { crate::$module::$name(crate::world::World::in_process().await).await; })+)+
        }
        mod over_nats {
            $($(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() { crate::$module::$name(crate::world::World::nats().await).await; })+)+
        }
    };
}

on_both_back_ends!(
    attacks:
        a_forged_signature_restores_nothing,
        a_forged_answer_restores_nothing,
        a_signature_for_another_purpose_restores_nothing,
        a_replayed_old_batch_restores_nothing,
        reordered_batches_restore_nothing,
        a_stale_answer_with_an_old_nonce_renews_nothing,
        a_replayed_nothing_new_renews_nothing,
        an_unsigned_message_restores_nothing,
        a_batch_of_another_history_restores_nothing,
        a_huge_message_restores_nothing,
        a_message_that_is_no_text_restores_nothing;
    behaviour:
        a_new_view_is_stale_until_its_first_answer,
        a_live_batch_is_applied_and_told_to_caches,
        a_view_without_answers_grows_stale_although_batches_arrive,
        a_view_that_was_cut_off_converges_at_the_next_question,
        a_gap_is_asked_about_at_once,
        a_long_answer_is_read_page_by_page,
        one_question_at_a_time,
        an_answer_from_a_restored_backup_puts_the_view_out_of_use,
        a_lower_head_puts_the_view_out_of_use,
        no_room_fails_closed,
        a_restored_subject_is_good_again_and_a_withdrawn_one_says_why;
);
