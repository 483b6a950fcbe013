//! The baseline of events within one process: a bounded channel.

use smol::channel::bounded;
use smol::future::zip;

use crate::Result;
use crate::case::{Case, Work};
use crate::control::Receipt;
use crate::meter::Meter;
use crate::outcome::Answer;
use crate::payload::Parcel;
use crate::subject::Subject;
use crate::subjects::lahja::{Host, OnSmol};

/// How many events wait in it at most; as many as wait in an endpoint for a subscription of its own.
const CAPACITY: usize = 1_024;

/// A bounded `async_channel`, on smol.
#[derive(Debug)]
pub struct AsyncChannel;

impl Subject for AsyncChannel {
    fn name(&self) -> &'static str {
        "async-channel"
    }

    fn measure(&self, case: &Case) -> Result<Answer> {
        if !matches!(case.work, Work::Local { .. }) {
            return Ok(Answer::cannot("it stays within a process"));
        }
        let case = case.clone();
        OnSmol::run(case.threads, |_| async move {
            let (sender, receiver) = bounded(CAPACITY);
            let mut receipt = Receipt::new(&case);
            let consumer = async {
                while !receipt.is_complete() {
                    receipt.take(&receiver.recv().await?);
                }
                receipt.tally()
            };
            let meter = Meter::start();
            let producer = async {
                for seq in 0..case.work.count() {
                    sender.send(Parcel::new(seq, case.payload)).await?;
                }
                Ok(())
            };
            let (sent, tally) = zip(producer, consumer).await;
            sent.and(Ok(meter.until_last(case.work.count(), &[tally?]).of_one_process().into()))
        })
        .unwrap_or_else(|| Ok(Answer::cannot("its work is a task")))
    }

    fn child(&self, _: &Case, _: usize) -> Result<()> {
        Err("there are no consumer processes".into())
    }
}
