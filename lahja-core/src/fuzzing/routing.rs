//! The table of who wants what, next to a list of that.

use std::sync::Arc;

use super::input::Input;
use crate::name::EndpointName;
use crate::routing::{Peer, Reach, Routing, Target};
use crate::session::Slot;

const TOPICS: [&str; 3] = ["A", "B", "C"];
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const GROUPS: [&str; 3] = ["x", "y", "z"];

/// Has peers and topics come and go, and asks who is reached.
///
/// # Panics
///
/// Panics if the table says other than the list.
pub fn routing(data: &[u8]) {
    let mut input = Input::new(data);
    let mut both = Both::default();
    while !input.is_empty() {
        both.step(&mut input);
        both.compare(&mut input);
    }
}

#[derive(Default)]
struct Both {
    table: Routing<u32>,
    peers: Vec<Listed>,
    // Who wants what, the oldest first.
    wanted: Vec<Wanted>,
    count: u32,
}

struct Wanted {
    topic: &'static str,
    fingerprint: u64,
    id: u32,
    slot: Slot,
}

struct Listed {
    key: usize,
    /// Which peer it is, of those that there ever were.
    id: u32,
    peer: Arc<Peer>,
}

impl Both {
    fn step(&mut self, input: &mut Input<'_>) {
        let at = input.below(self.peers.len());
        match input.byte() % 8 {
            0 | 1 => self.add_peer(input),
            2 if at < self.peers.len() => {
                let peer = self.peers.swap_remove(at);
                self.table.remove_peer(peer.key);
                self.wanted.retain(|wanted| wanted.id != peer.id);
            }
            3..6 if at < self.peers.len() => {
                let Listed { key, id, .. } = self.peers[at];
                self.count += 1;
                // Two peers may use the same numbers.
                let slot = Slot { number: self.count % 2, epoch: u64::from(self.count / 6) };
                let topic = input.one_of(&TOPICS);
                if self.wanted.iter().all(|wanted| (wanted.id, wanted.slot) != (id, slot)) {
                    let fingerprint = u64::from(input.byte() % 2);
                    self.table.add_target(key, topic, fingerprint, slot);
                    self.wanted.push(Wanted { topic, fingerprint, id, slot });
                }
            }
            _ => {
                let at = input.below(self.wanted.len());
                let Some(&Wanted { id, slot, .. }) = self.wanted.get(at) else { return };
                let listed = self.peers.iter().find(|listed| listed.id == id);
                self.table.remove_target(listed.expect("its peer is there").key, slot);
                self.wanted.remove(at);
            }
        }
    }

    fn add_peer(&mut self, input: &mut Input<'_>) {
        let name = EndpointName::new(input.one_of(&NAMES)).expect("the name is one");
        let is_taken = self.peers.iter().any(|listed| listed.peer.name == name);
        let bits = input.byte();
        let groups = GROUPS.iter().enumerate().filter(|&(bit, _)| bits >> bit & 1 == 1);
        let groups = groups.map(|(_, group)| EndpointName::new(group).expect("the name is one"));
        let groups = groups.collect();
        let peer = Arc::new(Peer { name, groups, max_frame: 1, takes_parts: true });
        self.count += 1;
        let id = self.count;
        match self.table.add_peer(peer.clone(), id) {
            Ok(key) => {
                assert!(!is_taken, "two peers have one name");
                assert!(self.peers.iter().all(|listed| listed.key != key));
                self.peers.push(Listed { key, id, peer });
            }
            Err(_) => assert!(is_taken, "a free name is refused"),
        }
    }

    fn compare(&self, input: &mut Input<'_>) {
        assert_eq!(self.table.peers().count(), self.peers.len());
        for name in NAMES {
            let listed = self.peers.iter().find(|listed| listed.peer.name == name);
            let name = EndpointName::new(name).expect("the name is one");
            assert_eq!(self.table.peer(&name), listed.map(|listed| &listed.id));
        }
        let reach = reach(input);
        for topic in TOPICS {
            let targets = self.table.targets(topic, 1);
            assert_eq!(reached(&reach, &targets.alike), self.within(&reach, topic, &[1]));
            assert_eq!(reached(&reach, &targets.mismatched), self.within(&reach, topic, &[0]));
            let all = self.table.subscribers(topic);
            assert_eq!(reached(&reach, all), self.within(&reach, topic, &[0, 1]));
        }
    }

    /// Finds those who want a topic as one of these types, and are within reach.
    fn within(&self, reach: &Reach<'_>, topic: &str, fingerprints: &[u64]) -> Vec<(u32, Slot)> {
        let mut found = Vec::new();
        for wanted in &self.wanted {
            let listed = self.peers.iter().find(|listed| listed.id == wanted.id);
            let peer = &listed.expect("its peer is there").peer;
            if wanted.topic == topic
                && fingerprints.contains(&wanted.fingerprint)
                && is_within(reach, peer)
            {
                found.push((wanted.id, wanted.slot));
            }
        }
        found
    }
}

fn reached(reach: &Reach<'_>, targets: &[Target<u32>]) -> Vec<(u32, Slot)> {
    let reached = targets.iter().filter(|target| reach.admits_peer(&target.peer));
    reached.map(|target| (target.connection, target.slot)).collect()
}

fn reach(input: &mut Input<'_>) -> Reach<'static> {
    let bits = input.byte();
    let name = NAMES[usize::from(bits >> 6)];
    Reach {
        to: (bits & 3 == 3).then(|| name.into()),
        group: (bits & 12 == 12).then(|| GROUPS[usize::from(bits & 1)]),
        except: NAMES[usize::from(bits >> 5 & 1)..usize::from(bits >> 4 & 3).max(1)].to_vec(),
        internal: bits == 0,
    }
}

fn is_within(reach: &Reach<'_>, peer: &Peer) -> bool {
    let is_addressed = match &reach.to {
        Some(to) => *to == peer.name.as_str(),
        None => true,
    };
    let is_in_group = match reach.group {
        Some(wanted) => peer.groups.iter().any(|group| group.as_str() == wanted),
        None => true,
    };
    let is_excepted = reach.except.iter().any(|name| *name == peer.name.as_str());
    is_addressed && is_in_group && !is_excepted && !reach.internal
}
