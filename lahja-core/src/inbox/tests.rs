use super::*;

fn inbox(capacity: usize, overflow: Overflow) -> Inbox<u32> {
    Inbox::new(Config { origins: Vec::new(), filter: None, capacity, bytes: 100, overflow })
}

fn push(inbox: &Inbox<u32>, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let origin = EndpointName::new("e").unwrap();
        let Ok(charge) = inbox.reserve() else {
            panic!("the queue has no room");
        };
        inbox.push(Received::new(number, origin, None), charge);
    }
}

/// Takes `count` entries, a gap as a negative number.
fn take(inbox: &Inbox<u32>, count: usize) -> Vec<i64> {
    let mut context = Context::from_waker(Waker::noop());
    let mut taken = Vec::new();
    let mut batch = VecDeque::new();
    while taken.len() < count && inbox.poll_take(&mut batch, &mut context).is_ready() {
        taken.extend(batch.drain(..).map(|entry| match entry {
            Entry::Item(Item::Event(event, _)) => i64::from(*event),
            Entry::Item(Item::Lagged(Lagged(lost))) => -i64::try_from(lost).unwrap(),
            Entry::Packed(_) | Entry::Whole(_) => unreachable!("nothing has come from a peer"),
        }));
    }
    taken
}

#[test]
fn a_queue_that_drops_its_oldest_keeps_the_newest_behind_the_gap() {
    let inbox = inbox(2, Overflow::DropOldest);
    push(&inbox, 0..5);
    assert_eq!(take(&inbox, 9), [-3, 3, 4]);
    push(&inbox, 5..8);
    assert_eq!(take(&inbox, 2), [-1, 6]);
    push(&inbox, 8..10);
    assert_eq!(take(&inbox, 9), [-1, 8, 9]);
}

#[test]
fn a_queue_that_drops_its_newest_has_the_gap_where_they_were() {
    let inbox = inbox(2, Overflow::DropNewest);
    push(&inbox, 0..5);
    assert_eq!(take(&inbox, 1), [0]);
    push(&inbox, 5..9);
    assert_eq!(take(&inbox, 9), [1, -3, 5, -3]);
}

#[test]
fn a_queue_that_drops_events_is_bounded_in_bytes_whatever_its_capacity() {
    let origin = || EndpointName::new("e").unwrap();
    for (overflow, sizes, expected) in [
        (Overflow::DropOldest, [40, 40, 40, 1, 90], vec![-3, 3, 4]),
        (Overflow::DropOldest, [20, 40, 40, 20, 40], vec![-2, 2, 3, 4]),
        (Overflow::DropOldest, [50, 200, 0, 0, 0], vec![-2, 2, 3, 4]),
        (Overflow::DropNewest, [40, 60, 1, 0, 1], vec![0, 1, -1, 3, -1]),
        (Overflow::DropNewest, [200, 1, 0, 0, 0], vec![0, -4]),
        (Overflow::Latest, [200, 200, 200, 200, 200], vec![-4, 4]),
    ] {
        let inbox = inbox(1_000, overflow);
        for (number, size) in (0..).zip(sizes) {
            inbox.push(Received::new(number, origin(), None), Charge::Queued(size));
        }
        assert_eq!(take(&inbox, 9), expected, "{overflow:?} {sizes:?}");
        // What was taken is no part of it any more.
        push(&inbox, [7]);
        assert_eq!(take(&inbox, 9), [7]);
    }
}

#[test]
fn a_queue_of_the_latest_has_one_event() {
    let inbox = inbox(100, Overflow::Latest);
    push(&inbox, 0..5);
    assert_eq!(take(&inbox, 9), [-4, 4]);
}

#[test]
fn a_lossless_queue_has_no_place_when_it_is_full_until_one_is_consumed() {
    let inbox = inbox(2, Overflow::Wait);
    push(&inbox, 0..2);
    assert!(matches!(inbox.reserve(), Err(Room::Full)));
    assert_eq!(take(&inbox, 2), [0, 1]);
    push(&inbox, 2..4);
    assert!(inbox.reserve().is_err());
}

#[test]
fn a_consumer_that_consumes_nothing_for_too_long_misses_events_and_is_told() {
    let start = Instant::now();
    let limit = Duration::from_secs(10);
    let inbox = inbox(2, Overflow::Wait);
    push(&inbox, 0..2);
    let _listener = inbox.listen(start);
    assert_eq!(inbox.sweep(start, limit), Some(start + limit));
    assert_eq!(inbox.sweep(start + limit, limit), None);
    assert!(matches!(inbox.reserve(), Err(Room::Stalled)));
    inbox.miss();
    assert_eq!(take(&inbox, 2), [0, 1]);
    push(&inbox, [9]);
    assert_eq!(take(&inbox, 2), [-1, 9]);
}

#[test]
fn a_closed_queue_takes_nothing_and_ends_after_what_it_keeps() {
    let inbox = inbox(4, Overflow::Wait);
    push(&inbox, 0..2);
    inbox.close(Rest::Keep);
    push(&inbox, 2..4);
    assert_eq!(take(&inbox, 2), [0, 1]);
    let mut context = Context::from_waker(Waker::noop());
    let end = inbox.poll_take(&mut VecDeque::new(), &mut context);
    assert_eq!(end, Poll::Ready(false));
}

/// Fills a queue of one place and lets it miss this many of the endpoint's own events.
fn missing(count: u64) -> Inbox<u32> {
    let inbox = inbox(1, Overflow::Wait);
    push(&inbox, [7]);
    let start = Instant::now();
    let patience = Duration::from_secs(10);
    drop(inbox.listen(start));
    assert_eq!(inbox.sweep(start + patience, patience), None);
    for _ in 0..count {
        assert!(matches!(inbox.reserve(), Err(Room::Stalled)));
        inbox.miss();
    }
    inbox
}

#[test]
fn what_a_stalled_consumer_missed_is_told_without_another_event() {
    let inbox = missing(3);
    assert_eq!(take(&inbox, 9), [7, -3]);
    push(&inbox, [8]);
    assert_eq!(take(&inbox, 9), [8]);
}

#[test]
fn what_a_stalled_consumer_missed_is_told_though_the_queue_is_closed() {
    let inbox = missing(2);
    inbox.close(Rest::Keep);
    assert_eq!(take(&inbox, 2), [7, -2]);
}

#[test]
fn what_finds_no_place_and_is_missed_once_there_is_one_again_is_told_at_once() {
    let inbox = missing(0);
    assert_eq!(take(&inbox, 1), [7]);
    push(&inbox, [8]);
    inbox.miss();
    assert_eq!(take(&inbox, 2), [8, -1]);
}
