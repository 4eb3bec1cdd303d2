//! Which blocks hold the beginnings of which texts, so that a text that begins as another did need not be computed again.
//!
//! A block's keys and values are a function of the tokens of its positions and of all before them. So full blocks form a tree: a block is known by the block
//! before it and its own 16 tokens. Tokens are compared, not digests: nothing can be taken for what it is not.

use std::collections::HashMap;

use ovid_kernels::backend::KV_BLOCK;

/// A block's name in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The known block of the 16 positions before.
    pub before: Option<u32>,
    pub tokens: [u32; KV_BLOCK],
}

#[derive(Clone, Copy)]
struct Node {
    key: Key,
    /// Known blocks that go on from this one.
    n_after: u32,
    /// When it was last begun with or added.
    used: u64,
}

/// The tree of known blocks.
pub(super) struct Prefixes {
    by_key: HashMap<Key, u32>,
    /// One a block of the pool.
    nodes: Vec<Option<Node>>,
    clock: u64,
}

impl Prefixes {
    pub fn new(n_blocks: usize) -> Self {
        Self { by_key: HashMap::new(), nodes: vec![None; n_blocks], clock: 0 }
    }

    pub fn knows(&self, block: u32) -> bool {
        self.nodes[block as usize].is_some()
    }

    /// The block of that name, which counts as used.
    pub fn find(&mut self, key: &Key) -> Option<u32> {
        let block = *self.by_key.get(key)?;
        self.clock += 1;
        if let Some(node) = &mut self.nodes[block as usize] {
            node.used = self.clock;
        }
        Some(block)
    }

    /// Names a block that has no name, by a name that no block has.
    pub fn add(&mut self, key: Key, block: u32) {
        self.clock += 1;
        self.nodes[block as usize] = Some(Node { key, n_after: 0, used: self.clock });
        self.by_key.insert(key, block);
        if let Some(Some(before)) = key.before.map(|b| &mut self.nodes[b as usize]) {
            before.n_after += 1;
        }
    }

    /// Forgets the least recently used block that none goes on from and `is_idle` allows.
    pub fn evict(&mut self, is_idle: impl Fn(u32) -> bool) -> Option<u32> {
        let leaves = self.nodes.iter().zip(0u32..).filter_map(|(node, block)| Some((node.as_ref()?, block)));
        let oldest = leaves.filter(|(node, block)| node.n_after == 0 && is_idle(*block)).min_by_key(|(node, _)| node.used)?.1;
        self.remove(oldest);
        Some(oldest)
    }

    /// Forgets a block and all that go on from it, and gives those that did.
    pub fn forget(&mut self, block: u32) -> Vec<u32> {
        let mut after = Vec::new();
        if self.nodes[block as usize].is_some_and(|node| node.n_after > 0) {
            let next = (0u32..).zip(&self.nodes).filter(|(_, node)| node.is_some_and(|node| node.key.before == Some(block)));
            for next in next.map(|(next, _)| next).collect::<Vec<_>>() {
                after.extend(self.forget(next));
                after.push(next);
            }
        }
        self.remove(block);
        after
    }

    fn remove(&mut self, block: u32) {
        let Some(node) = self.nodes[block as usize].take() else { return };
        self.by_key.remove(&node.key);
        if let Some(Some(before)) = node.key.before.map(|b| &mut self.nodes[b as usize]) {
            before.n_after -= 1;
        }
    }
}
