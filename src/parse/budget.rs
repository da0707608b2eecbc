//! How much a file may hold, and how much the files of a workspace may inherit.

use super::node::{Node, NodeValue};

/// Keys and values in all: a generated file of 100 000 steps has 2.5 million.
const MAX_NODES: usize = 4_000_000;
/// Bytes of text in all, and bytes of a file.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// Amounts that are limited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Used {
    /// Keys and values.
    pub(super) nodes: usize,
    /// Bytes of their text.
    pub(super) bytes: usize,
}

impl Used {
    /// What `node` and all in it use.
    pub(super) fn of(node: &Node<'_>) -> Self {
        let mut used = Self { nodes: 1, bytes: 0 };
        match &node.value {
            NodeValue::Null | NodeValue::Broken => {}
            NodeValue::Scalar(scalar) => used.bytes = scalar.text.len(),
            NodeValue::Seq(items) => items.iter().for_each(|item| used.add(Self::of(item))),
            NodeValue::Map(entries) => {
                for (key, value) in entries {
                    let (nodes, bytes) = (1, key.text.len());
                    used.add(Self { nodes, bytes });
                    used.add(Self::of(value));
                }
            }
        }
        used
    }

    /// What was used since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            nodes: self.nodes - before.nodes,
            bytes: self.bytes - before.bytes,
        }
    }

    /// Uses more.
    pub(super) fn add(&mut self, more: Self) {
        self.nodes += more.nodes;
        self.bytes += more.bytes;
    }

    /// The limit that is passed, in words.
    pub(super) fn exceeded(self) -> Option<String> {
        if self.nodes > MAX_NODES {
            Some(format!("{MAX_NODES} values"))
        } else if self.bytes > MAX_BYTES {
            Some(format!("{} MiB of text", MAX_BYTES >> 20))
        } else {
            None
        }
    }
}
