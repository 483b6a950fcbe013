//! The cases that every transport has to pass. `near` sends, if they do not say otherwise.

mod waking;

use std::future::poll_fn;
use std::iter;
use std::task::{Context, Poll, Waker};

use futures_lite::future::{poll_once, zip};
use lahja_core::{FrameError, FrameReader, FrameWriter, Transport};

pub use waking::*;

use super::ends::{apart, content, split};

/// Lengths about which buffers are made.
const LENS: [usize; 12] = [1, 2, 3, 4, 5, 127, 128, 4_096, 65_535, 65_536, 65_537, 262_145];

pub async fn frames_arrive_whole_and_in_order<N: Transport, F: Transport>(near: N, far: F) {
    let (_, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let sending = apart(async move {
        // Each by itself, then all at once.
        for (number, len) in LENS.into_iter().enumerate() {
            sender.send(&content(number, len)).await;
        }
        for (number, len) in LENS.into_iter().enumerate() {
            sender.frames.push(&content(number, len));
        }
        sender.flush().await.unwrap();
        assert!(sender.frames.is_empty());
        sender
    });
    receiver.expect(LENS).await;
    receiver.expect(LENS).await;
    drop(sending.joined());
}

pub async fn a_frame_may_begin_and_end_anywhere_in_what_is_read<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (_, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let sending = apart(async move {
        for len in 1..=1_000 {
            sender.frames.push(&content(len - 1, len));
            // Batches of one frame, of two, of three.
            if sender.frames.len() > len % 3 * 500 {
                sender.flush().await.unwrap();
            }
        }
        sender.flush().await.unwrap();
        sender
    });
    receiver.expect(1..=1_000).await;
    drop(sending.joined());
}

pub async fn what_is_taken_together_comes_next_and_stays_as_it_came<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    const HEADER: [u8; 3] = *b"abc";
    const COUNT: usize = 1_000;
    fn is_alike(number: usize) -> bool {
        number % 50 > 0
    }
    fn frame(number: usize) -> Vec<u8> {
        let mut frame = content(number, HEADER.len() + number * 37 % 400);
        if is_alike(number) {
            frame[..HEADER.len()].copy_from_slice(&HEADER);
        }
        frame
    }
    let (_, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let sending = apart(async move {
        for number in 0..COUNT {
            sender.frames.push(&frame(number));
            if number % 100 == 99 {
                sender.flush().await.unwrap();
            }
        }
        sender
    });
    let mut kept = Vec::new();
    let mut arrived = 0;
    while arrived < COUNT {
        let first = arrived;
        let together = receiver.0.next_alike(HEADER, |len| {
            assert_eq!(len, frame(arrived).len());
            let agrees = len % 30 > 0;
            arrived += usize::from(agrees);
            agrees
        });
        // A transport need not take any together.
        match together {
            Some(frames) => kept.push((first..arrived, frames)),
            None => {
                assert_eq!(arrived, first, "frames {first}..{arrived} are lost");
                assert_eq!(receiver.next().await, Some(frame(arrived)));
                arrived += 1;
            }
        }
    }
    // What was kept is as it was sent, though more has been read since.
    for (numbers, frames) in kept {
        assert!(numbers.clone().all(is_alike), "not all of {numbers:?} are alike");
        let sent = numbers.clone().map(frame);
        let sent =
            sent.flat_map(|frame| [(frame.len() as u32).to_le_bytes().to_vec(), frame].concat());
        assert!(frames.iter().copied().eq(sent), "{numbers:?} are not as they were sent");
    }
    drop(sending.joined());
}

pub async fn frames_arrive_while_the_other_end_waits_for_them<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    const ROUNDS: usize = 1_000;
    let (mut answers, mut sender) = split(near);
    let (mut receiver, mut answerer) = split(far);
    let answering = apart(async move {
        while let Some(content) = receiver.next().await {
            answerer.send(&content).await;
        }
        answerer.close().await;
    });
    for number in 0..ROUNDS {
        sender.send(&content(number, 10)).await;
        assert_eq!(answers.next().await, Some(content(number, 10)));
    }
    sender.close().await;
    assert_eq!(answers.next().await, None);
    answering.joined();
}

pub async fn both_directions_are_full_at_once_without_a_deadlock<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    const LEN: usize = 200_000;
    let (mut near_receiver, mut near_sender) = split(near);
    let (mut far_receiver, mut far_sender) = split(far);
    let near_count = near_sender.fill(0, LEN);
    let far_count = far_sender.fill(0, LEN);
    let near_flush = apart(async move {
        near_sender.flush().await.unwrap();
        near_sender
    });
    let far_flush = apart(async move {
        far_sender.flush().await.unwrap();
        far_sender
    });
    let near_lens = iter::repeat_n(LEN, near_count);
    let far_lens = iter::repeat_n(LEN, far_count);
    zip(far_receiver.expect(near_lens), near_receiver.expect(far_lens)).await;
    drop((near_flush.joined(), far_flush.joined()));
}

pub async fn a_full_direction_does_not_hold_up_the_other<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (mut near_receiver, mut near_sender) = split(near);
    let (mut far_receiver, mut far_sender) = split(far);
    let count = near_sender.fill(0, 100_000);
    for number in 0..100 {
        far_sender.send(&content(number, 1_000)).await;
        assert_eq!(near_receiver.next().await, Some(content(number, 1_000)));
    }
    let flush = apart(async move {
        near_sender.flush().await.unwrap();
        near_sender
    });
    far_receiver.expect(iter::repeat_n(100_000, count)).await;
    drop(flush.joined());
}

pub async fn closing_flushes<N: Transport, F: Transport>(near: N, far: F) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    // All of this is written, and the direction closed, before anybody reads.
    for number in 0..10 {
        sender.send(&content(number, 100)).await;
    }
    sender.close().await;
    receiver.expect([100; 10]).await;
    assert_eq!(receiver.next().await, None);
}

pub async fn closing_flushes_what_the_transport_holds_back<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    const LEN: usize = 100_000;
    let (reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let count = sender.fill(0, LEN);
    // What it has taken by now nobody has read.
    if sender.frames.is_empty() {
        let closed = sender.writer.poll_close(&mut Context::from_waker(Waker::noop()));
        assert!(!matches!(closed, Poll::Ready(Err(_))), "{closed:?}");
    }
    let closing = apart(async move {
        poll_fn(|context| match sender.frames.is_empty() {
            true => Poll::Ready(Ok(())),
            false => sender.poll(context),
        })
        .await
        .unwrap();
        sender.close().await;
        sender
    });
    receiver.expect(iter::repeat_n(LEN, count)).await;
    assert_eq!(receiver.next().await, None);
    drop((reader, closing.joined()));
}

pub async fn closing_one_direction_leaves_the_other_open<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (mut near_receiver, mut near_sender) = split(near);
    let (mut far_receiver, mut far_sender) = split(far);
    near_sender.close().await;
    assert_eq!(far_receiver.next().await, None);
    for number in 0..100 {
        far_sender.send(&content(number, 1_000)).await;
        assert_eq!(near_receiver.next().await, Some(content(number, 1_000)));
    }
    // The halves of the direction that is closed may go.
    drop((near_sender, far_receiver));
    far_sender.send(&content(0, 1)).await;
    assert_eq!(near_receiver.next().await, Some(content(0, 1)));
    far_sender.close().await;
    assert_eq!(near_receiver.next().await, None);
}

pub async fn the_end_is_seen_as_often_as_it_is_looked_for<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let reading = apart(async move {
        for _ in 0..3 {
            assert_eq!(receiver.next().await, None);
        }
    });
    sender.close().await;
    reading.joined();
}

pub async fn what_was_written_arrives_though_its_writer_is_dropped<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    for number in 0..10 {
        sender.send(&content(number, 100)).await;
    }
    drop((reader, sender));
    receiver.expect([100; 10]).await;
    assert_eq!(receiver.next().await, None);
}

pub async fn a_writer_that_is_dropped_in_the_middle_leaves_no_torn_frame<
    N: Transport,
    F: Transport,
>(
    near: N,
    far: F,
) {
    const LEN: usize = 1_000_003;
    let (reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let count = sender.fill(0, LEN);
    drop((reader, sender));
    let mut arrived = 0;
    // It ends in order or with an error, which depends on where it was cut.
    while let Ok(Some(frame)) = receiver.try_next().await {
        assert!(frame == content(arrived, LEN), "frame {arrived} is not as it was sent");
        arrived += 1;
    }
    assert!(arrived <= count);
}

pub async fn whoever_writes_to_nobody_fails_in_the_end<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (reader, mut sender) = split(near);
    drop(far);
    let writing = apart(async move {
        loop {
            sender.frames.push(&[0; 1_000]);
            if sender.flush().await.is_err() {
                break;
            }
        }
        // Nor does closing wait for anybody.
        let _ = poll_fn(|context| sender.writer.poll_close(context)).await;
    });
    writing.joined();
    drop(reader);
}

pub async fn a_write_that_is_given_up_is_carried_on_by_the_next<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    const LEN: usize = 100_000;
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    let mut count = sender.fill(0, LEN);
    for _ in 0..3 {
        // What the transport had no place for may have one by now.
        _ = poll_once(sender.flush()).await;
        sender.frames.push(&content(count, LEN));
        count += 1;
    }
    let reading = apart(async move {
        receiver.expect(iter::repeat_n(LEN, count)).await;
        receiver
    });
    // Given up again and again while they are read.
    while poll_once(sender.flush()).await.is_none() {
        futures_lite::future::yield_now().await;
    }
    drop(reading.joined());
}

pub async fn a_read_that_is_given_up_loses_nothing<N: Transport, F: Transport>(near: N, far: F) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    for number in 0..20 {
        assert!(poll_once(receiver.next()).await.is_none());
        let frame = content(number, 20_000);
        let sending = apart({
            let frame = frame.clone();
            async move {
                sender.send(&frame).await;
                sender
            }
        });
        loop {
            if let Some(arrived) = poll_once(receiver.next()).await {
                assert!(arrived == Some(frame), "frame {number} is not as it was sent");
                break;
            }
            futures_lite::future::yield_now().await;
        }
        sender = sending.joined();
    }
}

pub async fn a_frame_that_is_too_long_is_refused_behind_those_before_it<
    N: Transport,
    F: Transport,
>(
    near: N,
    far: F,
) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    receiver.0.set_max_frame(100);
    for (number, len) in [100, 100, 101, 100].into_iter().enumerate() {
        sender.frames.push(&content(number, len));
    }
    sender.flush().await.unwrap();
    receiver.expect([100, 100]).await;
    let refused = loop {
        match receiver.take() {
            Ok(None) => assert!(poll_fn(|context| receiver.0.poll_fill(context)).await.unwrap()),
            other => break other,
        }
    };
    assert_eq!(refused, Err(FrameError::TooLong { len: 101, max: 100 }));
}

pub async fn the_longest_frame_can_be_changed_between_two<N: Transport, F: Transport>(
    near: N,
    far: F,
) {
    let (_reader, mut sender) = split(near);
    let (mut receiver, _writer) = split(far);
    receiver.0.set_max_frame(10);
    sender.frames.push(&content(0, 10));
    sender.frames.push(&content(1, 1_000));
    sender.flush().await.unwrap();
    assert_eq!(receiver.next().await, Some(content(0, 10)));
    receiver.0.set_max_frame(1_000);
    assert_eq!(receiver.next().await, Some(content(1, 1_000)));
}
