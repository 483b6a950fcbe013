//! What endpoints count.

use std::time::Duration;

use futures_lite::future::{poll_once, zip};
use lahja_core::{Limits, Stats, StreamTransport, memory_pair};

use crate::common::{Number, Question, build, join, run, settle, with_limits};

#[test]
fn traffic_is_counted_at_both_ends_and_beyond_the_end() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |builder| builder);
        let b = build(&runtime, "b", |builder| builder);
        join(&a, &b).await;
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        for number in 0..5 {
            a.broadcast(Number(number)).await.unwrap();
        }
        for _ in 0..5 {
            stream.next().await.unwrap().unwrap();
        }
        settle().await;
        let (sent, received) = (a.stats().traffic.sent, b.stats().traffic.received);
        assert_eq!((sent.events, received.events), (5, 5));
        assert_eq!(sent.bytes, received.bytes);
        // A frame of an event: its length, kind, flags and number, and the payload.
        assert!(sent.bytes > 5 * (4 + 3 + 1), "{sent:?}");
        assert_eq!(a.traffic("b").unwrap().sent, sent);
        a.close(Duration::from_secs(10)).await;
        b.close(Duration::from_secs(10)).await;
        // A goodbye more, each way.
        for (before, after) in
            [(sent, a.stats().traffic.sent), (received, b.stats().traffic.received)]
        {
            assert_eq!((after.events, after.frames), (5, before.frames + 1));
        }
    });
}

#[test]
fn what_is_held_is_told_while_it_is_held() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |builder| builder);
        let b = build(&runtime, "b", |builder| builder);
        join(&a, &b).await;
        let mut theirs = b.stream::<Number>();
        let mut own = a.stream::<Number>();
        theirs.ready().await.unwrap();
        for _ in 0..3 {
            a.broadcast(Number(0)).await.unwrap();
        }
        settle().await;
        assert_eq!((a.stats().queued_events, a.stats().unconsumed_bytes), (3, 0));
        assert_eq!((b.stats().queued_events, b.stats().unconsumed_bytes), (3, 3 * 17));
        for _ in 0..3 {
            theirs.next().await.unwrap().unwrap();
            own.next().await.unwrap().unwrap();
        }
        drop((theirs, own));
        settle().await;
        for endpoint in [&a, &b] {
            let Stats { queued_events, unconsumed_bytes, unsent_bytes, .. } = endpoint.stats();
            assert_eq!((queued_events, unconsumed_bytes, unsent_bytes), (0, 0, 0));
        }
        let questions = b.stream::<Question>();
        questions.ready().await.unwrap();
        let mut asking = a.request(Question(1)).into_future();
        assert!(poll_once(&mut asking).await.is_none());
        assert_eq!(a.stats().requests_in_flight, 1);
        drop(asking);
        assert_eq!(a.stats().requests_in_flight, 0);
    });
}

#[test]
fn a_stall_is_counted_with_what_it_costs() {
    run(|runtime| async move {
        let mut limits = Limits::default();
        limits.window = 17;
        limits.stalled_after = Duration::from_millis(20);
        let a = with_limits(&runtime, "a", limits.clone());
        let b = with_limits(&runtime, "b", limits);
        join(&a, &b).await;
        let mut stream = b.stream::<Number>();
        stream.ready().await.unwrap();
        for number in 0..4 {
            a.broadcast(Number(number)).await.unwrap();
        }
        let Stats { stalls, stalled_peers, traffic, .. } = a.stats();
        assert_eq!((stalls, stalled_peers), (1, 1));
        assert_eq!((traffic.sent.events, traffic.sent.missed), (1, 3));
        assert_eq!(stream.next().await.unwrap().unwrap().0, 0);
        assert_eq!(stream.next().await.unwrap().unwrap_err().0, 3);
        assert_eq!(b.stats().traffic.received.missed, 3);
        assert_eq!((a.stats().stalls, a.stats().stalled_peers), (1, 0));
    });
}

#[test]
fn failed_handshakes_and_broken_connections_are_counted() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |builder| builder);
        let stranger = || StreamTransport::new(&b"\x03\0\0\0GET"[..], futures_lite::io::sink());
        a.attach(stranger()).await.unwrap_err();
        assert_eq!((a.stats().failed_handshakes, a.stats().broken_connections), (1, 1));
        let mute = StreamTransport::new(futures_lite::io::empty(), futures_lite::io::sink());
        a.attach(mute).await.unwrap_err();
        assert_eq!((a.stats().failed_handshakes, a.stats().broken_connections), (2, 1));
    });
}

#[test]
fn handshakes_that_are_cut_short_by_closing_are_no_trouble() {
    run(|runtime| async move {
        let a = build(&runtime, "a", |builder| builder);
        let (near, far) = memory_pair();
        let attaching = async { a.attach(near).await.unwrap_err() };
        let closing = async {
            settle().await;
            a.close(Duration::from_secs(10)).await
        };
        zip(attaching, closing).await;
        assert_eq!(a.stats().failed_handshakes, 0);
        drop(far);
    });
}
