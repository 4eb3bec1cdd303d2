//! Hashes held against an index: first the filter, then, where it says yes, the exact entries.

use crate::index::{Index, Position, Record, segment_of};
use crate::{Error, Words};

/// What the index says of an n-gram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The filter says no, and is always right then.
    Absent,
    /// The filter says yes, the exact index no.
    FalsePositive,
    /// It stands in the corpus.
    Present,
}

/// A pool of so many threads; 0 for as many as the machine has.
pub(crate) fn pool(threads: usize) -> Result<rayon::ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| Error::Threads(e.to_string()))
}

impl Index {
    /// What the index says of each n-gram of a text.
    pub fn hits(&self, words: &Words) -> Vec<bool> {
        let hashes: Vec<u64> = words.hashes(self.n()).collect();
        self.look_up(&hashes).into_iter().map(|hit| hit == Hit::Present).collect()
    }

    /// What the index says of each hash.
    ///
    /// Many hashes are taken in the order of their segments, so that one cache-sized piece of the filter is touched after the other.
    pub fn look_up(&self, hashes: &[u64]) -> Vec<Hit> {
        let mut hits = vec![Hit::Absent; hashes.len()];
        if hashes.len() < self.n_segments() {
            for (hash, hit) in hashes.iter().zip(&mut hits) {
                *hit = self.ask(*hash);
            }
            return hits;
        }
        for (block, hits) in hashes.chunks(u32::MAX as usize).zip(hits.chunks_mut(u32::MAX as usize)) {
            self.look_up_in_order(block, hits);
        }
        hits
    }

    fn look_up_in_order(&self, hashes: &[u64], hits: &mut [Hit]) {
        let n_segments = self.n_segments();
        // A counting sort by segment.
        let mut ends = vec![0_u32; n_segments + 1];
        for hash in hashes {
            ends[segment_of(*hash, n_segments) + 1] += 1;
        }
        for s in 0..n_segments {
            ends[s + 1] += ends[s];
        }
        let starts = ends.clone();
        let mut ordered = vec![(0_u64, 0_u32); hashes.len()];
        for (i, hash) in hashes.iter().enumerate() {
            let end = &mut ends[segment_of(*hash, n_segments)];
            ordered[*end as usize] = (*hash, i as u32);
            *end += 1;
        }
        let entries = self.entries();
        let segments = self.segments();
        for s in 0..n_segments {
            let segment = self.segment(s);
            let entries = &entries[segments[s][1] as usize..segments[s + 1][1] as usize];
            for &(hash, i) in &ordered[starts[s] as usize..starts[s + 1] as usize] {
                if segment.may_contain(hash) {
                    let at = lower_bound(entries, hash, n_segments);
                    hits[i as usize] = if entries.get(at).is_some_and(|e| e.hash == hash) { Hit::Present } else { Hit::FalsePositive };
                }
            }
        }
    }

    fn ask(&self, hash: u64) -> Hit {
        if !self.segment(segment_of(hash, self.n_segments())).may_contain(hash) {
            Hit::Absent
        } else if self.at(hash).is_empty() {
            Hit::FalsePositive
        } else {
            Hit::Present
        }
    }

    /// The exact index alone: every place of an n-gram in the corpus, in rising order.
    pub fn places(&self, hash: u64) -> impl ExactSizeIterator<Item = Position> + '_ {
        self.at(hash).iter().map(|record| record.position.into())
    }

    fn at(&self, hash: u64) -> &[Record] {
        let (s, segments) = (segment_of(hash, self.n_segments()), self.segments());
        let entries = &self.entries()[segments[s][1] as usize..segments[s + 1][1] as usize];
        let here = &entries[lower_bound(entries, hash, self.n_segments())..];
        let mut n = 1;
        while n < here.len() && here[n].hash == hash {
            n *= 2;
        }
        let n = n.min(here.len());
        &here[..here[..n].partition_point(|e| e.hash <= hash)]
    }
}

/// The first entry of a segment whose hash is not below `hash`. Hashes are spread evenly, so that their own value says about where; from there in growing steps.
fn lower_bound(entries: &[Record], hash: u64, n_segments: usize) -> usize {
    let within = hash << n_segments.trailing_zeros();
    let guess = ((u128::from(within) * entries.len() as u128) >> 64) as usize;
    let (mut low, mut high, mut step) = (guess, guess, 16);
    while low > 0 && entries[low].hash >= hash {
        low = low.saturating_sub(step);
        step *= 2;
    }
    step = 16;
    while high < entries.len() && entries[high].hash < hash {
        high = (high + step).min(entries.len());
        step *= 2;
    }
    low + entries[low..high].partition_point(|e| e.hash < hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_bound_is_that_of_a_plain_search() {
        let draws = ovid_stats::Draws::new(5, 0);
        for n in [0_u64, 1, 2, 50, 3000] {
            let mut entries: Vec<Record> = (0..n)
                // A third of them equal, and all in segment 3 of 8.
                .map(|i| Record { hash: draws.u64_at(if i % 3 == 0 { 7 } else { i }) >> 3 | 3 << 61, position: i })
                .collect();
            entries.sort_unstable();
            let near = entries.iter().flat_map(|e| [e.hash - 1, e.hash, e.hash + 1]);
            for hash in near.chain([3 << 61, (4 << 61) - 1]).filter(|h| h >> 61 == 3) {
                assert_eq!(lower_bound(&entries, hash, 8), entries.partition_point(|e| e.hash < hash));
            }
        }
    }
}
