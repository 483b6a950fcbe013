//! Connections to the subject of those who do not speak its language.

use std::collections::VecDeque;
use std::sync::Arc;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::unix::UnixStream;

use super::{Load, SUBJECT};
use crate::Result;
use crate::tally::Deed;
use crate::work::{Worker, pause, within};

/// How many connections say nothing at a time. They are more than may shake hands at once, so that
/// some are ended for that, and others because they take too long.
const SILENT: usize = 20;

/// Connects until the work stops.
pub(super) async fn connect(
    load: Arc<Load>,
    worker: Arc<Worker>,
    mut dice: fastrand::Rng,
) -> Result<()> {
    let path = load.bus.path().join(format!("{SUBJECT}.ipc"));
    let mut silent = VecDeque::with_capacity(SILENT + 1);
    while worker.goes_on() {
        let mut stream = UnixStream::connect(&path).await?;
        // The subject may have hung up at any moment.
        match dice.u8(..8) {
            0..=3 => {
                silent.push_back(stream);
                if silent.len() > SILENT {
                    drop(silent.pop_front());
                }
                load.tally.count(Deed::Silent);
            }
            4 => {
                let mut noise = vec![0; dice.usize(1..10_000)];
                dice.fill(&mut noise);
                _ = within(100, stream.write_all(&noise)).await;
                load.tally.count(Deed::Noise);
            }
            5..=6 => {
                // What the subject says is what it wants to hear, but that it is its own.
                let mut hello = [0; 64];
                if let Some(Ok(len)) = within(100, stream.read(&mut hello)).await {
                    let said = &hello[..dice.usize(..=len)];
                    _ = within(100, stream.write_all(said)).await;
                    pause(dice.u64(..5)).await;
                }
                load.tally.count(Deed::HalfHello);
            }
            _ => load.tally.count(Deed::HungUp),
        }
        pause(dice.u64(1..60)).await;
    }
    Ok(())
}
