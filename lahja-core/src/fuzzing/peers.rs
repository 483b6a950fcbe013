//! Two sessions that keep the rules, joined by a wire that delays and cuts.
//!
//! What an end says is noted, and the other end has to see that and nothing else, in that order.
//! Events of a topic are numbered, and a gap in the numbers has to be a loss that was told.

mod end;
mod hear;
mod parts;

use super::hello::limits;
use super::input::Input;
use end::End;

/// Has two ends talk to each other.
///
/// # Panics
///
/// Panics if an end blames the other, sees what was not said, or loses something without a word.
pub fn peers(data: &[u8]) {
    let mut input = Input::new(data);
    let refuses = input.seldom();
    let mut ends =
        ["a", "b"].map(|name| End::new(name, limits(&mut input), input.below(3), refuses));
    if input.byte() < 0xc0 {
        settle(&mut ends);
    }
    while !input.is_empty() {
        step(&mut ends, &mut input);
        ends.iter().for_each(End::check);
    }
    settle(&mut ends);
    if ends.iter().all(|end| !end.session.has_ended()) {
        ends.iter().for_each(End::check_told);
        let [a, b] = &mut ends;
        a.is_at_rest(b);
        b.is_at_rest(a);
    }
}

fn step(ends: &mut [End; 2], input: &mut Input<'_>) {
    let byte = input.byte();
    let (near, far) = two(ends, usize::from(byte >> 7));
    if byte & 0x70 == 0x70 {
        return near.send_parts(input, far);
    }
    match byte % 19 {
        0 | 1 => near.write(),
        2 | 3 => {
            near.carry(usize::from(input.byte()) * 2, far);
        }
        4 => near.announce(far),
        5 => near.withdraw(input, far),
        6..9 => near.broadcast(input, far),
        9 => near.ask(input, far),
        10 => near.answer(input, far),
        11 => near.fail(input, far),
        12 => near.cancel(input, far),
        13 | 14 => near.consume(input, far),
        15 => near.wait(input),
        16 => near.reserve(input, far),
        17 => near.leave_out(input, far),
        _ => match input.byte() {
            0xfd.. => near.say_goodbye(far),
            0x80..0xfd => {}
            0..0x80 => settle(ends),
        },
    }
}

/// Has everything arrive and be consumed, until both ends are silent.
fn settle(ends: &mut [End; 2]) {
    loop {
        let mut is_silent = true;
        for index in [0, 1] {
            let (near, far) = two(ends, index);
            near.write();
            is_silent &= near.session.out().is_empty();
            is_silent &= !near.carry(usize::MAX, far);
            is_silent &= !near.consume_all(far);
        }
        if is_silent {
            return;
        }
    }
}

fn two(ends: &mut [End; 2], near: usize) -> (&mut End, &mut End) {
    let [a, b] = ends;
    if near == 0 { (a, b) } else { (b, a) }
}
