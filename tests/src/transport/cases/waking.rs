//! Who is woken, and who asks instead.

use std::io;
use std::iter;
use std::task::{Context, Poll, Waker};
use std::thread;

use lahja_core::{FrameReader, Transport};

use crate::transport::cases::LENS;
use crate::transport::ends::{Alarm, apart, content, split};

pub async fn whoever_read_last_is_woken<N: Transport, F: Transport>(near: N, far: F) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let mut once = |waker: &Waker| receiver.0.poll_fill(&mut Context::from_waker(waker));
    assert!(once(Waker::noop()).is_pending());
    let alarm = Alarm::of_this_thread();
    let waker = alarm.clone().into();
    assert!(once(&waker).is_pending());
    sender.send(&content(0, 10)).await;
    let arrived = loop {
        if let Some(arrived) = receiver.take().unwrap() {
            break arrived;
        }
        let mut context = Context::from_waker(&waker);
        // A wake-up may come early, or with the first bytes alone.
        while receiver.0.poll_fill(&mut context).is_pending() {
            alarm.wait();
        }
    };
    assert_eq!(arrived, content(0, 10));
}

pub async fn whoever_asks_again_gets_everything_and_the_end<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let sending = apart(async move {
        for (number, len) in LENS.into_iter().enumerate() {
            sender.send(&content(number, len)).await;
        }
        sender.close().await;
    });
    let mut context = Context::from_waker(Waker::noop());
    let mut arrived = Vec::new();
    loop {
        match receiver.0.poll_ask(&mut context) {
            Poll::Pending => thread::yield_now(),
            Poll::Ready(there) if there.as_ref().is_ok_and(|there| *there) => {
                arrived.extend(iter::from_fn(|| receiver.take().unwrap()));
            }
            Poll::Ready(there) => {
                assert!(!there.unwrap());
                receiver.0.finish().unwrap();
                break;
            }
        }
    }
    sending.joined();
    let sent = LENS.into_iter().enumerate().map(|(number, len)| content(number, len));
    assert!(arrived.into_iter().eq(sent), "the frames are not as they were sent");
}

pub async fn whoever_has_asked_is_woken_if_it_then_waits<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let alarm = Alarm::of_this_thread();
    let waker = alarm.clone().into();
    for number in 0..3 {
        let nothing = |there: io::Result<bool>| assert!(there.unwrap(), "it has ended");
        while let Poll::Ready(there) = receiver.0.poll_ask(&mut Context::from_waker(Waker::noop()))
        {
            nothing(there);
        }
        while let Poll::Ready(there) = receiver.0.poll_fill(&mut Context::from_waker(&waker)) {
            nothing(there);
        }
        let sending = apart(async move {
            sender.send(&content(number, 10)).await;
            sender
        });
        alarm.wait();
        let arrived = loop {
            if let Some(arrived) = receiver.take().unwrap() {
                break arrived;
            }
            while receiver.0.poll_fill(&mut Context::from_waker(&waker)).is_pending() {
                alarm.wait();
            }
        };
        assert_eq!(arrived, content(number, 10));
        sender = sending.joined();
    }
}

pub async fn whoever_wrote_last_is_woken<N: Transport, F: Transport>(near: N, far: F) {
    const LEN: usize = 100_000;
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let mut count = sender.fill(0, LEN);
    let alarm = Alarm::of_this_thread();
    let waker = alarm.clone().into();
    // What the transport had no place for may have one a moment later.
    while sender.poll(&mut Context::from_waker(&waker)).is_ready() {
        count = sender.fill(count, LEN);
    }
    let reading = apart(async move {
        receiver.expect(iter::repeat_n(LEN, count)).await;
        receiver
    });
    while sender.poll(&mut Context::from_waker(&waker)).is_pending() {
        alarm.wait();
    }
    drop(reading.joined());
}
