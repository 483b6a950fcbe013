//! The one list of cases, and the cases themselves.
//!
//! A test of this file sees to it that each of them is in the list.

#![allow(missing_docs, reason = "the names of cases are sentences")]

pub mod broadcasting;
pub mod children_end;
pub mod closing;
mod common;
pub mod connecting;
pub mod consuming;
pub mod death;
pub mod endings;
pub mod flow;
pub mod lying;
pub mod order;
pub mod overflow;
pub mod paths;
pub mod platform;
pub mod refusing;
pub mod requests;
pub mod requests_end;
pub mod routing;
pub mod spawning;
pub mod spawning_fails;
pub mod strangers;
pub mod streaming;
pub mod waiting;
pub mod watching;

/// The cases that need no other process.
#[doc(hidden)]
#[macro_export]
macro_rules! cases_in_one_process {
    ($($then:tt)+) => {
        $($then)+! {
            mod platform {
                a_sleep_is_not_over_before_its_time,
                a_sleep_may_be_longer_than_there_is_time,
                waking_a_task_does_not_run_it_on_the_spot,
                an_accept_that_is_given_up_loses_nobody,
                closing_a_stream_sends_what_it_took_and_ends_one_direction,
                the_status_of_a_process_may_be_given_up_and_asked_for_again,
                the_end_of_a_processs_input_is_that_of_the_other_end,
                a_process_can_be_killed,
                a_process_prints_where_this_one_does,
            }
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
                thousands_of_panics_cost_nobody_else_anything,
                a_handler_that_is_unsubscribed_is_called_no_more,
                a_subscription_that_is_dropped_ends,
                a_subscription_that_is_detached_lives_as_long_as_its_endpoint,
                each_subscription_of_a_type_gets_each_event,
                a_predicate_says_which_events_are_taken,
                a_subscription_to_certain_origins_is_unknown_to_all_others,
                a_handler_may_broadcast_and_subscribe,
                room_comes_back_as_long_as_the_consumer_keeps_up,
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
            mod watching {
                a_handler_shows_to_others_and_to_oneself,
                a_stream_shows_to_others_and_to_oneself,
                the_last_of_several_subscriptions_ends_what_others_see,
                any_is_one_endpoint_or_oneself,
                all_is_every_other_endpoint_of_which_there_is_one,
                what_a_peer_had_subscribed_to_is_known_once_it_is_connected,
                a_server_sees_what_its_clients_want_without_connecting_back,
                what_changes_is_told_to_whoever_asked_before,
                both_ends_count_what_went_between_them,
            }
            mod waiting {
                one_can_wait_until_anybody_has_subscribed,
                one_can_wait_until_all_have_subscribed,
                one_can_wait_until_one_endpoint_has_subscribed,
                one_can_wait_for_a_subscription_of_ones_own,
                one_can_wait_for_the_subscription_of_an_endpoint_to_come,
                one_can_wait_until_an_endpoint_is_connected,
                a_wait_that_is_given_up_leaves_others_waiting,
                a_subscription_is_ready_when_every_peer_knows_of_it,
                no_event_is_missed_that_is_broadcast_once_a_subscription_is_ready,
                a_subscription_of_nobodys_peer_is_ready_at_once,
                a_peer_that_goes_is_not_waited_for,
                a_closed_endpoint_is_told_to_all_who_wait_for_that,
            }
            mod connecting {
                connecting_to_oneself_is_refused,
                connecting_twice_is_refused_and_the_first_connection_stays,
                two_peers_of_one_name_are_one_too_many,
                a_server_that_stops_keeps_its_peers_and_frees_its_path,
                endpoints_of_a_bus_are_connected_each_to_each,
                whoever_joins_at_the_same_time_is_connected_too,
                a_name_is_free_once_its_endpoint_is_gone,
                whoever_leaves_with_an_error_leaves_nothing_behind,
                a_connection_of_whatever_kind_is_as_good,
                those_who_open_a_bus_by_its_name_meet,
            }
            mod closing {
                closing_delivers_what_was_accepted_and_the_end_comes_last,
                closing_goes_on_though_nobody_waits_for_it,
                what_does_not_leave_in_time_is_counted,
                dropping_the_last_handle_closes_at_once,
                a_closed_endpoint_refuses_everything,
                closing_ends_what_waits,
                the_others_go_on_when_one_closes,
            }
            mod order {
                events_come_in_the_order_of_the_calls_and_once_each,
                small_events_do_not_overtake_large_ones,
                a_small_event_does_not_wait_for_a_large_one_that_is_under_way,
                each_of_several_senders_is_heard_in_its_own_order,
                broadcasts_with_and_without_waiting_keep_their_order,
                a_request_comes_behind_the_events_before_it,
                an_event_behind_a_request_comes_behind_it,
                events_of_one_type_do_not_overtake_those_of_another,
                a_response_comes_behind_the_events_before_it,
            }
            mod overflow {
                where_nothing_is_lost_the_producer_waits,
                a_producer_that_waits_holds_up_nobody_else,
                a_producer_that_gives_up_waiting_has_reached_those_with_room,
                the_oldest_make_way_where_that_is_wanted,
                the_newest_find_no_place_where_that_is_wanted,
                the_latest_alone_is_kept_where_that_is_wanted,
                a_subscription_that_loses_events_costs_another_none,
                ones_own_events_wait_for_a_place_in_the_queue,
                ones_own_events_are_lost_where_that_is_wanted,
                a_consumer_that_stalls_is_left_behind_and_told,
                what_a_handler_has_lost_is_counted,
            }
            mod requests {
                a_request_is_answered_by_a_handler,
                a_request_is_answered_by_a_broadcast,
                an_answer_must_be_of_the_type_that_is_asked_for,
                a_request_to_one_endpoint_is_answered_by_it_alone,
                a_request_to_a_group_is_answered_by_a_member,
                a_request_to_oneself_is_answered,
                the_first_of_several_answers_counts,
                answers_find_their_requests_in_whatever_order_they_come,
                an_answer_that_takes_long_holds_up_no_other,
                a_handler_may_ask_the_very_peer_that_asks_it,
                requests_nest_in_both_directions_while_both_are_flooded,
                a_request_that_is_broadcast_wants_no_answer,
                a_request_is_seen_by_every_subscription_and_answered_once,
            }
            mod requests_end {
                a_request_that_nobody_answers_is_handed_back,
                a_request_ends_when_its_time_is_up,
                a_request_takes_no_longer_than_its_endpoint_allows,
                a_request_that_is_dropped_where_it_was_received_is_unanswered,
                a_request_to_oneself_that_is_dropped_is_unanswered,
                a_subscription_that_ends_gives_up_the_requests_in_its_queue,
                the_last_of_those_asked_decides,
                a_request_fails_when_the_last_of_those_asked_is_gone,
                a_request_ends_when_its_endpoint_is_closed,
                a_request_that_is_cancelled_is_forgotten_at_both_ends,
                a_request_that_nobody_awaits_is_not_sent,
                a_request_beyond_the_limit_waits_for_its_place,
                a_request_that_is_too_large_is_handed_back,
            }
            mod endings {
                what_a_peer_sent_arrives_though_it_left_something_unread,
                what_comes_in_one_piece_with_a_goodbye_arrives_before_the_end,
                an_endpoint_is_connected_though_the_end_of_its_former_life_is_seen_late,
            }
            mod paths {
                a_server_and_its_client_talk,
                connecting_waits_for_the_server,
                nothing_counts_as_sent_to_a_listener_that_dies_before_it_accepts,
                connecting_gives_up_when_its_time_is_up,
                two_hundred_connect_at_once,
                a_dropped_server_stops_accepting_and_keeps_its_peers,
                a_stale_socket_is_replaced,
                a_live_socket_is_in_use,
                a_path_that_is_too_long_is_an_error_with_its_length,
                a_path_in_no_directory_is_an_error,
                a_taken_name_and_a_second_connection_are_refused,
                mute_peers_do_not_keep_a_good_one_out,
                a_detached_server_accepts_until_its_endpoint_is_closed,
                connecting_that_is_given_up_leaves_its_endpoint_free,
            }
            mod refusing {
                a_bad_name_is_an_error_that_says_which_rule_it_breaks,
                a_bad_bus_name_is_an_error_that_says_so,
                a_directory_that_is_not_safe_is_refused,
                a_socket_in_a_directory_that_is_not_safe_is_refused,
                a_socket_path_that_is_too_long_is_an_error_before_anything_is_touched,
            }
            mod lying {
                an_answer_of_the_wrong_type_is_refused_where_it_is_given,
                a_response_of_the_wrong_type_is_refused_where_it_arrives,
                a_response_of_somebody_who_was_not_asked_counts_for_nothing,
                frames_that_lie_cost_their_connection_alone,
                a_peer_that_says_nothing_is_disconnected_when_its_time_is_up,
                lies_after_the_handshake_cost_their_connection_alone,
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
            mod spawning {
                a_child_has_joined_when_spawn_is_done,
                parent_and_children_broadcast_stream_request_and_answer,
                a_child_is_in_the_groups_given_at_spawn,
                the_standard_input_of_a_child_is_null_once_it_has_joined,
                the_standard_output_and_error_of_a_child_are_the_users,
                what_a_child_starts_inherits_nothing_of_the_bus,
            }
            mod spawning_fails {
                a_program_that_is_missing_or_not_executable_is_an_error_of_running_it,
                a_child_that_exits_before_it_has_joined_is_an_error_with_its_status,
                a_child_that_never_joins_is_killed_when_its_time_is_up,
                a_child_that_closes_its_standard_input_has_not_taken_its_endpoint,
                a_child_that_gives_up_has_not_taken_its_endpoint,
                a_child_that_cannot_be_waited_for_is_an_error_of_the_link,
                a_child_whose_name_is_taken_says_so_and_ends,
                a_bad_name_starts_no_process,
                a_spawn_that_is_given_up_leaves_no_process,
            }
            mod children_end {
                a_child_that_leaves_when_asked_is_reaped,
                a_child_that_is_terminated_tells_the_signal,
                a_child_that_ignores_everything_is_killed_in_the_end,
                a_killed_child_tells_the_signal_and_its_name_is_free,
                a_dropped_child_ends,
                a_shutdown_that_is_given_up_drops_the_child,
                descriptors_tasks_and_children_are_back_at_the_baseline_after_50_cycles,
            }
            mod death {
                a_killed_process_is_seen_by_all_others,
                requests_in_flight_fail_when_their_answerer_is_killed,
                what_a_process_sent_before_it_was_killed_arrives_before_its_end_is_seen,
                the_children_of_a_killed_process_end_and_its_bus_is_removed,
                a_child_that_outlives_its_parent_goes_on,
                a_bus_is_removed_with_the_last_process_on_it,
                a_process_that_is_killed_again_and_again_comes_back,
                a_stopped_process_delays_nobody_but_itself,
            }
            mod flow {
                a_producer_waits_with_a_window_in_memory_and_nothing_else_does,
                other_consumers_get_what_one_of_them_holds_up,
                a_broadcast_that_was_given_up_leaves_the_rest_in_order,
                a_stopped_process_is_left_behind_and_told_what_it_missed,
            }
            mod strangers {
                a_name_that_is_taken_here_or_elsewhere_is_free_after_a_kill,
                a_process_that_nobody_spawned_is_told_so,
                a_foreign_socket_as_standard_input_is_no_parent,
                connecting_to_the_parent_twice_is_an_error,
                a_handler_that_panics_costs_its_event_alone,
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn every_case_is_in_the_list() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let list = fs::read_to_string(source.join("cases.rs")).unwrap();
        let mut count = 0;
        for group in fs::read_dir(source.join("cases")).unwrap() {
            let group = group.unwrap().path();
            let name = group.file_stem().unwrap().to_str().unwrap();
            // From the module's opening brace to its closing one.
            let listed = list.split_once(&format!("mod {name} {{"));
            let listed = listed.and_then(|(_, rest)| rest.split_once('}')).map_or("", |l| l.0);
            let listed: Vec<_> = listed.split(',').map(str::trim).collect();
            let cases = fs::read_to_string(&group).unwrap();
            for line in cases.lines().filter_map(|line| line.strip_prefix("pub async fn ")) {
                let (case, _) = line.split_once('<').expect("a case is generic");
                assert!(listed.contains(&case), "{name}::{case} is not in the list");
                count += 1;
            }
        }
        assert!(count > 0, "there are no cases");
    }
}
