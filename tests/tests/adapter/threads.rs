//! The threads of a process that brings an executor of its own.

use std::sync::Arc;
use std::time::Duration;

use lahja_contract::process::threads;
use lahja_contract::puppet::{Order, Report, order};
use lahja_contract::roles::PUPPET;
use lahja_contract::{Stage, Subject};
use lahja_smol::{EventBus, Smol};
use smol::Executor;

use crate::subjects::Own;

/// How long a child may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(30);

mod own_executor {
    lahja_contract::own_cases!(super::Own, { no_thread_is_started_behind_the_users_back });
}

async fn no_thread_is_started_behind_the_users_back(stage: Stage<Own>) {
    let before = threads();
    // What an executor that is gone has done is of no use to the next.
    let gone = Arc::new(Executor::new());
    let bus = EventBus::new_on(Smol::from(gone.clone())).unwrap();
    let work = async {
        let command = Own::command(stage.role(PUPPET, &[]));
        let child = bus.spawn("c", command).await.unwrap();
        child.shutdown(GRACE).await.unwrap();
    };
    gone.run(work).await;
    drop((bus, gone));

    let parent = stage.endpoint("parent").await;
    let child = stage.puppet("c").await;
    assert_eq!(order(&parent, "c", Order::Groups).await, Report::Names(vec![]));
    child.shutdown(GRACE).await.unwrap();
    let mut started = threads();
    for thread in before {
        let known = started.iter().position(|name| *name == thread).unwrap();
        started.remove(known);
    }
    // The reactor of every executor on async-io.
    assert_eq!(started, ["async-io"]);
}
