//! Counts of neighbouring pairs, kept up to date merge by merge.
//!
//! All distinct words lie one after the other in one array with a slot for each byte. A token takes as many slots as it has bytes and writes its id
//! into the first and the last of them, so that from any token both neighbours are found without links. A merge visits the places of its pair and nothing else.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::count::Word;
use crate::Error;
use crate::alphabet::bytes_in_order;
use crate::vocabulary::Map;

/// Between words.
const WALL: u32 = u32::MAX;
/// In a slot where a token began that is now the right part of a longer one.
const GONE: u32 = u32::MAX - 1;

const fn key(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}

struct Pair {
    key: u64,
    count: u64,
    /// First slots of the places where the pair was seen, rising; some may have changed since.
    places: Vec<u32>,
}

pub(super) struct Pairs {
    slots: Vec<u32>,
    /// Which word a slot belongs to.
    word_of: Vec<u32>,
    /// How often each word occurs.
    counts: Vec<u64>,
    /// Bytes of each token.
    lens: Vec<u32>,
    by_pair: Map<u64, u32>,
    /// Every pair that has ever been neighbours.
    seen: Vec<Pair>,
    /// Count, pair and its number. Counts only fall after a pair is made, so an entry is an upper bound until it is looked at again.
    heap: BinaryHeap<(u64, Reverse<u64>, u32)>,
}

impl Pairs {
    pub(super) fn new(words: &[Word]) -> Result<Self, Error> {
        let n_slots = words.iter().map(|(word, _)| word.len() + 1).sum::<usize>() + 1;
        if n_slots >= GONE as usize {
            return Err(Error::Training { cause: format!("{n_slots} bytes of distinct words, more than 4 GB") });
        }
        let mut ids = [0; 256];
        for (id, byte) in bytes_in_order().enumerate() {
            ids[byte as usize] = id as u32;
        }
        let mut all = Self {
            slots: Vec::with_capacity(n_slots),
            word_of: Vec::with_capacity(n_slots),
            counts: words.iter().map(|&(_, n)| n).collect(),
            lens: vec![1; 256],
            by_pair: Map::default(),
            seen: Vec::new(),
            heap: BinaryHeap::new(),
        };
        all.slots.push(WALL);
        all.word_of.push(0);
        for (number, (word, n)) in words.iter().enumerate() {
            for (i, &byte) in word.iter().enumerate() {
                if i > 0 {
                    all.add(ids[word[i - 1] as usize], ids[byte as usize], all.slots.len() as u32 - 1, *n);
                }
                all.slots.push(ids[byte as usize]);
                all.word_of.push(number as u32);
            }
            all.slots.push(WALL);
            all.word_of.push(number as u32);
        }
        all.queue_from(0);
        Ok(all)
    }

    /// Makes the most frequent pair the token `joined` and returns it, or `None` where none occurs `min_count` times.
    pub(super) fn merge_next(&mut self, joined: u32, min_count: u64) -> Option<(u32, u32)> {
        loop {
            let (queued, Reverse(pair), number) = self.heap.pop()?;
            let count = self.seen[number as usize].count;
            if count < min_count {
                continue;
            }
            if count != queued {
                self.heap.push((count, Reverse(pair), number));
                continue;
            }
            let (left, right) = ((pair >> 32) as u32, pair as u32);
            self.join(left, right, joined, number);
            return Some((left, right));
        }
    }

    fn join(&mut self, left: u32, right: u32, joined: u32, number: u32) {
        let places = std::mem::take(&mut self.seen[number as usize].places);
        let (n_left, n_right) = (self.lens[left as usize], self.lens[right as usize]);
        debug_assert_eq!(self.lens.len(), joined as usize);
        self.lens.push(n_left + n_right);
        let first_new = self.seen.len();
        for &place in &places {
            let start = place as usize;
            let middle = start + n_left as usize;
            let end = middle + n_right as usize;
            // A token's first and last slot hold its id, so a place that still reads (left, right) still is that pair: tokens only grow, and the slots in
            // which a longer right part began are marked as gone.
            if self.slots[start] != left || self.slots[middle] != right {
                continue;
            }
            let n = self.counts[self.word_of[start] as usize];
            self.slots[middle] = GONE;
            self.slots[start] = joined;
            self.slots[end - 1] = joined;
            let before = self.slots[start - 1];
            if before != WALL {
                self.remove(before, left, n);
                self.add(before, joined, place - self.lens[before as usize], n);
            }
            let after = self.slots[end];
            if after != WALL {
                self.remove(right, after, n);
                self.add(joined, after, place, n);
            }
        }
        // Neighbours like (a, a) in "aaa" have been taken off one by one or not at all: none is left of the pair itself.
        self.seen[number as usize].count = 0;
        self.queue_from(first_new);
    }

    fn add(&mut self, left: u32, right: u32, place: u32, n: u64) {
        let next = self.seen.len() as u32;
        let number = *self.by_pair.entry(key(left, right)).or_insert(next);
        if number == next {
            self.seen.push(Pair { key: key(left, right), count: 0, places: Vec::new() });
        }
        let pair = &mut self.seen[number as usize];
        pair.count += n;
        debug_assert!(pair.places.last().is_none_or(|&last| last < place));
        pair.places.push(place);
    }

    fn remove(&mut self, left: u32, right: u32, n: u64) {
        if let Some(&number) = self.by_pair.get(&key(left, right)) {
            let count = &mut self.seen[number as usize].count;
            *count = count.saturating_sub(n);
        }
    }

    /// Queues the pairs made since there were `first` of them.
    fn queue_from(&mut self, first: usize) {
        let new = self.seen.iter().enumerate().skip(first);
        self.heap.extend(new.map(|(number, pair)| (pair.count, Reverse(pair.key), number as u32)));
    }
}
