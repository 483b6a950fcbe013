//! Who wants what: from an event's type and reach to the peers that get it.
//!
//! The table changes seldom and is read for every broadcast, so each topic's targets are an
//! immutable list that a broadcast takes along and a change replaces.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use crate::name::EndpointName;
use crate::session::Slot;

/// What the table needs to know of a peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: EndpointName,
    pub(crate) groups: Vec<EndpointName>,
    /// The longest frame that both ends of its connection take.
    pub(crate) max_frame: usize,
    /// Whether it takes large events in parts.
    pub(crate) takes_parts: bool,
}

/// Where one topic goes: a peer's subscription. `C` reaches the peer.
#[derive(Debug)]
pub(crate) struct Target<C> {
    pub(crate) peer: Arc<Peer>,
    pub(crate) connection: C,
    pub(crate) slot: Slot,
    /// Of the topic's type, as the peer defines it.
    pub(crate) fingerprint: u64,
}

/// Everybody who wants one topic as one type defines it.
#[derive(Debug)]
pub(crate) struct Targets<C> {
    /// Those who define it alike.
    pub(crate) alike: Arc<[Target<C>]>,
    /// Those who do not, and cannot read such events.
    pub(crate) mismatched: Box<[Target<C>]>,
}

impl<C: Clone> Targets<C> {
    /// Keeps those whose connection is wanted.
    pub(crate) fn retain(&mut self, is_wanted: impl Fn(&C) -> bool) {
        let is_wanted = |target: &&Target<C>| is_wanted(&target.connection);
        if !self.alike.iter().all(|target| is_wanted(&target)) {
            self.alike = self.alike.iter().filter(is_wanted).cloned().collect();
        }
        if !self.mismatched.iter().all(|target| is_wanted(&target)) {
            self.mismatched = self.mismatched.iter().filter(is_wanted).cloned().collect();
        }
    }
}

impl<C> Default for Targets<C> {
    fn default() -> Self {
        Self { alike: Arc::default(), mismatched: Box::default() }
    }
}

/// The peers of an endpoint and what they want. `C` reaches a peer.
#[derive(Debug)]
pub(crate) struct Routing<C> {
    peers: Slab<(Arc<Peer>, C)>,
    // Topics that nobody wants have no entry.
    routes: HashMap<Box<str>, Arc<[Target<C>]>>,
}

impl<C> Default for Routing<C> {
    fn default() -> Self {
        Self { peers: Slab::new(), routes: HashMap::new() }
    }
}

impl<C: Clone> Routing<C> {
    /// Adds a peer and returns its key, or gives it back if its name is taken.
    pub(crate) fn add_peer(&mut self, peer: Arc<Peer>, connection: C) -> Result<usize, Arc<Peer>> {
        match self.peer(&peer.name) {
            Some(_) => Err(peer),
            None => Ok(self.peers.insert((peer, connection))),
        }
    }

    /// Removes a peer and everything it wanted.
    pub(crate) fn remove_peer(&mut self, key: usize) {
        let (peer, _) = self.peers.remove(key);
        self.remove_where(|target| Arc::ptr_eq(&target.peer, &peer));
    }

    /// Notes that a peer wants the topic `name`, as it defines it.
    pub(crate) fn add_target(&mut self, key: usize, name: &str, fingerprint: u64, slot: Slot) {
        let (peer, connection) = self.peers[key].clone();
        let target = Target { peer, connection, slot, fingerprint };
        let targets = self.routes.entry(name.into()).or_default();
        *targets = targets.iter().cloned().chain([target]).collect();
    }

    /// Notes that a peer does not want a topic any more.
    pub(crate) fn remove_target(&mut self, key: usize, slot: Slot) {
        let peer = self.peers[key].0.clone();
        self.remove_where(|t| t.slot == slot && Arc::ptr_eq(&t.peer, &peer));
    }

    /// Returns everyone who wants a topic, however they define it.
    pub(crate) fn subscribers(&self, name: &str) -> &[Target<C>] {
        self.routes.get(name).map_or(&[], |targets| targets)
    }

    /// Returns everyone who wants a topic, by whether they define it alike.
    pub(crate) fn targets(&self, name: &str, fingerprint: u64) -> Targets<C> {
        let Some(all) = self.routes.get(name) else {
            return Targets::default();
        };
        let is_alike = |target: &&Target<C>| target.fingerprint == fingerprint;
        if all.iter().all(|target| is_alike(&target)) {
            return Targets { alike: all.clone(), mismatched: Box::default() };
        }
        let (alike, mismatched): (Vec<_>, Vec<_>) = all.iter().partition(is_alike);
        Targets {
            alike: alike.into_iter().cloned().collect(),
            mismatched: mismatched.into_iter().cloned().collect(),
        }
    }

    /// Returns every topic that somebody wants, and who does.
    pub(crate) fn routes(&self) -> impl Iterator<Item = (&str, &[Target<C>])> {
        self.routes.iter().map(|(name, targets)| (&**name, &**targets))
    }

    /// Finds a peer by name.
    pub(crate) fn peer(&self, name: &EndpointName) -> Option<&C> {
        self.peers().find(|(peer, _)| peer.name == *name).map(|(_, connection)| connection)
    }

    /// Returns every peer.
    pub(crate) fn peers(&self) -> impl Iterator<Item = (&Peer, &C)> {
        self.peers.iter().map(|(_, (peer, connection))| (&**peer, connection))
    }

    fn remove_where(&mut self, is_removed: impl Fn(&Target<C>) -> bool) {
        self.routes.retain(|_, targets| {
            if targets.iter().any(&is_removed) {
                *targets = targets.iter().filter(|target| !is_removed(target)).cloned().collect();
            }
            !targets.is_empty()
        });
    }
}

impl<C: Clone> Clone for Target<C> {
    fn clone(&self) -> Self {
        let Self { peer, connection, slot, fingerprint } = self;
        let (peer, connection) = (peer.clone(), connection.clone());
        Self { peer, connection, slot: *slot, fingerprint: *fingerprint }
    }
}

/// Whom an event may reach: everybody, unless narrowed down. Each rule narrows it further.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach<'a> {
    pub(crate) to: Option<Cow<'a, str>>,
    pub(crate) group: Option<&'a str>,
    pub(crate) except: Vec<&'a str>,
    pub(crate) internal: bool,
}

/// Everybody.
pub(crate) static EVERYBODY: Reach<'_> =
    Reach { to: None, group: None, except: Vec::new(), internal: false };

impl Reach<'_> {
    /// Tells whether the event may reach a peer.
    #[inline]
    pub(crate) fn admits_peer(&self, peer: &Peer) -> bool {
        !self.internal && self.admits(&peer.name, &peer.groups)
    }

    /// Tells whether no rule is given.
    #[inline]
    pub(crate) fn is_everybody(&self) -> bool {
        !self.internal && self.is_unnarrowed()
    }

    /// Tells whether no rule but [`internal`](Self::internal) is given.
    #[inline]
    fn is_unnarrowed(&self) -> bool {
        self.to.is_none() && self.group.is_none() && self.except.is_empty()
    }

    /// Tells whether the event may reach an endpoint of this name and these groups.
    #[inline]
    pub(crate) fn admits(&self, name: &EndpointName, groups: &[EndpointName]) -> bool {
        self.is_unnarrowed() || self.admits_narrowed(name, groups)
    }

    fn admits_narrowed(&self, name: &EndpointName, groups: &[EndpointName]) -> bool {
        let name = name.as_str();
        self.to.as_ref().is_none_or(|to| *to == name)
            && self.group.is_none_or(|group| groups.iter().any(|g| *g == group))
            && !self.except.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EndpointName {
        EndpointName::new(text).unwrap()
    }

    fn peer(text: &str, groups: &[&str]) -> Arc<Peer> {
        let groups = groups.iter().map(|group| name(group)).collect();
        Arc::new(Peer { name: name(text), groups, max_frame: 100, takes_parts: true })
    }

    fn slot(number: u32) -> Slot {
        Slot { number, epoch: 1 }
    }

    fn reached(routing: &Routing<char>, topic: &str, reach: &Reach<'_>) -> String {
        let targets = routing.targets(topic, 9);
        let admitted = targets.alike.iter().filter(|target| reach.admits_peer(&target.peer));
        admitted.map(|target| target.connection).collect()
    }

    fn table() -> Routing<char> {
        let mut routing = Routing::default();
        for (text, connection, groups) in [("b", 'b', ["x", "y"]), ("c", 'c', ["y", "z"])] {
            let key = routing.add_peer(peer(text, &groups), connection).unwrap();
            routing.add_target(key, "A", 9, slot(0));
        }
        let d = routing.add_peer(peer("d", &[]), 'd').unwrap();
        routing.add_target(d, "B", 9, slot(7));
        routing
    }

    #[test]
    fn an_event_goes_to_those_who_want_it_and_to_nobody_else() {
        let routing = table();
        let everyone = Reach::default();
        assert_eq!(reached(&routing, "A", &everyone), "bc");
        assert_eq!(reached(&routing, "B", &everyone), "d");
    }

    #[test]
    fn each_rule_of_a_reach_narrows_it() {
        let routing = table();
        let all = Reach::default;
        let cases = [
            (Reach { to: Some("c".into()), ..all() }, "c"),
            (Reach { to: Some("d".into()), ..all() }, ""),
            (Reach { group: Some("y"), ..all() }, "bc"),
            (Reach { group: Some("z"), ..all() }, "c"),
            (Reach { except: vec!["b"], ..all() }, "c"),
            (Reach { except: vec!["b", "c"], ..all() }, ""),
            (Reach { group: Some("y"), except: vec!["c"], ..all() }, "b"),
            (Reach { internal: true, ..all() }, ""),
        ];
        for (reach, expected) in cases {
            let found = reached(&routing, "A", &reach);
            assert_eq!(found, expected, "{reach:?}");
        }
    }

    #[test]
    fn those_who_define_a_topic_otherwise_are_told_apart() {
        let mut routing = table();
        routing.add_target(2, "A", 8, slot(1));
        assert_eq!(reached(&routing, "A", &Reach::default()), "bc");
        let mismatched = routing.targets("A", 9).mismatched;
        assert_eq!(mismatched.iter().map(|target| target.connection).collect::<String>(), "d");
        assert_eq!(routing.targets("A", 8).mismatched.len(), 2);
        assert_eq!(routing.subscribers("A").len(), 3);
    }

    #[test]
    fn a_name_is_given_to_one_peer_at_a_time() {
        let mut routing = table();
        assert!(routing.add_peer(peer("b", &[]), 'B').is_err());
        routing.remove_peer(0);
        assert!(routing.add_peer(peer("b", &[]), 'B').is_ok());
        assert_eq!(routing.peer(&name("b")), Some(&'B'));
    }

    #[test]
    fn what_is_withdrawn_or_gone_is_not_reached() {
        let mut routing = table();
        routing.remove_target(0, slot(0));
        assert_eq!(reached(&routing, "A", &Reach::default()), "c");
        routing.remove_peer(1);
        assert_eq!(reached(&routing, "A", &Reach::default()), "");
    }

    #[test]
    fn topics_that_nobody_wants_any_more_take_no_room() {
        let mut routing = table();
        for number in 1..100 {
            routing.add_target(0, &format!("topic {number}"), 9, slot(number));
        }
        routing.remove_peer(0);
        assert_eq!(routing.routes.len(), 2);
    }
}
