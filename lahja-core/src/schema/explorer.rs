//! What is known of a type while its `Deserialize` implementation is asked again and again.
//!
//! Each *run* makes the type read one made-up value from a [`Place`](super::place::Place). What it
//! asks for on the way becomes a graph of *nodes*, whose parts are *slots*. A run goes where
//! something is still to be found: into a variant that has not been seen, or one that leads to
//! such. Elsewhere it takes the shortest way: no element, `None`, the variant that was complete
//! first. A type that contains itself comes to an end that way, too.
//!
//! A run in which the type refuses what it is given is repeated with another value in the slot that
//! was asked for last. When all are used up, that slot is *stuck*. The fields of a struct behind one
//! that is stuck are then given first. When that finds nothing more, the slots around it are stuck,
//! too, up to a choice that need not lead there.
//!
//! That ends, because each run finds something, uses up a value, or makes a slot stuck; one that
//! does nothing of this is the last.

mod outcome;

use std::collections::{HashMap, HashSet};

use super::Kind;
use crate::error::PayloadError;

/// How many values may be asked for, in all runs together.
const MAX_STEPS: usize = 1 << 20;

/// How deeply a type may be nested, not counting newtypes, of which as many may follow each other.
pub(super) const MAX_DEPTH: usize = 128;

/// How many parts a tuple may have.
const MAX_PARTS: usize = 1 << 16;

/// A part of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) node: usize,
    pub(super) part: usize,
}

/// Something that the type asked for.
#[derive(Debug)]
struct Node {
    kind: Kind,
    names: &'static [&'static str],
    /// What was found in each part: one node, unless that depends on another part.
    parts: Vec<Vec<usize>>,
    /// How many parts there are at most.
    most: usize,
    /// The variant that was complete first, which by then had led to nothing but such variants.
    complete: Option<usize>,
}

/// What tells composite nodes apart: what is asked for, by which visitor. The names of visitors are
/// not unique for certain; types that share one are still looked into, but not as thoroughly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) names: &'static [&'static str],
    /// How many parts a tuple has.
    pub(super) len: usize,
    pub(super) visitor: &'static str,
}

#[derive(Debug)]
pub(super) struct Explorer {
    nodes: Vec<Node>,
    known: HashMap<Asked, usize>,
    /// The way to the slot that was asked for last, and how many values there are for it.
    path: Vec<Slot>,
    values: usize,
    /// How many values for a slot have been refused.
    refused: HashMap<Slot, usize>,
    stuck: HashSet<Slot>,
    /// The nodes that lead to something that is still to be found, as of the beginning of the run.
    promising: Vec<bool>,
    has_news: bool,
    is_done: bool,
    steps: usize,
    unsupported: Option<PayloadError>,
}

impl Kind {
    fn is_choice(self) -> bool {
        matches!(self, Self::Option | Self::Sequence | Self::Map | Self::Enum)
    }
}

impl Explorer {
    /// The slot of the type itself.
    pub(super) const ROOT: Slot = Slot { node: 0, part: 0 };

    pub(super) fn new() -> Self {
        let parts = vec![Vec::new()];
        let root = Node { kind: Kind::Tuple, names: &[], parts, most: 1, complete: None };
        Self {
            nodes: vec![root],
            known: HashMap::new(),
            path: Vec::new(),
            values: 0,
            refused: HashMap::new(),
            stuck: HashSet::new(),
            promising: Vec::new(),
            has_news: false,
            is_done: false,
            steps: 0,
            unsupported: None,
        }
    }

    /// Begins a run, if there is reason for another one.
    pub(super) fn begins(&mut self) -> bool {
        self.has_news = false;
        self.path.clear();
        self.values = 0;
        self.promising = self.find_promising();
        !self.is_done
    }

    /// Ends a run.
    pub(super) fn end(&mut self, accepted: bool) -> Result<(), PayloadError> {
        if let Some(unsupported) = self.unsupported.take() {
            return Err(unsupported);
        }
        if !accepted && !self.has_news {
            self.try_another();
        }
        self.is_done |= !self.has_news || self.steps > MAX_STEPS;
        Ok(())
    }

    /// Sees to it that the next run gives something else where this one was refused.
    fn try_another(&mut self) {
        let Some(last) = self.path.last() else { return };
        let refused = self.refused.entry(*last).or_default();
        if *refused + 1 < self.values {
            *refused += 1;
            self.has_news = true;
            return;
        }
        for slot in self.path.iter().rev() {
            let is_new = self.stuck.insert(*slot);
            self.has_news |= is_new;
            let kind = self.nodes[slot.node].kind;
            // A struct has not yet been asked for the fields behind.
            if kind.is_choice() || is_new && kind == Kind::Struct {
                break;
            }
        }
    }

    /// Notes what a slot is asked for, at some depth, and that there are so many values for it.
    /// Returns `None` where the run has to stop.
    pub(super) fn ask(
        &mut self,
        slot: Slot,
        depth: usize,
        asked: Asked,
        values: usize,
    ) -> Option<usize> {
        self.arrive(slot, depth, values)?;
        let next = self.nodes.len();
        let node = *self.known.entry(asked).or_insert(next);
        if node == next {
            self.add(asked);
        }
        self.found(slot, node);
        Some(node)
    }

    /// As [`ask`](Self::ask), for what belongs to a variant and is not shared with others.
    pub(super) fn ask_variant(&mut self, slot: Slot, depth: usize, asked: Asked) -> Option<usize> {
        self.arrive(slot, depth, 0)?;
        let is_it = |node: &&usize| {
            let Node { kind, names, .. } = &self.nodes[**node];
            (*kind, *names) == (asked.kind, asked.names)
        };
        let found = self.nodes[slot.node].parts[slot.part].iter().find(is_it).copied();
        let node = found.unwrap_or_else(|| self.add(asked));
        self.found(slot, node);
        Some(node)
    }

    fn arrive(&mut self, slot: Slot, depth: usize, values: usize) -> Option<()> {
        self.path.truncate(depth);
        self.path.push(slot);
        self.values = values;
        self.steps += 1;
        (depth < MAX_DEPTH && slot.part < MAX_PARTS && self.steps <= MAX_STEPS).then_some(())
    }

    fn add(&mut self, asked: Asked) -> usize {
        let Asked { kind, names, .. } = asked;
        let parts = match kind {
            Kind::Option | Kind::Sequence => 1,
            Kind::Map => 2,
            Kind::Struct | Kind::Enum => names.len(),
            _ => 0,
        };
        let parts = vec![Vec::new(); parts];
        // One more than can be asked for: a tuple of more parts keeps a gap.
        self.nodes.push(Node { kind, names, parts, most: MAX_PARTS + 1, complete: None });
        self.nodes.len() - 1
    }

    fn found(&mut self, slot: Slot, node: usize) {
        let parts = &mut self.nodes[slot.node].parts;
        if parts.len() <= slot.part {
            parts.resize(slot.part + 1, Vec::new());
        }
        let part = &mut parts[slot.part];
        if !part.contains(&node) {
            part.push(node);
            self.has_news = true;
        }
    }

    /// Notes that a tuple has so many parts.
    pub(super) fn expect(&mut self, node: usize, parts: usize) {
        let Node { parts: known, most, .. } = &mut self.nodes[node];
        known.resize(known.len().max(parts.min(*most)), Vec::new());
    }

    /// Notes that a node has no more parts than these.
    pub(super) fn limit(&mut self, node: usize, parts: usize) {
        let Node { parts: known, most, .. } = &mut self.nodes[node];
        self.has_news |= parts < known.len();
        known.truncate(parts);
        *most = parts;
    }

    /// Notes that a variant can be given as a whole.
    pub(super) fn complete(&mut self, node: usize, variant: usize) {
        self.nodes[node].complete.get_or_insert(variant);
    }

    /// Returns how many values for a slot have been refused.
    pub(super) fn refused(&self, slot: Slot) -> usize {
        self.refused.get(&slot).copied().unwrap_or(0)
    }

    /// Tells whether an option or a collection in this slot is to have something in it.
    pub(super) fn enters(&self, slot: Slot, node: usize) -> bool {
        !self.is_within(node) && (self.is_promising(node) || self.refused(slot) > 0)
    }

    /// Returns the variant to give, if there is one that does not lead here again for ever.
    pub(super) fn choose(&self, node: usize) -> Option<usize> {
        let Node { parts, complete, .. } = &self.nodes[node];
        let is_open = |part: &usize| {
            let slot = Slot { node, part: *part };
            !self.stuck.contains(&slot) && !self.path.contains(&slot)
        };
        let unseen = |part: &usize| parts[*part].is_empty() && is_open(part);
        let promising = |part: &usize| {
            parts[*part].iter().any(|&node| self.is_promising(node)) && is_open(part)
        };
        let mut variants = 0..parts.len();
        variants
            .clone()
            .find(unseen)
            .or_else(|| variants.clone().find(|v| !self.is_within(node) && promising(v)))
            .or(*complete)
            .or_else(|| variants.find(is_open))
    }

    /// Returns the order in which to give a struct's fields by name, if one of them is stuck.
    pub(super) fn reordered(&self, node: usize) -> Option<Vec<usize>> {
        let is_stuck = |part: &usize| self.stuck.contains(&Slot { node, part: *part });
        let fields = 0..self.nodes[node].names.len();
        let (stuck, mut order): (Vec<_>, Vec<_>) = fields.partition(is_stuck);
        let is_any = !stuck.is_empty();
        order.extend(stuck);
        is_any.then_some(order)
    }

    /// Tells whether the slot that was asked for last lies within a node.
    fn is_within(&self, node: usize) -> bool {
        self.path.iter().any(|slot| slot.node == node)
    }

    /// Nodes that were found in this run are promising.
    fn is_promising(&self, node: usize) -> bool {
        self.promising.get(node).copied().unwrap_or(true)
    }

    fn find_promising(&self) -> Vec<bool> {
        let mut promising: Vec<_> = (0..self.nodes.len()).map(|node| self.is_open(node)).collect();
        loop {
            let mut changed = false;
            for (node, Node { parts, .. }) in self.nodes.iter().enumerate() {
                let mut parts = parts.iter().enumerate().filter(|(part, _)| {
                    let slot = Slot { node, part: *part };
                    !self.stuck.contains(&slot)
                });
                if !promising[node] && parts.any(|(_, found)| found.iter().any(|&n| promising[n])) {
                    promising[node] = true;
                    changed = true;
                }
            }
            if !changed {
                return promising;
            }
        }
    }

    /// Tells whether a part of a node was never asked for, and can be.
    fn is_open(&self, node: usize) -> bool {
        let Node { kind, parts, .. } = &self.nodes[node];
        let mut slots = (0..parts.len()).map(|part| Slot { node, part });
        let unseen = |slot: &Slot| parts[slot.part].is_empty() && !self.stuck.contains(slot);
        match kind {
            Kind::Tuple | Kind::Map => {
                slots.take_while(|slot| !self.stuck.contains(slot)).any(|slot| unseen(&slot))
            }
            _ => slots.any(|slot| unseen(&slot)),
        }
    }

    /// Ends everything: the type asks for what is not in a payload.
    pub(super) fn refuse(&mut self, slot: Slot, depth: usize, asked: &'static str) {
        self.path.truncate(depth);
        self.path.push(slot);
        let place = self.name(&self.path);
        self.unsupported.get_or_insert(PayloadError::Unsupported { place, asked });
    }

    /// Names the place that a way leads to from the root.
    fn name(&self, way: &[Slot]) -> String {
        let names = way.iter().skip(1).map(|slot| {
            let Node { names, .. } = self.nodes[slot.node];
            match names.get(slot.part) {
                Some(name) => (*name).to_owned(),
                None => slot.part.to_string(),
            }
        });
        names.collect::<Vec<_>>().join(".")
    }
}
