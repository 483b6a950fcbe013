//! The one list of cases, and the cases themselves.
//!
//! A case that is not in the list is not run: the lint for dead code does not see that, so add the
//! line first.

#![allow(missing_docs, reason = "the names of cases are sentences")]

pub mod broadcasting;
mod common;
pub mod consuming;
pub mod routing;
pub mod streaming;

/// The cases that need no other process.
#[doc(hidden)]
#[macro_export]
macro_rules! cases_in_one_process {
    ($($then:tt)+) => {
        $($then)+! {
            mod broadcasting {
                an_event_reaches_every_subscriber_and_oneself,
                an_event_to_one_endpoint_reaches_it_alone,
                an_event_to_a_group_reaches_its_members_alone,
                an_event_to_oneself_reaches_nobody_else,
                an_internal_event_stays_inside,
                an_event_that_nobody_wants_is_handed_back,
                an_event_that_nobody_wants_is_no_error_where_that_is_allowed,
                a_subscription_does_not_match_other_types,
                an_event_can_go_back_to_whoever_sent_another,
                an_event_that_is_too_large_is_handed_back_and_nobody_has_it,
                an_event_of_megabytes_arrives_as_it_was_sent,
            }
            mod consuming {
                a_handler_is_called_with_each_event_in_order,
                a_handler_that_waits_is_called_for_one_event_at_a_time,
                a_panic_in_a_handler_costs_its_event_alone,
                a_handler_that_is_unsubscribed_is_called_no_more,
                a_subscription_that_is_dropped_ends,
                a_subscription_that_is_detached_lives_as_long_as_its_endpoint,
                each_subscription_of_a_type_gets_each_event,
                a_predicate_says_which_events_are_taken,
                a_subscription_to_certain_origins_is_unknown_to_all_others,
                a_handler_may_broadcast_and_subscribe,
            }
            mod streaming {
                a_stream_that_is_left_early_unsubscribes,
                a_stream_with_a_limit_ends_there,
                a_stream_that_is_cancelled_unsubscribes,
                streams_are_cancelled_with_what_waits_for_them,
                no_event_is_lost_with_a_future_that_waited_for_it,
                a_stream_begins_when_it_is_made,
                a_stream_ends_when_its_endpoint_is_closed,
                a_single_event_can_be_waited_for,
                waiting_for_a_single_event_that_is_given_up_unsubscribes,
                waiting_for_a_single_event_ends_when_the_endpoint_is_closed,
            }
        }
    };
}

/// The cases with child processes, which runs with two adapters make as well.
#[doc(hidden)]
#[macro_export]
macro_rules! cases_with_processes {
    ($($then:tt)+) => {
        $($then)+! {
            mod routing {
                an_event_to_one_endpoint_is_sent_to_it_alone,
                an_event_to_a_group_is_sent_to_its_members_alone,
                an_event_except_for_one_is_sent_to_all_others,
                an_internal_event_is_sent_to_nobody,
                nothing_is_sent_to_a_process_that_has_not_subscribed,
                nothing_is_sent_to_a_process_that_has_unsubscribed,
                a_subscription_to_one_origin_is_sent_nothing_by_others,
                children_send_past_their_parent,
            }
        }
    };
}
