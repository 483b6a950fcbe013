//! What became of looking into a type: its schema, or a gap in what was found.

use super::super::{Kind, Schema, Shape};
use super::{Explorer, MAX_STEPS, Node, Slot};
use crate::error::PayloadError;

impl Explorer {
    /// Turns what was found into a schema, if that is all.
    pub(in crate::schema) fn into_schema(self) -> Result<Schema, PayloadError> {
        if let Some(way) = self.gap() {
            return Err(PayloadError::Undetermined { place: self.name(&way) });
        }
        let mut listed = Listed { shapes: Vec::new(), nodes: Vec::new() };
        listed.node(self.nodes[0].parts[0][0]);
        let mut at = 0;
        while let Some(&(shape, node)) = listed.nodes.get(at) {
            let Node { names, parts, .. } = &self.nodes[node];
            let names = names.iter().map(|&name| name.to_owned()).collect();
            let parts = parts.iter().map(|part| listed.node(part[0])).collect();
            listed.shapes[shape].names = names;
            listed.shapes[shape].parts = parts;
            listed.shapes[shape].kind = self.nodes[node].kind;
            at += 1;
        }
        Ok(Schema { shapes: listed.shapes })
    }

    /// Returns the way to a part that was never asked for, or that is not always the same; or to the
    /// type if there were too many.
    fn gap(&self) -> Option<Vec<Slot>> {
        if self.steps > MAX_STEPS {
            return Some(Vec::new());
        }
        let mut ways = vec![(0, Vec::new())];
        let mut at = 0;
        while let Some((node, way)) = ways.get(at).cloned() {
            for (part, found) in self.nodes[node].parts.iter().enumerate() {
                let way = [&*way, &[Slot { node, part }]].concat();
                let &[next] = &found[..] else {
                    return Some(way);
                };
                if ways.iter().all(|(known, _)| *known != next) {
                    ways.push((next, way));
                }
            }
            at += 1;
        }
        None
    }
}

/// The shapes of a schema, numbered as they are found from the root on.
struct Listed {
    shapes: Vec<Shape>,
    /// Which shape is which node's.
    nodes: Vec<(usize, usize)>,
}

impl Listed {
    /// Returns the number of a node's shape.
    fn node(&mut self, node: usize) -> u32 {
        if let Some((shape, _)) = self.nodes.iter().find(|(_, listed)| *listed == node) {
            return *shape as u32;
        }
        // What it is comes when it is its turn.
        self.nodes.push((self.shapes.len(), node));
        self.shapes.push(Shape { kind: Kind::Unit, names: Vec::new(), parts: Vec::new() });
        u32::try_from(self.shapes.len() - 1).expect("there are fewer shapes than steps")
    }
}
