//! Events in parts: when a part may leave, and what becomes of an event that is given up.

use super::*;
use crate::error::FrameError;

const TOTAL: usize = 90;

fn pair() -> (Pair, Slot) {
    let mut pair = Pair::established(usize::MAX, &small());
    let slot = pair.announce();
    pair.log = [Vec::new(), Vec::new()];
    (pair, slot)
}

/// Begins an event of which 30 bytes have come.
fn begun() -> (Pair, Slot) {
    let (mut pair, slot) = pair();
    assert_eq!(pair.sessions[0].push_begin(slot, None, TOTAL), Push::Queued);
    assert_eq!(pair.sessions[0].push_part(slot, None, &[0; 30]), Push::Queued);
    pair.run();
    (pair, slot)
}

#[test]
fn an_event_in_parts_comes_as_a_whole_with_its_last_part() {
    let (mut pair, slot) = begun();
    let whole: Vec<_> = [[0; 30], [1; 30], [2; 30]].concat();
    for part in whole.chunks(30).skip(1) {
        assert_eq!(pair.log[1], [format!("{:?}", Happening::Begun { number: 0, total: TOTAL })]);
        assert_eq!(pair.sessions[0].push_part(slot, None, part), Push::Queued);
        pair.run();
    }
    let happening = Happening::Whole { number: 0, request: None, payload: whole };
    assert_eq!(pair.log[1].last().unwrap(), &format!("{happening:?}"));
    assert_eq!(pair.sessions[0].sent().events, 1);
}

#[test]
fn a_part_waits_for_the_one_before_it_to_leave_and_a_small_event_for_neither() {
    let (mut pair, slot) = pair();
    let other = pair.announce();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_begin(slot, None, TOTAL), Push::Queued);
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Queued);
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Full);
    assert_eq!(a.push_event(other, None, b"small"), Push::Queued);
    let part = a.out().unwritten().take(2).map(|content| content.len() as u64 + 4).sum::<u64>();
    assert!(!a.wrote(part - 1));
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Full);
    assert!(a.wrote(1), "nobody is told that the part has left");
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Queued, "it waits for the small event");
}

#[test]
fn an_event_takes_its_credit_when_it_begins_and_another_large_one_waits_until_it_is_done() {
    let (mut pair, slot) = begun();
    let a = &mut pair.sessions[0];
    assert_eq!(a.outstanding(slot), Some(charge(TOTAL)));
    assert_eq!(a.push_event(slot, None, b"x"), Push::Full);
    assert_eq!(a.push_begin(slot, None, TOTAL), Push::Full);
    pair.sessions[1].push_credit(slot, 50);
    pair.run();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_begin(slot, None, TOTAL), Push::Full);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Queued);
    pair.run();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_part(slot, None, &[0; 60]), Push::Queued);
    assert_eq!(a.push_begin(slot, None, TOTAL), Push::Queued);
}

#[test]
fn nothing_comes_of_an_event_that_is_abandoned() {
    let (mut pair, slot) = begun();
    pair.sessions[0].abandon(slot);
    pair.sessions[0].abandon(slot);
    pair.run();
    let abandoned = format!("{:?}", Happening::Abandoned { number: 0, total: TOTAL });
    assert_eq!(pair.log[1][1..], [abandoned]);
    pair.sessions[1].push_credit(slot, charge(TOTAL));
    pair.run();
    assert_eq!(pair.sessions[0].push_begin(slot, None, 1), Push::Queued);
    assert_eq!(pair.sessions[0].push_part(slot, None, b"x"), Push::Queued);
    pair.run();
    assert!(pair.log[1].last().unwrap().starts_with("Whole"), "{:?}", pair.log[1]);
}

#[test]
fn a_topic_that_is_withdrawn_takes_no_part_and_forgets_what_had_come() {
    let (mut pair, slot) = begun();
    pair.sessions[1].withdraw(slot);
    assert_eq!(pair.sessions[0].push_part(slot, None, &[0; 30]), Push::Queued);
    pair.run();
    assert_eq!(pair.sessions[0].push_part(slot, None, &[0; 30]), Push::Gone);
    pair.sessions[0].abandon(slot);
    let next = pair.announce();
    assert_eq!(next.number, slot.number);
    assert_eq!(pair.sessions[0].push_begin(next, None, TOTAL), Push::Queued);
    pair.run();
    assert!(pair.log[1].last().unwrap().starts_with("Begun"), "{:?}", pair.log[1]);
}

#[test]
fn a_peer_that_stalls_in_the_middle_misses_the_event_and_is_told_when_it_is_back() {
    let limits = small();
    let start = Instant::now();
    let (mut pair, slot) = begun();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Queued);
    a.wait_for_room(slot, start);
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Full);
    let later = start + limits.stalled_after;
    assert_eq!(a.sweep(later, limits.stalled_after), (None, true));
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Missed);
    assert_eq!(a.push_begin(slot, None, 20), Push::Missed);
    assert_eq!(a.sent().missed, 2);
    pair.run();
    pair.sessions[1].push_credit(slot, charge(TOTAL));
    pair.run();
    let lagged = format!("{:?}", Happening::Lagged { number: 0, count: 2 });
    assert_eq!(pair.log[1].last().unwrap(), &lagged);
    assert_eq!(pair.sessions[0].push_begin(slot, None, 20), Push::Queued);
}

#[test]
fn a_stall_ends_when_the_part_leaves_and_the_event_goes_on() {
    let limits = small();
    let start = Instant::now();
    let (mut pair, slot) = begun();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Queued);
    a.wait_for_room(slot, start);
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Full);
    a.sweep(start + limits.stalled_after, limits.stalled_after);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Missed);
    pair.run();
    let lagged = format!("{:?}", Happening::Lagged { number: 0, count: 1 });
    assert_eq!(pair.log[1].last().unwrap(), &lagged);
    assert_eq!(pair.sessions[0].push_part(slot, None, &[0; 30]), Push::Queued);
}

#[test]
fn the_clock_of_a_stall_begins_anew_with_each_part_that_is_queued_or_has_left() {
    let limits = small();
    let (start, patience) = (Instant::now(), limits.stalled_after);
    let (mut pair, slot) = begun();
    let a = &mut pair.sessions[0];
    // Somebody waits for the window that the event has filled.
    a.wait_for_room(slot, start);
    assert_eq!(a.sweep(start, patience), (Some(start + patience), false));
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Queued);
    assert_eq!(a.sweep(start + patience, patience), (None, false));
    a.wait_for_room(slot, start + patience);
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Full);
    pair.run();
    let a = &mut pair.sessions[0];
    assert_eq!(a.sweep(start + 2 * patience, patience), (None, false));
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Queued);
}

#[test]
fn an_event_whose_sender_does_not_go_on_does_not_hold_up_others_for_ever() {
    let limits = small();
    let start = Instant::now();
    let (mut pair, slot) = begun();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(slot, None, b"x"), Push::Full);
    a.wait_for_room(slot, start);
    assert_eq!(a.sweep(start + limits.stalled_after, limits.stalled_after), (None, true));
    assert_eq!(a.push_event(slot, None, b"x"), Push::Missed);
    assert_eq!(a.push_part(slot, None, &[0; 30]), Push::Missed);
    assert_eq!(a.sent().missed, 2);
}

/// A session that waits with the second half of an event, which leaves room in the window. Returns when
/// its peer is stalled, too.
fn waiting_with_a_part() -> (Pair, Slot, Instant) {
    let start = Instant::now();
    let (mut pair, slot) = pair();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_begin(slot, None, 40), Push::Queued);
    assert_eq!(a.push_part(slot, None, &[0; 20]), Push::Queued);
    a.wait_for_room(slot, start);
    assert_eq!(a.push_part(slot, None, &[0; 20]), Push::Full);
    (pair, slot, start + small().stalled_after)
}

#[test]
fn a_small_event_does_not_stop_the_clock_of_a_part() {
    let (mut pair, slot, stalls) = waiting_with_a_part();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_event(slot, None, b"x"), Push::Queued);
    assert_eq!(a.sweep(stalls, small().stalled_after), (None, true));
}

#[test]
fn to_ask_for_room_does_not_end_the_stall_of_a_part() {
    let (mut pair, slot, stalls) = waiting_with_a_part();
    let a = &mut pair.sessions[0];
    a.sweep(stalls, small().stalled_after);
    assert_eq!(a.push_begin(slot, None, 40), Push::Missed);
    assert_eq!(a.push_begin(slot, Some(1), 40), Push::Full);
    assert_eq!(a.push_event(slot, None, b"x"), Push::Missed);
    assert_eq!(a.push_part(slot, None, &[0; 20]), Push::Missed);
}

#[test]
fn a_request_in_parts_is_asked_with_its_last_part_and_waits_for_a_place_until_then() {
    let (mut pair, slot) = pair();
    let other = pair.announce();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_begin(slot, Some(7), 20), Push::Queued);
    assert_eq!(a.push_part(slot, Some(7), &[0; 10]), Push::Queued);
    assert_eq!(a.open_requests(), (0, 0));
    for id in [1, 2] {
        assert_eq!(a.push_event(other, Some(id), b"?"), Push::Queued);
    }
    pair.run();
    let a = &mut pair.sessions[0];
    let (start, patience) = (Instant::now(), small().stalled_after);
    a.wait_for_room(slot, start);
    assert_eq!(a.push_part(slot, Some(7), &[0; 10]), Push::Full);
    assert_eq!(a.sweep(start + patience, patience), (None, false));
    a.cancel(1);
    assert_eq!(a.push_part(slot, Some(7), &[0; 10]), Push::Queued);
    pair.run();
    let payload = vec![0; 20];
    let whole = Happening::Whole { number: 0, request: Some(7), payload };
    assert_eq!(pair.log[1].last().unwrap(), &format!("{whole:?}"));
    assert_eq!(pair.sessions[1].open_requests(), (0, 2));
    assert_eq!(pair.sessions[1].push_response(7, 0, b"!"), Push::Queued);
}

#[test]
fn a_request_in_parts_begins_anew_after_a_stall() {
    let limits = small();
    let start = Instant::now();
    let (mut pair, slot) = pair();
    let a = &mut pair.sessions[0];
    assert_eq!(a.push_begin(slot, Some(7), TOTAL), Push::Queued);
    assert_eq!(a.push_part(slot, Some(7), &[0; 30]), Push::Queued);
    a.wait_for_room(slot, start);
    a.sweep(start + limits.stalled_after, limits.stalled_after);
    assert_eq!(a.push_part(slot, Some(7), &[0; 30]), Push::Missed);
    assert_eq!(a.sent().missed, 0);
    assert_eq!(a.push_begin(slot, Some(7), TOTAL), Push::Full);
    pair.run();
    pair.sessions[1].push_credit(slot, charge(TOTAL));
    pair.run();
    assert_eq!(pair.sessions[0].push_begin(slot, Some(7), TOTAL), Push::Queued);
}

#[test]
fn parts_that_are_not_what_was_announced_are_the_peers_fault() {
    let part = |place, len| Message::Part { number: 0, place, payload: &[0; TOTAL][..len] };
    let begin = |total| Message::Begin { number: 0, request: None, total };
    let total = TOTAL as u64;
    let refused = [
        (begin(3), ProtocolError::BegunTwice { number: 0 }),
        (part(Place::Within, 0), ProtocolError::EmptyPart),
        (part(Place::Last, 0), ProtocolError::EmptyPart),
        (part(Place::Within, 60), ProtocolError::WrongTotal { total }),
        (part(Place::Last, 59), ProtocolError::WrongTotal { total }),
        (part(Place::Last, 61), ProtocolError::WrongTotal { total }),
    ];
    for (message, error) in refused {
        let (mut pair, _) = begun();
        assert_eq!(pair.sessions[1].handle(message), Err(error));
    }
    let max = small().frame as usize;
    let too_long = FrameError::TooLong { len: max + 1, max };
    let refused = [
        (part(Place::Last, 1), ProtocolError::NotBegun { number: 0 }),
        (Message::Abandon { number: 0 }, ProtocolError::NotBegun { number: 0 }),
        (begin(0), ProtocolError::WrongTotal { total: 0 }),
        (begin(max as u64 + 1), too_long.into()),
    ];
    for (message, error) in refused {
        let (mut pair, _) = pair();
        assert_eq!(pair.sessions[1].handle(message), Err(error));
    }
}

#[test]
fn memory_grows_with_what_comes_and_goes_with_the_session() {
    let (mut pair, _) = pair();
    let b = &mut pair.sessions[1];
    b.handle(Message::Begin { number: 0, request: None, total: 1_000 }).unwrap();
    for come in 1..1_000 {
        b.handle(Message::Part { number: 0, place: Place::Within, payload: b"x" }).unwrap();
        assert!(b.gathered() <= 2 * come);
    }
    b.end();
    assert_eq!(b.gathered(), 0);
    assert_eq!(b.keep_spare(vec![1; 9]), [1; 9]);
}

#[test]
fn memory_that_is_kept_is_bounded_and_not_for_small_events() {
    let (mut pair, _) = pair();
    let b = &mut pair.sessions[1];
    assert_eq!(b.keep_spare(vec![1; MAX_SPARE]).capacity(), 0);
    assert_eq!(b.keep_spare(vec![1; 9]), [1; 9]);
    b.check(0);
    assert!(b.keep_spare(vec![1; MAX_SPARE + 1]).len() > MAX_SPARE);
    // A small event would hold all of it until it is consumed.
    let last = |payload| Message::Part { number: 0, place: Place::Last, payload };
    b.handle(Message::Begin { number: 0, request: None, total: 2 }).unwrap();
    let Ok(Happening::Whole { payload, .. }) = b.handle(last(b"xy")) else {
        panic!("it is the last")
    };
    assert_eq!((&payload[..], payload.capacity()), (&b"xy"[..], 2));
}

#[test]
fn the_memory_of_an_event_serves_another_of_its_size() {
    let (mut pair, _) = pair();
    let b = &mut pair.sessions[1];
    assert_eq!(b.keep_spare(Vec::with_capacity(100)).capacity(), 0);
    b.handle(Message::Begin { number: 0, request: None, total: 50 }).unwrap();
    let last = Message::Part { number: 0, place: Place::Last, payload: &[7; 50] };
    let Ok(Happening::Whole { payload, .. }) = b.handle(last) else { panic!("it is the last") };
    assert_eq!((&payload[..], payload.capacity()), (&[7; 50][..], 100));
}
