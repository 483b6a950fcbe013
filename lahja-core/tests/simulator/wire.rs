//! A byte stream whose every call may be cut short, late, or fail.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fastrand::Rng;
use futures_io::{AsyncRead, AsyncWrite};
use lahja_core::StreamTransport;

use crate::executor::{Simulation, lock};
use crate::monitor::Monitor;
use crate::weather::{Fault, Weather};

const INTERRUPTED: i32 = rustix::io::Errno::INTR.raw_os_error();
const RESET: i32 = rustix::io::Errno::CONNRESET.raw_os_error();

pub(crate) type Transport = StreamTransport<ReadHalf, WriteHalf>;

/// Two ends, and what is on its way between them.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

struct State {
    simulation: Simulation,
    weather: Weather,
    /// The first leads from the near end to the far one.
    lanes: [Lane; 2],
    calls: u64,
    /// How many halves of each end are there.
    halves: [usize; 2],
    is_dead: bool,
    monitor: Monitor,
}

/// The bytes on their way in one direction.
struct Lane {
    random: Rng,
    bytes: VecDeque<u8>,
    passed: usize,
    /// Nothing more is written: the reader comes to the end.
    is_closed: bool,
    /// Nobody reads any more.
    is_abandoned: bool,
    /// The reader comes to an error instead of the end.
    is_reset: bool,
    /// Whether a write has failed, after which there may be no other.
    has_failed: bool,
    frozen_until: Duration,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a call does.
enum Gate {
    Open,
    Zero,
    Pending,
}

impl Wire {
    /// Makes a wire and the transports at its near and its far end.
    pub(crate) fn new(
        simulation: &Simulation,
        weather: Weather,
        window: u64,
    ) -> (Self, Transport, Transport) {
        let lanes = [0, 1].map(|_| Lane {
            random: simulation.fork_random(),
            bytes: VecDeque::new(),
            passed: 0,
            is_closed: false,
            is_abandoned: false,
            is_reset: false,
            has_failed: false,
            frozen_until: Duration::ZERO,
            reader: None,
            writer: None,
        });
        let is_dead = weather.life.contains(&0);
        let wire = Self(Arc::new(Mutex::new(State {
            simulation: simulation.clone(),
            weather,
            lanes,
            calls: 0,
            halves: [2, 2],
            is_dead,
            monitor: Monitor::new(window),
        })));
        let end = |reads: usize| {
            StreamTransport::new(
                ReadHalf { wire: wire.clone(), lane: reads },
                WriteHalf { wire: wire.clone(), lane: 1 - reads },
            )
        };
        let (near, far) = (end(1), end(0));
        (wire, near, far)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Returns how many bytes were written from the near end and from the far one.
    pub(crate) fn passed(&self) -> [usize; 2] {
        let state = self.lock();
        [0, 1].map(|lane| state.lanes[lane].passed)
    }

    /// Returns how often the wire was called.
    pub(crate) fn calls(&self) -> u64 {
        self.lock().calls
    }

    /// Returns how often an end has cancelled a request.
    pub(crate) fn cancellations(&self) -> u64 {
        self.lock().monitor.cancellations()
    }

    /// Returns how many halves of its ends are left.
    pub(crate) fn halves(&self) -> usize {
        self.lock().halves.iter().sum()
    }

    /// Checks what was written: whole frames that keep the protocol, and after the last of them a
    /// part of one only where the wire broke.
    pub(crate) fn assert_sound(&self) {
        let state = self.lock();
        state.monitor.assert_kept(&format!("{:?}", state.weather));
    }
}

impl State {
    /// Lets a call through, or not.
    fn gate(&mut self, lane: usize, waker: &Waker) -> io::Result<Gate> {
        let call = self.calls;
        self.calls += 1;
        let fault = self.weather.faults.iter().find(|fault| fault.0 == call);
        if let Some(&(_, fault)) = fault {
            return match fault {
                Fault::Errno(number) => Err(io::Error::from_raw_os_error(number)),
                Fault::Fatal(number) => {
                    self.die();
                    Err(io::Error::from_raw_os_error(number))
                }
                Fault::Zero => Ok(Gate::Zero),
                Fault::Pending => {
                    self.simulation.wake_after(Duration::from_micros(50), waker.clone());
                    Ok(Gate::Pending)
                }
            };
        }
        let Self { lanes, weather, simulation, .. } = self;
        let random = &mut lanes[lane].random;
        if random.u8(..) < weather.interruptions {
            return Err(io::Error::from_raw_os_error(INTERRUPTED));
        }
        if random.u8(..) < weather.delays {
            let delay = random.u64(0..=weather.delay.as_micros() as u64);
            simulation.wake_after(Duration::from_micros(delay), waker.clone());
            return Ok(Gate::Pending);
        }
        Ok(Gate::Open)
    }

    /// Ends both directions; what is on its way arrives, or some of it.
    fn die(&mut self) {
        self.is_dead = true;
        for lane in &mut self.lanes {
            if self.weather.loses_tail {
                let rest = lane.random.usize(0..=lane.bytes.len());
                lane.bytes.truncate(rest);
            }
            lane.wake();
        }
    }

    /// Notes that a half of an end is gone. The far end is 1.
    fn half_gone(&mut self, end: usize) {
        self.halves[end] -= 1;
        if self.halves[end] == 0 {
            self.lanes[end].close();
            self.abandon(1 - end);
        }
    }

    /// Notes that a lane is read no more.
    fn abandon(&mut self, lane: usize) {
        let abandoned = &mut self.lanes[lane];
        abandoned.is_abandoned = true;
        let was_unread = !abandoned.bytes.is_empty();
        abandoned.wake();
        if was_unread && !self.weather.is_pipe {
            self.lanes[1 - lane].is_reset = true;
            self.lanes[1 - lane].wake();
        }
    }
}

impl Lane {
    /// Returns how many bytes the next call moves at the most.
    fn piece(&mut self, weather: &Weather) -> usize {
        match weather.piece {
            usize::MAX => usize::MAX,
            piece => self.random.usize(1..=piece),
        }
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.wake();
    }

    fn wake(&mut self) {
        self.reader.take().inspect(Waker::wake_by_ref);
        self.writer.take().inspect(Waker::wake_by_ref);
    }
}

/// The end of a lane that is read.
pub(crate) struct ReadHalf {
    wire: Wire,
    lane: usize,
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.wire.lock();
        match state.gate(self.lane, context.waker())? {
            Gate::Open => {}
            Gate::Zero => return Poll::Ready(Ok(0)),
            Gate::Pending => return Poll::Pending,
        }
        let State { lanes, weather, simulation, is_dead, .. } = &mut *state;
        let lane = &mut lanes[self.lane];
        let now = simulation.elapsed();
        if lane.random.u16(..1_024) < weather.freezes {
            let freeze = lane.random.u64(0..=weather.freeze.as_micros() as u64);
            lane.frozen_until = now + Duration::from_micros(freeze);
        }
        if now < lane.frozen_until {
            simulation.wake_after(lane.frozen_until - now, context.waker().clone());
            return Poll::Pending;
        }
        let most = buffer.len().min(lane.bytes.len());
        if most == 0 {
            if lane.is_reset {
                return Poll::Ready(Err(io::Error::from_raw_os_error(RESET)));
            }
            if lane.is_closed || *is_dead {
                return Poll::Ready(Ok(0));
            }
            lane.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let piece = lane.piece(weather);
        let count = most.min(piece);
        for (slot, byte) in buffer.iter_mut().zip(lane.bytes.drain(..count)) {
            *slot = byte;
        }
        lane.writer.take().inspect(Waker::wake_by_ref);
        Poll::Ready(Ok(count))
    }
}

impl Drop for ReadHalf {
    fn drop(&mut self) {
        let mut state = self.wire.lock();
        if state.weather.is_pipe {
            state.abandon(self.lane);
        }
        state.half_gone(1 - self.lane);
    }
}

/// The end of a lane that is written.
pub(crate) struct WriteHalf {
    wire: Wire,
    lane: usize,
}

impl WriteHalf {
    fn poll_gate(&self, state: &mut State, context: &Context<'_>) -> Poll<io::Result<Gate>> {
        assert!(!state.lanes[self.lane].has_failed, "a stream is used after it has failed");
        match state.gate(self.lane, context.waker()) {
            Ok(Gate::Pending) => Poll::Pending,
            Ok(gate) => Poll::Ready(Ok(gate)),
            Err(error) => {
                let is_fatal = error.kind() != io::ErrorKind::Interrupted;
                state.lanes[self.lane].has_failed = is_fatal;
                Poll::Ready(Err(error))
            }
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.wire.lock();
        match std::task::ready!(self.poll_gate(&mut state, context))? {
            Gate::Open | Gate::Pending => {}
            Gate::Zero => {
                state.lanes[self.lane].has_failed = true;
                return Poll::Ready(Ok(0));
            }
        }
        let State { lanes, weather, is_dead, monitor, simulation, .. } = &mut *state;
        let life = weather.life[self.lane];
        let lane = &mut lanes[self.lane];
        let left = life - lane.passed;
        if *is_dead || lane.is_closed || lane.is_abandoned || left == 0 {
            lane.has_failed = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = weather.capacity.saturating_sub(lane.bytes.len());
        if room == 0 {
            lane.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let piece = lane.piece(weather);
        let count = bytes.len().min(piece).min(left).min(room);
        lane.bytes.extend(&bytes[..count]);
        lane.passed += count;
        monitor.written(self.lane, &bytes[..count]);
        simulation.note((self.lane, count));
        lane.reader.take().inspect(Waker::wake_by_ref);
        if count == left {
            state.die();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_gate(&mut self.wire.lock(), context).map_ok(drop)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.wire.lock();
        std::task::ready!(self.poll_gate(&mut state, context))?;
        state.lanes[self.lane].close();
        state.monitor.closed(self.lane);
        Poll::Ready(Ok(()))
    }
}

impl Drop for WriteHalf {
    fn drop(&mut self) {
        let mut state = self.wire.lock();
        if state.weather.is_pipe {
            state.lanes[self.lane].close();
        }
        state.half_gone(self.lane);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("weather", &self.lock().weather).finish_non_exhaustive()
    }
}
