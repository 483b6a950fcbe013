//! The threads of a process that brings an executor of its own.

use std::time::Duration;

use lahja_contract::Stage;
use lahja_contract::process::threads;
use lahja_contract::puppet::{Order, Report, order};

use crate::subjects::Own;

mod own_executor {
    lahja_contract::own_cases!(super::Own, { no_thread_is_started_behind_the_users_back });
}

async fn no_thread_is_started_behind_the_users_back(stage: Stage<Own>) {
    let before = threads();
    let parent = stage.endpoint("parent").await;
    let child = stage.puppet("c").await;
    assert_eq!(order(&parent, "c", Order::Groups).await, Report::Names(vec![]));
    child.shutdown(Duration::from_secs(30)).await.unwrap();
    let mut started = threads();
    for thread in before {
        let known = started.iter().position(|name| *name == thread).unwrap();
        started.remove(known);
    }
    // The reactor of every executor on async-io.
    assert_eq!(started, ["async-io"]);
}
