//! What was done and what came of it.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! deeds {
    ($($deed:ident $name:literal),* $(,)?) => {
        /// Something that could leak, and is done again and again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Deed {
            $($deed),*
        }

        impl Deed {
            pub(crate) const ALL: &[(Self, &str)] = &[$((Self::$deed, $name)),*];
        }
    };
}

deeds! {
    Broadcast "events broadcast",
    BroadcastDropped "broadcasts dropped half-way",
    Unwanted "events that nobody wanted",
    Mismatched "events that peers define otherwise",
    Received "events received",
    Lagged "events declared lost",
    Plain "plain handlers",
    Async "async handlers",
    Panicking "handlers that panic",
    Streams "streams",
    Waits "waits that ended",
    WaitsDropped "waits dropped half-way",
    Answered "requests answered",
    Unanswered "requests dropped by the answerer",
    TimedOut "requests timed out",
    Cancelled "requests dropped half-way",
    PeerGone "requests whose peer went",
    Unheard "requests that nobody answers",
    Spawned "peers that were handed an endpoint",
    Joined "peers that joined by themselves",
    Left "peers that left in order",
    Killed "peers killed",
    Stopped "peers stopped longer than a stall",
    Abandoned "children dropped",
    SpawnDropped "spawns dropped half-way",
    NotRun "programs that could not be run",
    Exited "programs that ended at once",
    NotTaken "programs that took no endpoint",
    SpawnTimedOut "programs that took too long",
    NotJoined "programs whose name was taken",
    Guests "second endpoints closed in order",
    GuestsDropped "second endpoints dropped",
    JoinsDropped "joins dropped half-way",
    NamesTaken "joins under a name that was taken",
    Wired "endpoints wired by hand",
    ConnectsDropped "connects dropped half-way",
    ConnectsRefused "connects refused",
    Silent "connections that said nothing",
    Noise "connections of noise",
    HalfHello "connections of half a hello",
    HungUp "connections hung up at once",
}

/// Counts what was done.
#[derive(Debug)]
pub(crate) struct Tally([AtomicU64; Deed::ALL.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Deed::ALL.len()])
    }
}

impl Tally {
    pub(crate) fn count(&self, deed: Deed) {
        self.add(deed, 1);
    }

    pub(crate) fn add(&self, deed: Deed, count: u64) {
        self.0[deed as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn of(&self, deed: Deed) -> u64 {
        self.0[deed as usize].load(Ordering::Relaxed)
    }

    /// Returns what was never done.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let missing = Deed::ALL.iter().filter(|(deed, _)| self.of(*deed) == 0);
        missing.map(|(_, name)| *name).collect()
    }

    pub(crate) fn requests(&self) -> u64 {
        use Deed::{Answered, Cancelled, PeerGone, TimedOut, Unanswered, Unheard};
        [Answered, Cancelled, PeerGone, TimedOut, Unanswered, Unheard]
            .map(|of| self.of(of))
            .iter()
            .sum()
    }

    /// Returns how many processes have come and gone.
    pub(crate) fn peers(&self) -> u64 {
        self.of(Deed::Left) + self.of(Deed::Killed) + self.of(Deed::Abandoned)
    }
}
