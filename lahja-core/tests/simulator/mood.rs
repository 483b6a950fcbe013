//! What a seed decides before a run begins: how many there are, within which bounds, in what weather.

use std::time::Duration;

use fastrand::Rng;
use lahja_core::Limits;

use crate::weather::{Fault, Weather};

/// What nothing waits for in vain: whatever takes as long has been forgotten.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// The most endpoints in a run.
pub(crate) const MAX_ENDPOINTS: usize = 4;

/// The numbers of errors with which a call may fail for good.
pub(crate) const ERRNOS: [i32; 8] = [
    rustix::io::Errno::PIPE.raw_os_error(),
    rustix::io::Errno::CONNRESET.raw_os_error(),
    rustix::io::Errno::NOBUFS.raw_os_error(),
    rustix::io::Errno::IO.raw_os_error(),
    rustix::io::Errno::TIMEDOUT.raw_os_error(),
    rustix::io::Errno::NOMEM.raw_os_error(),
    rustix::io::Errno::NOTCONN.raw_os_error(),
    rustix::io::Errno::AGAIN.raw_os_error(),
];

/// The character of a run.
#[derive(Debug, Clone)]
pub(crate) struct Mood {
    pub(crate) endpoints: usize,
    /// How many act at each endpoint, and how much each does.
    pub(crate) actors: usize,
    pub(crate) acts: usize,
    pub(crate) limits: Limits,
    /// The longest body of an event.
    pub(crate) longest: usize,
    /// Whether consumers and wires may come to a halt for longer than a stall takes.
    pub(crate) may_stall: bool,
    /// How often of 256 times a wire is made that breaks.
    pub(crate) dooms: u8,
    /// How often of 256 times a consumer pauses, and for how long.
    pub(crate) pauses: u8,
    pub(crate) pause: Duration,
    /// How often of 256 times a handler panics.
    pub(crate) panics: u8,
    /// Whether endpoints may close before the end.
    pub(crate) may_close: bool,
    /// Whether everybody is connected before anything else happens.
    pub(crate) is_connected_first: bool,
    /// Whether answerers may ask back: each request that waits for another holds room, which must
    /// not be scarce then.
    pub(crate) asks_back: bool,
    pub(crate) restlessness: u8,
    pub(crate) weather: Weather,
}

impl Mood {
    pub(crate) fn new(random: &mut Rng) -> Self {
        let may_stall = random.u8(..4) == 0;
        let short = Duration::from_millis(20);
        let mut limits = Limits::default();
        limits.window = pick(random, &[1, 64, 512, 4 << 10, limits.window]);
        limits.backlog = pick(random, &[1, 300, 4 << 10, limits.backlog]);
        limits.queue = limits.backlog;
        limits.capacity = pick(random, &[1, 3, 1_024]);
        limits.requests = pick(random, &[1, 2, 4_096]);
        limits.topics = pick(random, &[5, 4_096]);
        limits.request_timeout = FOR_EVER;
        limits.handshake_timeout = FOR_EVER;
        limits.stalled_after = if may_stall { short } else { FOR_EVER };
        limits.poll_for = Duration::from_micros(pick(random, &[0, 0, 10]));
        let asks_back =
            limits.window > 100_000 && limits.requests > 1_000 && limits.capacity > 1_000;
        // A byte at a time takes more polls than most runs are worth.
        let is_slow = random.u8(..16) == 0;
        let (piece, capacity) = match is_slow {
            true => (1, pick(random, &[1, 1_000])),
            false => {
                (pick(random, &[30, 300, 5_000, usize::MAX]), pick(random, &[40, 1_000, 200_000]))
            }
        };
        let weather = Weather {
            piece,
            capacity,
            delays: pick(random, &[0, 10, 120]),
            delay: Duration::from_micros(pick(random, &[5, 300])),
            interruptions: pick(random, &[0, 20]),
            freezes: pick(random, &[0, 0, 20]),
            freeze: if may_stall { short * 4 } else { Duration::from_millis(2) },
            life: [usize::MAX; 2],
            loses_tail: random.bool(),
            faults: Vec::new(),
            is_pipe: random.bool(),
        };
        // Some are so long that they go in parts, where the wire is fast enough for that.
        let longest = |longest| match (longest, piece, capacity) {
            (300, 5_000.., 200_000) => 300_000,
            _ => longest,
        };
        Self {
            endpoints: random.usize(2..=MAX_ENDPOINTS),
            actors: random.usize(1..=2),
            acts: if is_slow { 5 } else { pick(random, &[5, 10, 25]) },
            limits,
            longest: longest(pick(random, if is_slow { &[0] } else { &[0, 40, 300] })),
            may_stall,
            dooms: pick(random, &[0, 0, 60, 160]),
            pauses: pick(random, &[0, 60]),
            pause: if may_stall { short * 3 } else { Duration::from_millis(1) },
            panics: pick(random, &[0, 30]),
            may_close: random.u8(..3) == 0,
            is_connected_first: random.bool(),
            asks_back,
            restlessness: pick(random, &[0, 0, 20]),
            weather,
        }
    }

    /// Returns a time in which everything is done that can be.
    pub(crate) fn patience(&self) -> Duration {
        FOR_EVER
    }

    /// Returns the weather of one wire, and whether it breaks.
    pub(crate) fn weather(&self, random: &mut Rng) -> (Weather, bool) {
        let mut weather = self.weather.clone();
        let is_doomed = random.u8(..) < self.dooms;
        if is_doomed {
            match random.u8(..4) {
                0 => weather.life[random.usize(..2)] = random.usize(..3_000),
                1 => weather.life[random.usize(..2)] = random.usize(..300),
                _ => {
                    let call = random.u64(..400);
                    let errno = pick(random, &ERRNOS);
                    let fault = match random.u8(..3) {
                        0 => Fault::Errno(errno),
                        1 => Fault::Fatal(errno),
                        _ => Fault::Zero,
                    };
                    weather.faults.push((call, fault));
                }
            }
        }
        (weather, is_doomed)
    }
}

/// Chooses one of several.
pub(crate) fn pick<T: Copy>(random: &mut Rng, of: &[T]) -> T {
    of[random.usize(..of.len())]
}
