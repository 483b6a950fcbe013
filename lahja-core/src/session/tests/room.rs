//! Room for events: credit, backlog, stalls, and events that are left out.

use super::*;

#[test]
fn an_event_is_queued_while_there_is_credit_and_again_when_it_returns() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(slot, None, &[0; 200]), Push::Queued);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Full);
    pair.run();
    pair.sessions[1].push_credit(slot, charge(200));
    pair.run();
    assert_eq!(pair.sessions[0].push_event(slot, None, b"x"), Push::Queued);
}

#[test]
fn credit_of_one_topic_does_not_block_another_nor_a_response() {
    let mut pair = Pair::established(usize::MAX, &small());
    let first = pair.announce();
    let second = pair.announce();
    let question = pair.sessions[0].announce("request", 0).unwrap();
    pair.run();
    assert_eq!(pair.sessions[1].push_event(question, Some(1), b"?"), Push::Queued);
    pair.run();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(first, None, &[0; 200]), Push::Queued);
    assert_eq!(a.push_event(first, None, b"x"), Push::Full);
    assert_eq!(a.push_event(second, None, b"x"), Push::Queued);
    assert_eq!(a.push_response(1, 0, b"!"), Push::Queued);
}

#[test]
fn a_full_backlog_makes_events_and_responses_wait_but_not_control() {
    let mut limits = small();
    limits.window = 1_000;
    let mut pair = Pair::established(usize::MAX, &limits);
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(slot, None, &[0; 300]), Push::Queued);
    assert!(a.is_backlogged());
    assert_eq!(a.push_event(slot, None, b"x"), Push::Full);
    assert!(a.announce("t", 0).is_some());
    pair.run();
    assert_eq!(pair.sessions[0].push_event(slot, None, b"x"), Push::Queued);
}

#[test]
fn a_peer_stalled_by_the_backlog_alone_resumes_when_it_has_gone() {
    let mut limits = small();
    limits.window = 500;
    let start = Instant::now();
    let mut pair = Pair::established(usize::MAX, &limits);
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(slot, None, &[0; 300]), Push::Queued);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Full);
    a.wait_for_room(slot, start);
    assert_eq!(a.sweep(start + limits.stalled_after, limits.stalled_after), (None, true));
    assert_eq!(a.push_event(slot, None, b"x"), Push::Missed);
    pair.run();
    pair.sessions[0].resume();
    assert_eq!(pair.sessions[0].push_event(slot, None, b"y"), Push::Queued);
    pair.run();
    assert!(pair.log[1][2].starts_with("Lagged"), "{:?}", pair.log[1]);
    assert!(pair.log[1][3].starts_with("Event"), "{:?}", pair.log[1]);
}

#[test]
fn a_frame_longer_than_the_peer_takes_is_not_sent() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    let too_large = a.push_event(slot, None, &[0; 990]);
    assert_eq!(too_large, Push::TooLarge);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Queued);
}

#[test]
fn a_peer_that_defines_a_topic_otherwise_is_told_once_and_of_every_event() {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    assert!(!a.is_mismatched(slot));
    assert!(a.push_mismatched(slot));
    assert!(!a.push_mismatched(slot));
    assert!(a.is_mismatched(slot));
    pair.run();
    let told = &pair.log[1][pair.log[1].len() - 3..];
    assert_eq!(told[0], "Mismatched { number: 0 }");
    assert_eq!(told[1..], ["Lagged { number: 0, count: 1 }"; 2]);
}

#[test]
fn what_is_left_out_while_the_transport_is_full_is_told_afterwards() {
    let limits = Limits { backlog: 10, ..small() };
    let mut pair = Pair::established(usize::MAX, &limits);
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    a.push_event(slot, None, &[0; 20]);
    for _ in 0..3 {
        a.push_mismatched(slot);
    }
    pair.run();
    assert_eq!(pair.log[1].last().unwrap(), "Mismatched { number: 0 }");
    pair.sessions[0].resume();
    pair.run();
    assert_eq!(pair.log[1].last().unwrap(), "Lagged { number: 0, count: 3 }");
}

/// Checks that the peer hears of one event that was left out, then of the one that was sent.
fn assert_told_before_the_event(pair: &mut Pair) {
    pair.run();
    let told = &pair.log[1][pair.log[1].len() - 2..];
    assert_eq!(told[0], "Lagged { number: 0, count: 1 }");
    assert!(told[1].starts_with("Event"), "{told:?}");
}

#[test]
fn what_is_left_out_while_room_is_reserved_is_told_at_once() {
    let mut pair = Pair::established(usize::MAX, &small());
    let [slot, other] = [pair.announce(), pair.announce()];
    let a = &mut pair.sessions[0];
    assert_eq!(a.reserve(other, 300), Push::Queued);
    a.push_mismatched(slot);
    a.unreserve(other, 300);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Queued);
    assert_told_before_the_event(&mut pair);
}

#[test]
fn what_is_left_out_while_room_is_reserved_takes_no_more_memory_than_a_backlog() {
    let mut pair = Pair::established(usize::MAX, &small());
    let [slot, other] = [pair.announce(), pair.announce()];
    let a = &mut pair.sessions[0];
    assert_eq!(a.reserve(other, 300), Push::Queued);
    for _ in 0..1_000 {
        a.push_mismatched(slot);
    }
    assert!((300..320).contains(&a.out().len()), "{}", a.out().len());
}

#[test]
fn what_is_left_out_is_told_before_an_event_for_which_room_was_reserved() {
    let mut pair = Pair::established(usize::MAX, &small());
    let [slot, other] = [pair.announce(), pair.announce()];
    let a = &mut pair.sessions[0];
    assert_eq!(a.reserve(slot, 1), Push::Queued);
    assert_eq!(a.push_event(other, None, &[0; 300]), Push::Queued);
    a.push_mismatched(slot);
    a.push_reserved(slot, None, b"x");
    assert_told_before_the_event(&mut pair);
}

#[test]
fn what_is_left_out_is_told_after_the_backlog_though_the_window_is_full() {
    let mut pair = Pair::established(usize::MAX, &small());
    let [slot, other] = [pair.announce(), pair.announce()];
    let a = &mut pair.sessions[0];
    assert_eq!(a.reserve(slot, 100), Push::Queued);
    assert_eq!(a.push_event(other, None, &[0; 300]), Push::Queued);
    a.push_mismatched(slot);
    pair.run();
    assert_eq!(pair.log[1].last().unwrap(), "Mismatched { number: 0 }");
    pair.sessions[0].resume();
    pair.run();
    assert_eq!(pair.log[1].last().unwrap(), "Lagged { number: 0, count: 1 }");
}

#[test]
fn credit_that_comes_late_is_not_given_to_the_topic_that_has_the_number_now() {
    let mut pair = Pair::established(usize::MAX, &small());
    let old = pair.announce();
    assert_eq!(pair.sessions[0].push_event(old, None, b"x"), Push::Queued);
    pair.run();
    pair.sessions[1].withdraw(old);
    pair.run();
    let new = pair.announce();
    assert_eq!(new.number, old.number);
    pair.sessions[1].push_credit(old, charge(1));
    pair.run();
    assert_eq!(pair.sessions[0].push_event(new, None, b"x"), Push::Queued);
}

#[test]
fn who_gave_up_waiting_leaves_no_stall_behind() {
    let limits = small();
    let start = Instant::now();
    let mut pair = Pair::established(usize::MAX, &limits);
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    a.wait_for_room(slot, start);
    assert_eq!(a.push_event(slot, None, &[0; 200]), Push::Queued);
    a.wait_for_room(slot, start);
    pair.run();
    pair.sessions[1].push_credit(slot, charge(200));
    pair.run();
    let a = &mut pair.sessions[0];
    let later = start + limits.stalled_after;
    assert_eq!(a.sweep(later, limits.stalled_after), (None, false));
    assert_eq!(a.push_event(slot, None, b"x"), Push::Queued);
}

#[test]
fn a_request_to_a_stalled_peer_waits_and_is_not_missed() {
    let limits = small();
    let start = Instant::now();
    let mut pair = Pair::established(usize::MAX, &limits);
    let slot = pair.announce();
    let a = &mut pair.sessions[0];
    a.push_event(slot, None, &[0; 200]);
    a.wait_for_room(slot, start);
    let later = start + limits.stalled_after;
    assert_eq!(a.sweep(later, limits.stalled_after), (None, true));
    assert_eq!(a.push_event(slot, None, b"x"), Push::Missed);
    assert_eq!(a.push_event(slot, Some(1), b"?"), Push::Full);
}
