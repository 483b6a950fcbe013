//! What a transport promises, as a suite of tests for any [`Transport`].
//!
//! The author of a transport writes a function that returns two joined ends, and one line in a
//! file of tests, [`transport_contract!`](crate::transport_contract). Each case is run from the
//! first end to the second, and the other way round.
//!
//! # Examples
//!
//! ```
//! lahja_contract::transport_contract!(lahja_core::memory_pair);
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod cases;
mod ends;

use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use lahja_core::Transport;

/// How long a case may take before it is taken for hung.
const WATCHDOG: Duration = Duration::from_secs(60);

/// Runs a case on the two ends of a transport.
///
/// # Panics
///
/// Panics if the case fails or hangs.
#[doc(hidden)]
pub fn run<N, F, C>(pair: fn() -> (N, F), case: fn(N, F) -> C)
where
    N: Transport,
    F: Transport,
    C: Future<Output = ()> + 'static,
{
    let (done, is_done) = mpsc::channel::<()>();
    let case = thread::spawn(move || {
        let _done = done;
        let (near, far) = pair();
        block_on(case(near, far));
    });
    assert!(is_done.recv_timeout(WATCHDOG) != Err(mpsc::RecvTimeoutError::Timeout), "it hangs");
    case.join().unwrap_or_else(|panic| resume_unwind(panic));
}

/// Makes the tests of the contract for a transport, of a function that takes nothing and returns
/// two joined ends.
///
/// It defines modules and functions, so each use needs a module, or a file of tests, of its own.
/// The ends are used by several threads, on none of which a runtime is set up.
///
/// ```text
/// lahja_contract::transport_contract!(my_transport::pair);
/// ```
#[macro_export]
macro_rules! transport_contract {
    ($pair:expr) => {
        fn contract_pair() -> (impl $crate::Transport, impl $crate::Transport) {
            ($pair)()
        }

        fn contract_pair_back() -> (impl $crate::Transport, impl $crate::Transport) {
            let (near, far) = contract_pair();
            (far, near)
        }

        mod forth {
            $crate::transport_tests!(super::contract_pair);
        }

        mod back {
            $crate::transport_tests!(super::contract_pair_back);
        }
    };
}

/// One test of each case.
#[doc(hidden)]
#[macro_export]
macro_rules! transport_tests {
    ($pair:path) => {
        $crate::transport_tests! { $pair;
            frames_arrive_whole_and_in_order,
            a_frame_may_begin_and_end_anywhere_in_what_is_read,
            what_is_taken_together_comes_next_and_stays_as_it_came,
            frames_arrive_while_the_other_end_waits_for_them,
            both_directions_are_full_at_once_without_a_deadlock,
            a_full_direction_does_not_hold_up_the_other,
            closing_flushes,
            closing_flushes_what_the_transport_holds_back,
            closing_one_direction_leaves_the_other_open,
            the_end_is_seen_as_often_as_it_is_looked_for,
            what_was_written_arrives_though_its_writer_is_dropped,
            a_writer_that_is_dropped_in_the_middle_leaves_no_torn_frame,
            whoever_writes_to_nobody_fails_in_the_end,
            a_write_that_is_given_up_is_carried_on_by_the_next,
            a_read_that_is_given_up_loses_nothing,
            whoever_read_last_is_woken,
            whoever_asks_again_gets_everything_and_the_end,
            whoever_has_asked_is_woken_if_it_then_waits,
            whoever_wrote_last_is_woken,
            a_frame_that_is_too_long_is_refused_behind_those_before_it,
            the_longest_frame_can_be_changed_between_two,
        }
    };
    ($pair:path; $($case:ident),+ $(,)?) => {
        $(
            #[test]
            fn $case() {
                $crate::transport::run($pair, $crate::transport::cases::$case);
            }
        )+
    };
}
