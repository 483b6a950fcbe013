//! What a process of the mesh is told when it is started.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Result;
use crate::fate::Fate;

/// The first argument of a process of the mesh.
pub(crate) const PROCESS: &str = "process";

/// What a process of the mesh is told when it is started.
#[derive(Debug, Clone)]
pub(crate) struct Birth {
    pub(crate) slot: usize,
    /// The number of this life, which no other has.
    pub(crate) life: u32,
    pub(crate) processes: usize,
    pub(crate) seed: u64,
    pub(crate) fate: Fate,
    pub(crate) way: Way,
    pub(crate) descriptors: Descriptors,
    pub(crate) journal: PathBuf,
}

/// How a process comes to its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// Its parent hands it one.
    Spawned,
    /// It joins the bus in this directory.
    Joins(PathBuf),
}

/// How many descriptors a process may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Descriptors {
    Plenty,
    /// Hardly more than it needs.
    Few,
}

impl Birth {
    pub(crate) fn arguments(&self) -> [OsString; 9] {
        let bus = match &self.way {
            Way::Spawned => OsString::new(),
            Way::Joins(bus) => bus.into(),
        };
        let descriptors = match self.descriptors {
            Descriptors::Plenty => "plenty",
            Descriptors::Few => "few",
        };
        [
            PROCESS.into(),
            self.slot.to_string().into(),
            format!("{:x}", self.life).into(),
            self.processes.to_string().into(),
            self.seed.to_string().into(),
            self.fate.to_string().into(),
            bus,
            descriptors.into(),
            self.journal.clone().into(),
        ]
    }

    /// Reads what [`arguments`](Self::arguments) has made, but for the first of them.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let [slot, life, processes, seed, fate, bus, descriptors, journal] = arguments else {
            return Err("a process of the mesh is started by the mesh".into());
        };
        Ok(Self {
            slot: slot.parse()?,
            life: u32::from_str_radix(life, 16)?,
            processes: processes.parse()?,
            seed: seed.parse()?,
            fate: fate.parse()?,
            way: match bus.as_str() {
                "" => Way::Spawned,
                bus => Way::Joins(bus.into()),
            },
            descriptors: match descriptors.as_str() {
                "few" => Descriptors::Few,
                _ => Descriptors::Plenty,
            },
            journal: journal.into(),
        })
    }
}
