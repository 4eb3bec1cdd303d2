//! The cache of keys and values: blocks of 16 positions that sequences take and give back, so that requests of any length share one memory.
//!
//! Full blocks are counted and shared: sequences that begin with the same tokens hold the same blocks, and a block that its last sequence gave back is kept, for
//! a text that may begin so again, until its place is needed ([`KvPool::adopt`]). What a block holds depends on the tokens alone (`exact-1`), so that a text
//! that was begun by another is to the bit the text it would have been.

mod prefixes;

use crate::gpt2::Activations;
use crate::{Config, Cpu, Error};
use ovid_kernels::backend::{Backend, Heads, KV_BLOCK};
use prefixes::{Key, Prefixes};

/// A sequence in a pool. It means nothing after its sequence was released, also when another has taken the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceId {
    pub(crate) slot: usize,
    /// Sequences that had the slot before.
    generation: u64,
}

/// One sequence: its tokens, and the blocks of their positions.
#[derive(Default)]
struct Sequence {
    tokens: Vec<u32>,
    blocks: Vec<u32>,
    /// How many of the blocks have a name among the prefixes.
    n_known: usize,
    live: bool,
    generation: u64,
}

/// Keys and values of many sequences of one model, and the buffers of the calls that use them.
pub struct KvPool<B: Backend = Cpu> {
    pub(crate) layers: Vec<B::Kv>,
    pub(crate) activations: Option<Activations<B>>,
    sequences: Vec<Sequence>,
    /// Blocks that hold nothing.
    free: Vec<u32>,
    /// How many sequences hold each block.
    holders: Vec<u32>,
    prefixes: Prefixes,
    /// Heads and size of one: a model of another shape would read between them.
    shape: (usize, usize),
}

impl<B: Backend> KvPool<B> {
    pub(crate) fn for_config(dev: &B, config: &Config, n_layers: usize, n_positions: usize) -> Result<Self, Error> {
        let n_blocks = n_positions.div_ceil(KV_BLOCK);
        let heads = Heads { n_head: config.n_head, head_size: config.head_size(), scale: 1.0 };
        let layers = (0..n_layers).map(|_| dev.kv(&heads, n_blocks)).collect::<Result<_, _>>()?;
        let shape = (config.n_head, config.head_size());
        let (free, holders) = ((0..n_blocks as u32).rev().collect(), vec![0; n_blocks]);
        Ok(Self { layers, activations: None, sequences: Vec::new(), free, holders, prefixes: Prefixes::new(n_blocks), shape })
    }

    /// Whether the cache was made for a model of this shape.
    pub(crate) fn fits(&self, config: &Config) -> bool {
        self.layers.len() == config.n_layer && self.shape == (config.n_head, config.head_size())
    }

    fn get(&self, id: SequenceId) -> Option<&Sequence> {
        self.sequences.get(id.slot).filter(|s| s.live && s.generation == id.generation)
    }

    /// Begins an empty sequence.
    pub fn sequence(&mut self) -> SequenceId {
        let slot = self.sequences.iter().position(|s| !s.live).unwrap_or_else(|| {
            self.sequences.push(Sequence::default());
            self.sequences.len() - 1
        });
        let generation = self.sequences[slot].generation + 1;
        self.sequences[slot] = Sequence { live: true, generation, ..Sequence::default() };
        SequenceId { slot, generation }
    }

    /// Goes on with as many of `tokens` as other sequences have computed after the same beginning, in whole blocks and from a block's end alone; says how many.
    /// Nothing is computed: who needs the logits after a token leaves it to the model.
    pub fn adopt(&mut self, id: SequenceId, tokens: &[u32]) -> usize {
        if self.get(id).is_none_or(|s| !s.tokens.len().is_multiple_of(KV_BLOCK) || s.n_known < s.blocks.len()) {
            return 0;
        }
        let Self { sequences, prefixes, holders, .. } = self;
        let sequence = &mut sequences[id.slot];
        let mut n_adopted = 0;
        for tokens in tokens.as_chunks().0 {
            let Some(block) = prefixes.find(&Key { before: sequence.blocks.last().copied(), tokens: *tokens }) else { break };
            holders[block as usize] += 1;
            sequence.blocks.push(block);
            sequence.tokens.extend_from_slice(tokens);
            sequence.n_known += 1;
            n_adopted += KV_BLOCK;
        }
        n_adopted
    }

    /// Ends a sequence and gives its blocks back. A sequence that has ended already is left alone.
    pub fn release(&mut self, id: SequenceId) {
        self.truncate(id, 0);
        if self.get(id).is_some() {
            self.sequences[id.slot].live = false;
        }
    }

    /// Forgets all positions from `len` on, and says how many are left: fewer than `len` where it lies within a block that other sequences hold, since what the
    /// sequence wrote next would overwrite what they read. The block is then given up whole.
    pub fn truncate(&mut self, id: SequenceId, len: usize) -> usize {
        let Some(sequence) = self.get(id) else { return 0 };
        if len >= sequence.tokens.len() {
            return sequence.tokens.len();
        }
        let is_cut = !len.is_multiple_of(KV_BLOCK);
        let is_shared = is_cut && self.holders[sequence.blocks[len / KV_BLOCK] as usize] > 1;
        let len = if is_shared { len / KV_BLOCK * KV_BLOCK } else { len };
        let sequence = &mut self.sequences[id.slot];
        sequence.tokens.truncate(len);
        sequence.n_known = sequence.n_known.min(len / KV_BLOCK);
        let given_back = sequence.blocks.split_off(len.div_ceil(KV_BLOCK));
        let last = sequence.blocks.last().copied().filter(|_| is_cut && !is_shared);
        given_back.into_iter().rev().for_each(|block| self.give_back(block));
        if let Some(last) = last {
            // It is about to hold something else. Nobody holds what went on from it, or they would hold it too.
            let unheld = self.prefixes.forget(last);
            self.free.extend(unheld);
        }
        len
    }

    fn give_back(&mut self, block: u32) {
        self.holders[block as usize] -= 1;
        if self.holders[block as usize] == 0 && !self.prefixes.knows(block) {
            self.free.push(block);
        }
    }

    /// Positions of a sequence; 0 where it has ended.
    pub fn len(&self, id: SequenceId) -> usize {
        self.get(id).map_or(0, |s| s.tokens.len())
    }

    /// Positions that no sequence holds.
    pub fn free_positions(&self) -> usize {
        self.holders.iter().filter(|n| **n == 0).count() * KV_BLOCK
    }

    /// Positions in all.
    pub fn n_positions(&self) -> usize {
        self.holders.len() * KV_BLOCK
    }

    pub(crate) fn is_live(&self, id: SequenceId) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn blocks(&self, id: SequenceId) -> &[u32] {
        &self.sequences[id.slot].blocks
    }

    /// Lengthens sequences, each by its tokens: all of them or none.
    pub(crate) fn extend(&mut self, wanted: &[(SequenceId, &[u32])]) -> Result<(), Error> {
        let more = |pool: &Self, id: SequenceId, n: usize| (pool.len(id) + n).div_ceil(KV_BLOCK) - pool.blocks(id).len();
        let blocks: usize = wanted.iter().map(|(id, tokens)| more(self, *id, tokens.len())).sum();
        if blocks * KV_BLOCK > self.free_positions() {
            let wanted = wanted.iter().map(|(_, tokens)| tokens.len()).sum();
            return Err(Error::CacheFull { n_positions: self.n_positions(), wanted });
        }
        for (id, tokens) in wanted {
            for _ in 0..more(self, *id, tokens.len()) {
                let holders = &self.holders;
                let block = self.free.pop().or_else(|| self.prefixes.evict(|block| holders[block as usize] == 0));
                let block = block.expect("blocks that nobody holds are free or in the tree, where the last of a branch can go");
                self.holders[block as usize] = 1;
                self.sequences[id.slot].blocks.push(block);
            }
            self.sequences[id.slot].tokens.extend_from_slice(tokens);
        }
        Ok(())
    }

    /// Names the blocks of a sequence that have become full, so that others can begin with them. Where another has computed the same meanwhile, one is enough.
    pub(crate) fn share(&mut self, id: SequenceId) {
        let sequence = &mut self.sequences[id.slot];
        let mut given_back = Vec::new();
        for i in sequence.n_known..sequence.tokens.len() / KV_BLOCK {
            let before = i.checked_sub(1).map(|b| sequence.blocks[b]);
            let key = Key { before, tokens: sequence.tokens.as_chunks().0[i] };
            match self.prefixes.find(&key) {
                Some(same) => {
                    self.holders[same as usize] += 1;
                    given_back.push(std::mem::replace(&mut sequence.blocks[i], same));
                }
                None => self.prefixes.add(key, sequence.blocks[i]),
            }
            sequence.n_known += 1;
        }
        given_back.into_iter().for_each(|block| self.give_back(block));
    }
}
