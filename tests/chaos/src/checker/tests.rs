//! Journals made by hand, with everything that the checker has to find, one at a time.

use super::*;
use crate::journal::Run;

const ME: u32 = 0xa;
const FIRST: u32 = 0xb1;
const SECOND: u32 = 0xb2;

fn run(slot: usize, life: u32, first: u64, last: u64) -> Run {
    Run { slot, life, first, last }
}

fn received(life: u32, first: u64, last: u64) -> Record {
    Record::Received(Which::Lossless, run(1, life, first, last))
}

fn slowly(life: u32, first: u64, last: u64) -> Record {
    Record::Received(Which::Slow, run(1, life, first, last))
}

fn lagged(count: u64) -> Record {
    Record::Lagged(Which::Lossless, 1, count)
}

fn dropped(count: u64) -> Record {
    Record::Lagged(Which::Slow, 1, count)
}

fn ended(first: u64, last: u64, outcome: Outcome) -> Record {
    Record::Ended(run(1, ME, first, last), outcome)
}

/// One life in slot 0, and two in slot 1, of which the first ends as it says. The second closes
/// after event 100 and has seen the questions 1 to 64.
fn lives(end: End, first: &[Record], me: &[Record]) -> Vec<Life> {
    let life = |slot, life, end, records: Vec<Record>| Life { slot, life, end, records };
    let mut mine = vec![Record::MayAsk(1, 64), Record::MayBroadcast(64)];
    mine.extend_from_slice(me);
    let mut others = vec![Record::MayBroadcast(1_000), Record::MayAsk(0, 64)];
    others.extend_from_slice(first);
    let second = vec![
        Record::MayBroadcast(128),
        Record::MayAsk(0, 64),
        Record::Asked(run(0, ME, 1, 10)),
        Record::Received(Which::Lossless, run(0, ME, 1, 1)),
        Record::Settled,
        Record::Closed { last: 100, undelivered: 0 },
    ];
    vec![
        life(0, ME, End::Killed, mine),
        life(1, FIRST, end, others),
        life(1, SECOND, End::Survived, second),
    ]
}

/// Returns what is wrong in the journal of slot 0, whose process was killed.
fn wrong(me: &[Record]) -> Vec<String> {
    wrong_in(&lives(End::Killed, &[], me))
}

fn wrong_in(lives: &[Life]) -> Vec<String> {
    check(lives).1.iter().map(ToString::to_string).collect()
}

/// Returns what is wrong if slot 0 has survived, too.
fn wrong_at_the_end(me: &[Record]) -> Vec<String> {
    let mut lives = lives(End::Killed, &[], me);
    lives[0].end = End::Survived;
    lives[0].records.extend([Record::Settled, Record::Closed { last: 1, undelivered: 0 }]);
    wrong_in(&lives)
}

#[track_caller]
fn finds(found: &[String], what: &str) {
    assert!(matches!(found, [one] if one.contains(what)), "{found:#?} is not {what:?}");
}

#[track_caller]
fn finds_nothing(found: &[String]) {
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_right_is_not_reported() {
    let right = [
        Record::Next { slot: 1, life: FIRST, next: 6 },
        received(FIRST, 5, 9),
        received(FIRST, 10, 20),
        slowly(FIRST, 5, 7),
        lagged(3),
        received(FIRST, 24, 24),
        dropped(12),
        slowly(FIRST, 20, 20),
        dropped(3),
        ended(1, 2, Outcome::Answered),
        ended(3, 3, Outcome::GoneAfter),
        Record::Gone(1),
        received(SECOND, 1, 100),
        slowly(FIRST, 24, 24),
        dropped(98),
        slowly(SECOND, 99, 100),
        ended(4, 6, Outcome::Answered),
        ended(8, 8, Outcome::Answered),
        ended(7, 7, Outcome::Unanswered),
    ];
    finds_nothing(&wrong(&right));
    finds_nothing(&wrong_at_the_end(&right));
}

#[test]
fn everything_is_added_up() {
    let lives = lives(
        End::Killed,
        &[Record::HasBroadcast(7), Record::HasBroadcast(9)],
        &[
            received(FIRST, 1, 4),
            lagged(2),
            slowly(FIRST, 4, 4),
            dropped(3),
            Record::Gone(1),
            ended(1, 2, Outcome::Answered),
            ended(4, 4, Outcome::Answered),
        ],
    );
    let expected = Totals {
        broadcast: 109,
        received: 5,
        lagged: 2,
        received_slowly: 1,
        lagged_slowly: 3,
        ends_seen: 1,
        asked: 10,
        outcomes: BTreeMap::from([(Outcome::Answered, 3)]),
    };
    assert_eq!(check(&lives).0, expected);
}

#[test]
fn a_gap_is_found() {
    let found = wrong(&[received(FIRST, 1, 10), received(FIRST, 12, 20)]);
    finds(&found, "1 events before event 12 are lost, 0 declared");
    assert!(found[0].starts_with("e0 <- e1 (journal of 0000000a, line 4)"), "{found:?}");
}

#[test]
fn a_duplicate_is_found() {
    let found = wrong(&[received(FIRST, 1, 10), received(FIRST, 10, 20)]);
    finds(&found, "event 10 came after event 10");
}

#[test]
fn a_swap_is_found() {
    let swapped = [(1, 10), (12, 12), (11, 11), (13, 20)];
    let found = wrong(&swapped.map(|(first, last)| received(FIRST, first, last)));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[1].contains("event 11 came after event 12"), "{found:?}");
}

#[test]
fn a_loss_that_is_declared_too_large_or_too_small_is_found() {
    for declared in [4, 6] {
        let found = wrong(&[received(FIRST, 1, 10), lagged(declared), received(FIRST, 16, 20)]);
        finds(&found, &format!("5 events before event 16 are lost, {declared} declared"));
    }
}

#[test]
fn a_loss_that_is_declared_and_did_not_happen_is_found() {
    let found = wrong(&[received(FIRST, 1, 10), lagged(1), received(FIRST, 11, 20)]);
    finds(&found, "0 events before event 11 are lost, 1 declared");
}

#[test]
fn an_event_that_was_never_broadcast_is_found() {
    let found = wrong(&[received(FIRST, 999, 1_001)]);
    finds(&found, "event 1001 came, of 1000 that may have left");
}

#[test]
fn an_event_of_somebody_else_is_found() {
    let found = wrong(&[Record::Received(Which::Lossless, run(2, FIRST, 1, 1))]);
    finds(&found, "no life 000000b1 was ever in that slot");
}

#[test]
fn an_event_after_the_end_of_its_origin_is_found() {
    let found = wrong(&[received(FIRST, 1, 10), Record::Gone(1), received(FIRST, 11, 11)]);
    finds(&found, "event 11 came after the end of its origin");
}

#[test]
fn an_event_behind_those_of_a_later_life_is_found() {
    let found = wrong(&[received(FIRST, 1, 10), received(SECOND, 1, 5), received(FIRST, 11, 11)]);
    finds(&found, "event 11 came after the end of its origin");
    let found = wrong(&[received(SECOND, 1, 5), received(FIRST, 11, 11)]);
    finds(&found, "event 11 came behind a later life's");
}

#[test]
fn a_first_event_that_is_not_the_one_that_was_promised_is_found() {
    let next = Record::Next { slot: 1, life: FIRST, next: 5 };
    let found = wrong(&[next.clone(), received(FIRST, 6, 10)]);
    finds(&found, "event 5 was to be the first at the latest, 6 was");
    finds_nothing(&wrong(&[next.clone(), lagged(1), received(FIRST, 6, 10)]));
    // The one who notes it is not the one who consumes.
    finds(&wrong(&[received(FIRST, 6, 10), next]), "event 5 was to be the first");
}

#[test]
fn what_is_missing_at_the_end_of_one_who_left_is_found() {
    let left = [Record::Closed { last: 20, undelivered: 0 }];
    let wrong = |me: &[Record]| wrong_in(&lives(End::Left, &left, me));
    let what = "the last 2 events up to 20 of who left are lost";
    finds(&wrong(&[received(FIRST, 1, 18), Record::Gone(1)]), what);
    finds(&wrong(&[received(FIRST, 1, 18), received(SECOND, 1, 5)]), what);
    finds_nothing(&wrong(&[received(FIRST, 1, 18), lagged(2), Record::Gone(1)]));
    // More may be in the part of the journal that is lost.
    finds_nothing(&wrong(&[received(FIRST, 1, 18)]));
    let undelivered = [Record::Closed { last: 20, undelivered: 1 }];
    let lives = lives(End::Left, &undelivered, &[received(FIRST, 1, 18), Record::Gone(1)]);
    finds_nothing(&wrong_in(&lives));
}

#[test]
fn what_is_missing_between_survivors_is_found() {
    let found = wrong_at_the_end(&[received(SECOND, 1, 99)]);
    finds(&found, "99 and 0 lost came, of 100 in the end");
    let found = wrong_at_the_end(&[received(SECOND, 1, 99), lagged(2)]);
    finds(&found, "99 and 2 lost came, of 100 in the end");
    let found = wrong_at_the_end(&[received(FIRST, 1, 99)]);
    finds(&found, "nothing has come of 000000b2, which survived");
}

#[test]
fn a_survivor_that_never_settled_is_found() {
    let mut lives = lives(End::Killed, &[], &[]);
    lives[2].records.retain(|record| *record != Record::Settled);
    finds(&wrong_in(&lives), "it never had all that the others have broadcast");
}

#[test]
fn what_a_process_found_itself_is_reported() {
    finds(&wrong(&[Record::Fault("a damaged event".to_owned())]), "a damaged event");
}

#[test]
fn a_wrong_count_of_what_was_dropped_is_found() {
    for declared in [3, 5] {
        let found = wrong(&[
            received(FIRST, 1, 20),
            slowly(FIRST, 1, 5),
            dropped(declared),
            slowly(FIRST, 10, 11),
        ]);
        finds(&found, &format!("4 were dropped before event 10, {declared} declared"));
    }
}

#[test]
fn what_was_dropped_is_counted_across_losses_and_lives() {
    let beside =
        [received(FIRST, 1, 20), lagged(5), received(FIRST, 26, 30), received(SECOND, 1, 9)];
    let with = |dropped| {
        let mut journal = beside.to_vec();
        journal.extend([slowly(FIRST, 18, 18), dropped, slowly(SECOND, 3, 4)]);
        journal
    };
    // 19 and 20, the 5 that were lost, 26 to 30, and 1 and 2.
    finds_nothing(&wrong(&with(dropped(14))));
    finds(&wrong(&with(dropped(13))), "14 were dropped before event 3, 13 declared");
}

#[test]
fn what_came_slowly_twice_or_in_disorder_is_found() {
    for (first, last) in [(5, 5), (2, 3)] {
        let found =
            wrong(&[received(FIRST, 1, 20), slowly(FIRST, 1, 5), slowly(FIRST, first, last)]);
        finds(&found, &format!("event {first} came slowly, and not in its turn"));
    }
}

#[test]
fn what_came_slowly_behind_the_end_of_the_journal_is_left_to_itself() {
    finds_nothing(&wrong(&[received(FIRST, 1, 20), slowly(FIRST, 1, 5), slowly(FIRST, 30, 30)]));
    let found = wrong_at_the_end(&[received(SECOND, 1, 100), slowly(SECOND, 101, 101)]);
    finds(&found, "event 101 came slowly, and not in its turn");
}

#[test]
fn what_is_missing_slowly_in_the_end_is_found() {
    let found = wrong_at_the_end(&[received(SECOND, 1, 100), slowly(SECOND, 90, 95), dropped(4)]);
    finds(&found, "95 and 4 lost came slowly, of 100 in the end");
}

#[test]
fn a_question_that_has_ended_twice_is_found() {
    let found = wrong(&[ended(1, 2, Outcome::Answered), ended(2, 2, Outcome::GoneAfter)]);
    finds(&found, "question 2 has ended twice");
}

#[test]
fn a_question_that_has_not_ended_is_found_unless_the_process_was_killed() {
    let ends = [ended(1, 1, Outcome::Answered), ended(4, 4, Outcome::Answered)];
    finds_nothing(&wrong(&ends));
    let mut lives = lives(End::Killed, &[], &ends);
    lives[0].end = End::Left;
    finds(&wrong_in(&lives), "questions 2 to 3 have not ended");
}

#[test]
fn a_question_that_ends_as_it_must_not_is_found() {
    for (number, outcome) in [
        (1, Outcome::TimedOut),
        (1, Outcome::Unanswered),
        (1, Outcome::GivenUp),
        (1, Outcome::Other),
        (7, Outcome::Answered),
        (11, Outcome::Unanswered),
        (13, Outcome::TimedOut),
    ] {
        let found = wrong(&[ended(number, number, outcome)]);
        finds(&found, &format!("has ended as {outcome:?}"));
    }
}

#[test]
fn a_question_that_was_seen_though_it_never_left_is_found() {
    for outcome in [Outcome::GoneBefore, Outcome::NobodyThere] {
        finds(&wrong(&[ended(10, 10, outcome)]), "question 10 was seen, and ended as");
        finds_nothing(&wrong(&[ended(11, 11, outcome)]));
    }
}

#[test]
fn a_question_that_was_never_asked_is_found() {
    finds(&wrong(&[ended(65, 65, Outcome::Answered)]), "question 65 has ended, of 64");
    let found = wrong(&[Record::Asked(run(1, FIRST, 64, 65))]);
    finds(&found, "question 65 came, of 64 that may have left");
    let found = wrong(&[Record::Asked(run(2, FIRST, 1, 1))]);
    finds(&found, "no life 000000b1 was ever in that slot");
}

#[test]
fn a_question_that_is_seen_twice_or_in_disorder_is_found() {
    let asked = |life, first, last| Record::Asked(run(1, life, first, last));
    let found = wrong(&[asked(FIRST, 1, 5), asked(FIRST, 4, 4)]);
    assert!(found[0].contains("question 4 came after question 5"), "{found:?}");
    assert!(found[1].contains("question 4 was seen twice"), "{found:?}");
    let found = wrong(&[asked(SECOND, 1, 1), asked(FIRST, 1, 1)]);
    finds(&found, "question 1 came behind a later life's");
    // By two lives of the one who was asked.
    let seen = [Record::Asked(run(0, ME, 10, 10))];
    finds(&wrong_in(&lives(End::Killed, &seen, &[])), "question 10 was seen twice");
}
