//! The merge loop: which pair of neighbours joins first, and what becomes of a word.
//!
//! A merge's rank is its place in the list of merges; the pair of the lowest rank joins first, the leftmost where a pair occurs more than once. Short words
//! are searched as they lie; from [`LONG`] bytes on a heap keeps the pairs in order, so that a word of n bytes costs O(n log n) whatever its text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// No rank, no token.
const NONE: u32 = u32::MAX;
/// Words from this many bytes on go through the heap.
const LONG: usize = 48;

#[derive(Clone, Copy, Debug)]
struct Slot {
    left: u32,
    right: u32,
    rank: u32,
}

/// The list of merges, made for looking up.
#[derive(Debug)]
pub(crate) struct Merges {
    /// (left, right, joined) by rank.
    list: Vec<(u32, u32, u32)>,
    /// Open addressing over pairs, at most half full; its length is a power of two.
    table: Vec<Slot>,
    /// The token of each byte.
    byte_ids: [u32; 256],
    /// The rank of each pair of bytes: the first look at a word asks for nothing else.
    byte_pairs: Vec<u32>,
}

fn hash(left: u32, right: u32) -> usize {
    let key = u128::from(u64::from(left) << 32 | u64::from(right)) ^ 0x9E37_79B9_7F4A_7C15;
    let product = key * 0xD6E8_FEB8_6659_FD93;
    (product ^ product >> 64) as usize
}

impl Merges {
    /// From merges in order. On a pair that comes twice, `Err((earlier, later))` names the two ranks.
    pub(crate) fn new(list: Vec<(u32, u32, u32)>, byte_ids: &[u32; 256]) -> Result<Self, (usize, usize)> {
        let n_slots = (list.len() * 2).next_power_of_two().max(2);
        let mut merges = Self {
            list,
            table: vec![Slot { left: NONE, right: NONE, rank: NONE }; n_slots],
            byte_ids: *byte_ids,
            byte_pairs: vec![NONE; 1 << 16],
        };
        let mut byte_of = std::collections::HashMap::with_capacity(256);
        for (byte, &id) in byte_ids.iter().enumerate() {
            byte_of.insert(id, byte);
        }
        for rank in 0..merges.list.len() {
            let (left, right, _) = merges.list[rank];
            let at = merges.slot(left, right);
            if merges.table[at].rank != NONE {
                return Err((merges.table[at].rank as usize, rank));
            }
            merges.table[at] = Slot { left, right, rank: rank as u32 };
            if let (Some(l), Some(r)) = (byte_of.get(&left), byte_of.get(&right)) {
                merges.byte_pairs[l << 8 | r] = rank as u32;
            }
        }
        Ok(merges)
    }

    /// The merges by rank: left, right, joined.
    pub(crate) fn list(&self) -> &[(u32, u32, u32)] {
        &self.list
    }

    fn slot(&self, left: u32, right: u32) -> usize {
        let mask = self.table.len() - 1;
        let mut at = hash(left, right) & mask;
        while self.table[at].rank != NONE && (self.table[at].left, self.table[at].right) != (left, right) {
            at = (at + 1) & mask;
        }
        at
    }

    fn rank(&self, left: u32, right: u32) -> u32 {
        self.table[self.slot(left, right)].rank
    }

    /// Appends the tokens of one word.
    pub(crate) fn word(&self, word: &[u8], ids: &mut Vec<u32>) {
        match word {
            [] => {}
            &[byte] => ids.push(self.byte_ids[byte as usize]),
            _ if word.len() < LONG => self.short(word, ids),
            _ => self.long(word, ids),
        }
    }

    fn short(&self, word: &[u8], ids: &mut Vec<u32>) {
        // ranks[i] belongs to the pair (parts[i], parts[i + 1]); the last has none.
        let (mut parts, mut ranks) = ([0_u32; LONG], [NONE; LONG]);
        let mut n = word.len();
        for (i, &byte) in word.iter().enumerate() {
            parts[i] = self.byte_ids[byte as usize];
        }
        for (i, pair) in word.windows(2).enumerate() {
            ranks[i] = self.byte_pairs[usize::from(pair[0]) << 8 | usize::from(pair[1])];
        }
        loop {
            let (mut at, mut best) = (0, NONE);
            for (i, &rank) in ranks[..n].iter().enumerate() {
                if rank < best {
                    (at, best) = (i, rank);
                }
            }
            if best == NONE {
                break;
            }
            parts[at] = self.list[best as usize].2;
            parts.copy_within(at + 2..n, at + 1);
            ranks.copy_within(at + 1..n, at);
            n -= 1;
            ranks[at] = if at + 1 < n { self.rank(parts[at], parts[at + 1]) } else { NONE };
            if at > 0 {
                ranks[at - 1] = self.rank(parts[at - 1], parts[at]);
            }
        }
        ids.extend_from_slice(&parts[..n]);
    }

    fn long(&self, word: &[u8], ids: &mut Vec<u32>) {
        // Parts are a linked list over the word's positions; a part that was joined to its left neighbour is NONE.
        let n = word.len();
        let mut parts: Vec<u32> = word.iter().map(|&b| self.byte_ids[b as usize]).collect();
        let mut next: Vec<u32> = (1..=n as u32).collect();
        let mut previous: Vec<u32> = (0..n as u32).map(|i| i.wrapping_sub(1)).collect();
        // Rank and place in one number: the lowest rank first, and of equal ones the leftmost.
        let entry = |rank: u32, at: u32| Reverse(u64::from(rank) << 32 | u64::from(at));
        let ranks = word.windows(2).map(|pair| self.byte_pairs[usize::from(pair[0]) << 8 | usize::from(pair[1])]);
        let mut heap: BinaryHeap<_> = ranks.zip(0..).filter(|&(rank, _)| rank != NONE).map(|(rank, at)| entry(rank, at)).collect();
        while let Some(Reverse(first)) = heap.pop() {
            let (rank, at) = ((first >> 32) as u32, first as u32);
            let (left, right, joined) = self.list[rank as usize];
            let gone = next[at as usize];
            // Entries whose parts have changed since are left over from before.
            if parts[at as usize] != left || gone as usize >= n || parts[gone as usize] != right {
                continue;
            }
            parts[at as usize] = joined;
            parts[gone as usize] = NONE;
            let after = next[gone as usize];
            next[at as usize] = after;
            if (after as usize) < n {
                previous[after as usize] = at;
                let rank = self.rank(joined, parts[after as usize]);
                if rank != NONE {
                    heap.push(entry(rank, at));
                }
            }
            let before = previous[at as usize];
            if before != NONE {
                let rank = self.rank(parts[before as usize], joined);
                if rank != NONE {
                    heap.push(entry(rank, before));
                }
            }
        }
        let mut at = 0;
        while at < n {
            ids.push(parts[at]);
            at = next[at] as usize;
        }
    }
}
