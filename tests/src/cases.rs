//! The one list of cases, and the cases themselves.
//!
//! A case that is not in the list is not run: the lint for dead code does not see that, so add the
//! line first.

#![allow(missing_docs, reason = "the names of cases are sentences")]

pub mod broadcasting;
pub mod routing;

/// The cases that need no other process.
#[doc(hidden)]
#[macro_export]
macro_rules! cases_in_one_process {
    ($($then:tt)+) => {
        $($then)+! {
            mod broadcasting {
                an_event_reaches_every_subscriber_and_oneself,
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
