//! The baseline: blocking Unix sockets, with frames of the same shape and the same encoding as
//! lahja's, and nothing else. It gathers small events before a write, as the fastest of streams do;
//! for several consumers it encodes a batch once. Large payloads are written from where they lie, and
//! read to where they stay, behind three numbers that are not encoded.

pub(super) mod socket;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::dup;

use crate::Result;
use crate::case::{Case, Waits, Work};
use crate::control::{Children, Control, Receipt, Tally};
use crate::meter::{Laps, Meter, Pace, SETTLED, cpu_ns};
use crate::outcome::{Answer, Outcome};
use crate::payload::Parcel;
use crate::subject::Subject;
use socket::{Incoming, Outgoing, Socket};

/// From this length on a payload is written from where it is.
const LARGE: usize = 16 * 1024;

/// A raw Unix socket.
#[derive(Debug)]
pub struct Raw;

impl Subject for Raw {
    fn name(&self) -> &'static str {
        "raw"
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        if let Some(why) = cannot(case.work) {
            return Ok(Answer::cannot(why));
        }
        let mut children = Children::new(self, case)?;
        let polls = case.waits == Waits::Polling;
        let sockets = children.start_with_sockets()?.into_iter();
        let sockets: Vec<_> =
            sockets.map(|stream| Socket::new(stream, polls)).collect::<Result<_>>()?;
        children.wait_until_ready()?;
        let outcome = produce(case, &sockets, &mut children)?;
        drop(sockets);
        children.wait_until_ended()?;
        Ok(outcome.into())
    }

    fn child(&self, case: &Case, index: usize) -> Result<()> {
        let stream = UnixStream::from(dup(rustix::stdio::stdin())?);
        let socket = Socket::new(stream, case.waits == Waits::Polling)?;
        let mut receipt = Receipt::new(case);
        let control = Control::ready(index)?;
        match case.work {
            Work::RoundTrip { .. } | Work::Request { .. } | Work::InFlight { .. } => {
                answer(&socket, &mut receipt)?;
            }
            Work::Idle { millis } => {
                std::thread::sleep(SETTLED);
                let start_ns = cpu_ns();
                std::thread::sleep(Duration::from_millis(millis));
                return control.done(&Tally::idle(start_ns));
            }
            _ if case.payload >= LARGE => {
                while !receipt.is_complete() {
                    receipt.take(&socket.receive_large()?);
                }
            }
            _ => {
                let mut incoming = Incoming::new(&socket);
                while !receipt.is_complete() {
                    receipt.take(&incoming.receive()?);
                }
            }
        }
        control.done(&receipt.tally()?)
    }
}

fn cannot(work: Work) -> Option<&'static str> {
    match work {
        Work::Beside { .. } | Work::Topics { .. } => Some("it has no topics"),
        Work::Local { .. } => Some("it carries nothing within a process"),
        Work::Endpoints { .. } | Work::Connections { .. } => Some("it has neither state nor tasks"),
        _ => None,
    }
}

fn produce(case: &Case, sockets: &[Socket], children: &mut Children) -> Result<Outcome> {
    let count = case.work.count();
    match case.work {
        Work::RoundTrip { .. } | Work::Request { .. } => {
            let outcome = round_trips(case, &sockets[0])?;
            Ok(outcome.with_tallies(&children.wait_until_done()?))
        }
        Work::InFlight { at_once, .. } => {
            let outcome = in_flight(case, &sockets[0], at_once)?;
            Ok(outcome.with_tallies(&children.wait_until_done()?))
        }
        Work::Idle { millis } => {
            std::thread::sleep(SETTLED);
            let meter = Meter::start();
            std::thread::sleep(Duration::from_millis(millis));
            Ok(meter.until_now(0).with_tallies(&children.wait_until_done()?))
        }
        Work::Paced { per_second, .. } => {
            let meter = Meter::start();
            paced(case, sockets, per_second)?;
            Ok(meter.until_last(count, &children.wait_until_done()?))
        }
        _ => {
            let meter = Meter::start();
            match case.payload >= LARGE {
                true => large(case, sockets)?,
                false => small(case, sockets)?,
            }
            Ok(meter.until_last(count, &children.wait_until_done()?))
        }
    }
}

fn small(case: &Case, sockets: &[Socket]) -> Result<()> {
    let mut outgoing = Outgoing::new();
    for seq in 0..case.work.count() {
        outgoing.push(&Parcel::new(seq, case.payload))?;
        if outgoing.is_full() {
            outgoing.flush(sockets)?;
        }
    }
    outgoing.flush(sockets)
}

fn large(case: &Case, sockets: &[Socket]) -> Result<()> {
    for seq in 0..case.work.count() {
        let parcel = Parcel::new(seq, case.payload);
        sockets.iter().try_for_each(|socket| socket.send_large(&parcel))?;
    }
    Ok(())
}

fn paced(case: &Case, sockets: &[Socket], per_second: u64) -> Result<()> {
    let mut outgoing = Outgoing::new();
    let pace = Pace::start(per_second);
    for seq in 0..case.work.count() {
        std::thread::sleep(pace.until(seq));
        outgoing.push(&Parcel::sent_now(seq, case.payload))?;
        outgoing.flush(sockets)?;
    }
    Ok(())
}

fn round_trips(case: &Case, socket: &Socket) -> Result<Outcome> {
    let count = case.work.count();
    let (mut outgoing, mut incoming) = (Outgoing::new(), Incoming::new(socket));
    let meter = Meter::start();
    let mut laps = Laps::start(count);
    for seq in 0..count {
        outgoing.push(&Parcel::new(seq, case.payload))?;
        outgoing.flush(std::slice::from_ref(socket))?;
        incoming.receive::<Parcel>()?.expect(seq, case.payload);
        laps.lap();
    }
    Ok(meter.until_now(count).with_latencies(laps.latencies()))
}

/// Sends as many requests as may be in flight, and takes whatever has come before it sends more.
fn in_flight(case: &Case, socket: &Socket, at_once: u64) -> Result<Outcome> {
    let count = case.work.count();
    let (mut outgoing, mut incoming) = (Outgoing::new(), Incoming::new(socket));
    let meter = Meter::start();
    let (mut asked, mut answered) = (0, 0);
    while answered < count {
        while asked < count.min(answered + at_once) {
            outgoing.push(&Parcel::new(asked, case.payload))?;
            asked += 1;
        }
        outgoing.flush(std::slice::from_ref(socket))?;
        loop {
            incoming.receive::<Parcel>()?.expect(answered, case.payload);
            answered += 1;
            if !incoming.has_frame() {
                break;
            }
        }
    }
    Ok(meter.until_now(count))
}

/// Answers each parcel with the same, and writes once nothing more has come.
fn answer(socket: &Socket, receipt: &mut Receipt) -> Result<()> {
    let (mut outgoing, mut incoming) = (Outgoing::new(), Incoming::new(socket));
    while !receipt.is_complete() {
        let parcel: Parcel = incoming.receive()?;
        receipt.take(&parcel);
        outgoing.push(&parcel)?;
        if !incoming.has_frame() {
            outgoing.flush(std::slice::from_ref(socket))?;
        }
    }
    Ok(())
}
