//! A process that is stopped and goes on, again and again.

use std::time::Duration;

use lahja_contract::process::Process;
use lahja_contract::puppet::{Load, Order, Report, count_lost, have_done, order};
use lahja_contract::{Stage, rounds};
use lahja_smol::Limits;
use rustix::process::Signal;

use crate::subjects::Own;

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        a_process_that_is_stopped_again_and_again_is_told_each_time_what_it_missed,
    });
}

/// How many events there are while the process is stopped: more than a window and a socket take.
const COUNT: u64 = 1_000;

async fn a_process_that_is_stopped_again_and_again_is_told_each_time_what_it_missed(
    stage: Stage<Own>,
) {
    let mut limits = Limits::default();
    limits.stalled_after = Duration::from_millis(50);
    let [parent] = stage.meet_limited(["parent"], &limits).await;
    let stopped = stage.puppet("stopped").await;
    let _other = stage.puppet("other").await;
    for child in ["stopped", "other"] {
        have_done(&parent, child, Order::Neglect).await;
    }
    let process = Process::open(stopped.id());
    let mut missed = 0;
    for round in 0..rounds(3) {
        let first = round * COUNT;
        process.signal(Signal::STOP);
        for number in first..first + COUNT {
            parent.broadcast(Load(number, "x".repeat(1_000))).await.unwrap();
            // The other one never notices.
            let read = order(&parent, "other", Order::TakeLoads(1)).await;
            assert_eq!(read, Report::Numbers(vec![("parent".into(), number)]));
        }
        process.signal(Signal::CONT);
        let lost = count_lost(&parent, "stopped", first..first + COUNT).await;
        assert!(lost > 0 && lost < COUNT, "{lost} are lost in round {round}");
        missed += lost;
    }
    println!("{missed} events were missed, and each of them was told");
}
