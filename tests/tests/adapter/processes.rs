//! What a command says of its process holds, as it is passed on as it is.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use lahja_contract::process::Process;
use lahja_contract::puppet::{Order, Report, have_done, order, until_gone};
use lahja_contract::roles::{PUPPET, SURVIVOR};
use lahja_contract::scratch::Scratch;
use lahja_contract::{Stage, Subject};
use lahja_smol::{EventBus, Smol};
use smol::Executor;

use crate::subjects::Own;

/// How long a child may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(30);

mod own_executor {
    lahja_contract::own_cases!(super::Own, {
        what_a_command_says_of_its_output_holds,
        a_child_goes_on_without_its_executor_unless_its_command_says_otherwise,
    });
}

async fn what_a_command_says_of_its_output_holds(stage: Stage<Own>) {
    let parent = stage.endpoint("parent").await;
    let scratch = Scratch::new();
    let [out, err] = ["out", "err"].map(|name| scratch.join(name));
    let mut command = Own::command(stage.role(PUPPET, &[]));
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let child = stage.bus().spawn("c", command).await.unwrap();
    have_done(&parent, "c", Order::Say("hello".into())).await;
    assert!(child.shutdown(GRACE).await.unwrap().success());
    // The harness of the tests prints more.
    let out = fs::read_to_string(out).unwrap();
    assert!(out.contains("hello\n"), "{out}");
    assert_eq!(fs::read_to_string(err).unwrap(), "hello\n");
}

async fn a_child_goes_on_without_its_executor_unless_its_command_says_otherwise(stage: Stage<Own>) {
    let parent = stage.endpoint("parent").await;
    for is_killed in [false, true] {
        let executor = Arc::new(Executor::new());
        let platform = Smol::from(executor.clone());
        let bus = EventBus::at_on(platform, stage.bus().path()).unwrap();
        let work = async {
            let mut command = Own::command(stage.role(SURVIVOR, &[]));
            command.kill_on_drop(is_killed);
            let child = bus.spawn("c", command).await.unwrap();
            Process::open(child.id())
        };
        let process = executor.run(work).await;
        // With it goes the task that waits for the child.
        drop((bus, executor));
        if !is_killed {
            assert_eq!(order(&parent, "c", Order::Groups).await, Report::Names(vec![]));
            process.kill();
        }
        process.ended().await;
        until_gone(&parent, "c").await;
    }
}
