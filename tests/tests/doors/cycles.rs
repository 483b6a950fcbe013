//! What is left after the same was done again and again: nothing.

use std::time::Duration;

use lahja_contract::counted::Counted;
use lahja_contract::process::{children, descriptors, until};
use lahja_contract::puppet::until_gone;
use lahja_contract::roles::PUPPET;
use lahja_contract::scratch::{Scratch, entries};
use lahja_contract::{Stage, rounds};
use lahja_core::{Endpoint, EventBus, UnixConnector, UnixListener};
use lahja_smol::Smol;

use crate::subjects::Own;

mod one_thread {
    lahja_contract::own_cases!(super::Own, {
        connections_that_come_and_go_leave_no_descriptor_and_no_task,
        endpoints_that_come_and_go_leave_no_descriptor_no_task_and_no_file,
        children_that_come_and_go_leave_no_descriptor_no_task_and_no_process,
    });
}

/// How long a child or an endpoint may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(30);

/// Does the same again and again, and checks that all is then as it was after the first time.
async fn again_and_again(platform: &Counted<Smol>, default: u64, cycle: impl AsyncFn()) {
    let resting_tasks = platform.tasks();
    cycle().await;
    until(|| platform.tasks() == resting_tasks).await;
    let resting_descriptors = descriptors();
    for _ in 0..rounds(default) {
        cycle().await;
        assert!(platform.tasks() < resting_tasks + 100, "tasks pile up");
    }
    until(|| platform.tasks() == resting_tasks).await;
    until(|| descriptors() <= resting_descriptors).await;
}

async fn connections_that_come_and_go_leave_no_descriptor_and_no_task(stage: Stage<Own>) {
    let scratch = Scratch::new();
    let platform = Counted::from(stage.platform().clone());
    let endpoint = |name| Endpoint::builder(name).unwrap().build(platform.clone());
    let server = endpoint("server");
    let path = scratch.join("socket");
    server.serve(UnixListener::bind_on(&platform, &path).unwrap()).detach();
    let connector = UnixConnector::on(platform.clone(), path);
    again_and_again(&platform, 1_000, async || {
        let client = endpoint("client");
        client.connect(connector.clone()).await.unwrap();
        server.wait_until_connected_to("client").await;
        client.close(GRACE).await;
        until_gone(&server, "client").await;
    })
    .await;
}

async fn endpoints_that_come_and_go_leave_no_descriptor_no_task_and_no_file(stage: Stage<Own>) {
    let platform = Counted::from(stage.platform().clone());
    let bus = EventBus::new_on(platform.clone()).unwrap();
    let parent = bus.endpoint("parent").await.unwrap();
    let resting = entries(bus.path());
    again_and_again(&platform, 1_000, async || {
        let member = bus.endpoint("member").await.unwrap();
        parent.wait_until_connected_to("member").await;
        member.close(GRACE).await;
        until_gone(&parent, "member").await;
    })
    .await;
    assert_eq!(entries(bus.path()), resting);
}

async fn children_that_come_and_go_leave_no_descriptor_no_task_and_no_process(stage: Stage<Own>) {
    let platform = Counted::from(stage.platform().clone());
    let bus = EventBus::new_on(platform.clone()).unwrap();
    let parent = bus.endpoint("parent").await.unwrap();
    again_and_again(&platform, 20, async || {
        let command = stage.command(stage.role(PUPPET, &[]));
        let child = bus.spawn("c", command).await.unwrap();
        parent.wait_until_connected_to("c").await;
        assert!(child.shutdown(GRACE).await.unwrap().success());
        until_gone(&parent, "c").await;
        assert_eq!(children(), [0_u32; 0]);
    })
    .await;
}
