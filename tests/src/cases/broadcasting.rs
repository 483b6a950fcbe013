//! Who gets a broadcast.

use crate::puppet::Number;
use crate::stage::Stage;
use crate::subject::Subject;

pub async fn an_event_reaches_every_subscriber_and_oneself<S: Subject>(stage: Stage<S>) {
    let [a, b, c] = stage.meet(["a", "b", "c"]).await;
    let mut streams = [&a, &b, &c].map(|endpoint| endpoint.stream::<Number>());
    for stream in &streams {
        stream.ready().await.unwrap();
    }
    a.broadcast(Number(7)).await.unwrap();
    for stream in &mut streams {
        let event = stream.next().await.unwrap().unwrap();
        assert_eq!(*event, Number(7));
        assert_eq!(event.origin(), "a");
    }
}
