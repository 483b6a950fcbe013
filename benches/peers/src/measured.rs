//! Peers as subjects: what they do in each case, the same for all of them.

use blocking::unblock;
use lahja_bench::{
    Answer, Case, Children, Control, Laps, Meter, Outcome, Pace, Parcel, Receipt, Result, Subject,
    Threads, Work,
};

use crate::peer::{Consumer, Peer, Place, Producer};
use crate::shape::Shape;

/// A peer that is measured.
pub(crate) struct Measured<P>(pub(crate) P);

impl<P: Peer> Subject for Measured<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn slowness(&self) -> u64 {
        P::SLOWNESS
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        if let Some(why) = unwanted(case).or_else(|| self.0.cannot(case)) {
            return Ok(Answer::cannot(why));
        }
        self.0.run(async {
            let place = Place::of_producer()?;
            let mut producer = self.0.produce(case, &place).await?;
            let mut children = Children::new(self, case)?;
            children.start_all()?;
            producer.meet(children.count()).await?;
            let children = unblock(|| children.wait_until_ready().map(|()| children)).await?;
            let outcome = match Shape::of(case) {
                Shape::ThereAndBack => there_and_back(case, producer, children).await?,
                Shape::There | Shape::Everywhere => there(case, producer, children).await?,
            };
            Ok(outcome.into())
        })
    }

    fn child(&self, case: &Case, index: usize) -> Result<()> {
        self.0.run(async {
            let place = Place::of_consumer()?;
            let mut consumer = self.0.consume(case, &place, index).await?;
            let mut receipt = Receipt::new(case);
            let mut control = Control::ready(index)?;
            if Shape::of(case) == Shape::ThereAndBack {
                consumer.serve(&mut receipt).await?;
                // The last answers may still be on their way.
                control = unblock(|| control.wait_for_go().map(|()| control)).await?;
            }
            while !receipt.is_complete() {
                receipt.take(&consumer.receive().await?);
            }
            control.done(&receipt.tally()?)
        })
    }
}

/// How many consumers there are at most.
const CROWD: usize = 10;

/// Returns why a case is nothing for others than lahja and what it is compared with, if it is not.
pub(crate) fn unwanted(case: &Case) -> Option<&'static str> {
    match case.work {
        _ if case.threads != Threads::One => Some("its threads are its own"),
        Work::Request { .. } => Some("as its round trip"),
        Work::Beside { .. } | Work::Local { .. } | Work::Topics { .. } => Some("not measured"),
        Work::Idle { .. } | Work::Endpoints { .. } | Work::Connections { .. } => {
            Some("not measured")
        }
        _ if case.consumers > CROWD => Some("not measured with so many"),
        _ => None,
    }
}

async fn there(
    case: &Case,
    mut producer: impl Producer,
    mut children: Children,
) -> Result<Outcome> {
    let count = case.work.count();
    let meter = Meter::start();
    match case.work {
        Work::Paced { per_second, .. } => {
            let pace = Pace::start(per_second);
            for seq in 0..count {
                // Nothing else is to be done on this thread.
                std::thread::sleep(pace.until(seq));
                producer.send(Parcel::sent_now(seq, case.payload)).await?;
                producer.flush().await?;
            }
        }
        _ => {
            for seq in 0..count {
                producer.send(Parcel::new(seq, case.payload)).await?;
            }
            producer.flush().await?;
        }
    }
    let (tallies, children) =
        unblock(|| children.wait_until_done().map(|tallies| (tallies, children))).await?;
    let outcome = meter.until_last(count, &tallies);
    unblock(|| children.wait_until_ended()).await?;
    Ok(outcome)
}

async fn there_and_back(
    case: &Case,
    mut producer: impl Producer,
    mut children: Children,
) -> Result<Outcome> {
    let count = case.work.count();
    let at_once = match case.work {
        Work::InFlight { at_once, .. } => at_once,
        _ => 1,
    };
    let mut sent = 0;
    let meter = Meter::start();
    let mut laps = Laps::start(count);
    for seq in 0..count {
        while sent < count.min(seq + at_once) {
            producer.send(Parcel::new(sent, case.payload)).await?;
            sent += 1;
        }
        producer.flush().await?;
        let answer = producer.answer().await?;
        answer.expect(seq, case.payload);
        laps.lap();
    }
    let mut outcome = meter.until_now(count);
    if at_once == 1 {
        outcome = outcome.with_latencies(laps.latencies());
    }
    children.go()?;
    drop(producer);
    let (tallies, children) =
        unblock(|| children.wait_until_done().map(|tallies| (tallies, children))).await?;
    unblock(|| children.wait_until_ended()).await?;
    Ok(outcome.with_tallies(&tallies))
}
