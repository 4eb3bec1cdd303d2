//! The cache of keys and values: blocks of 16 positions that sequences take and give back, so that requests of any length share one memory.

use crate::gpt2::Activations;
use crate::{Config, Cpu, Error};
use ovid_kernels::backend::{Backend, Heads, KV_BLOCK};

/// A sequence in a pool. It means nothing after its sequence was released, also when another has taken the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceId {
    pub(crate) slot: usize,
    /// Sequences that had the slot before.
    generation: u64,
}

/// One sequence: its blocks and its length.
#[derive(Default)]
struct Sequence {
    blocks: Vec<u32>,
    len: usize,
    live: bool,
    generation: u64,
}

/// Keys and values of many sequences, and the buffers of the calls that use them.
pub struct KvPool<B: Backend = Cpu> {
    pub(crate) layers: Vec<B::Kv>,
    pub(crate) activations: Option<Activations<B>>,
    sequences: Vec<Sequence>,
    free: Vec<u32>,
    n_blocks: usize,
    /// Heads and size of one: a model of another shape would read between them.
    shape: (usize, usize),
}

impl<B: Backend> KvPool<B> {
    pub(crate) fn for_config(dev: &B, config: &Config, n_layers: usize, n_positions: usize) -> Result<Self, Error> {
        let n_blocks = n_positions.div_ceil(KV_BLOCK);
        let heads = Heads { n_head: config.n_head, head_size: config.head_size(), scale: 1.0 };
        let layers = (0..n_layers).map(|_| dev.kv(&heads, n_blocks)).collect::<Result<_, _>>()?;
        let shape = (config.n_head, config.head_size());
        Ok(Self { layers, activations: None, sequences: Vec::new(), free: (0..n_blocks as u32).rev().collect(), n_blocks, shape })
    }

    /// Whether the cache was made for a model of this shape.
    pub(crate) fn fits(&self, config: &Config) -> bool {
        self.layers.len() == config.n_layer && self.shape == (config.n_head, config.head_size())
    }

    fn get(&self, id: SequenceId) -> Option<&Sequence> {
        self.sequences.get(id.slot).filter(|s| s.live && s.generation == id.generation)
    }

    fn get_mut(&mut self, id: SequenceId) -> Option<&mut Sequence> {
        self.sequences.get_mut(id.slot).filter(|s| s.live && s.generation == id.generation)
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

    /// Ends a sequence and frees its blocks. A sequence that has ended already is left alone.
    pub fn release(&mut self, id: SequenceId) {
        self.truncate(id, 0);
        if let Some(sequence) = self.get_mut(id) {
            sequence.live = false;
        }
    }

    /// Forgets all positions from `len` on.
    pub fn truncate(&mut self, id: SequenceId, len: usize) {
        if let Some(sequence) = self.get_mut(id)
            && len < sequence.len
        {
            sequence.len = len;
            let freed = sequence.blocks.split_off(len.div_ceil(KV_BLOCK));
            self.free.extend(freed);
        }
    }

    /// Positions of a sequence; 0 where it has ended.
    pub fn len(&self, id: SequenceId) -> usize {
        self.get(id).map_or(0, |s| s.len)
    }

    /// Positions that no sequence holds.
    pub fn free_positions(&self) -> usize {
        self.free.len() * KV_BLOCK
    }

    /// Positions in all.
    pub fn n_positions(&self) -> usize {
        self.n_blocks * KV_BLOCK
    }

    pub(crate) fn is_live(&self, id: SequenceId) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn blocks(&self, id: SequenceId) -> &[u32] {
        &self.sequences[id.slot].blocks
    }

    /// Lengthens sequences, each by its number of positions: all of them or none.
    pub(crate) fn extend(&mut self, wanted: &[(SequenceId, usize)]) -> Result<(), Error> {
        let more = |pool: &Self, id: SequenceId, n: usize| (pool.len(id) + n).div_ceil(KV_BLOCK) - pool.blocks(id).len();
        let blocks: usize = wanted.iter().map(|(id, n)| more(self, *id, *n)).sum();
        if blocks > self.free.len() {
            return Err(Error::CacheFull { n_positions: self.n_positions(), wanted: wanted.iter().map(|(_, n)| n).sum() });
        }
        for (id, n) in wanted {
            let more = more(self, *id, *n);
            let taken = self.free.split_off(self.free.len() - more);
            let sequence = &mut self.sequences[id.slot];
            sequence.blocks.extend(taken);
            sequence.len += n;
        }
        Ok(())
    }
}
