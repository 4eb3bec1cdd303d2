//! From sketches to pairs: who is like an earlier one, and which belong together.
//!
//! Memory: 9 bytes a document, and the keys of one band, in as many parts as keep each under the budget. A bucket of n documents costs 16 n comparisons at most, not n²: a text is compared
//! with the first eight of its bucket and the eight before it.

use crate::Error;

/// "No document."
pub(crate) const NONE: u32 = u32::MAX;
/// (key, document) pairs held at a time: 256 MiB.
const PART_PAIRS: u64 = 32 << 20;
const COMPARED: usize = 8;

/// Sketches of documents, numbered in their order.
pub(crate) trait Sketches {
    fn n_documents(&self) -> u32;
    /// The first so many are only compared with: the others are like one of them, or like none. 0 compares all with all.
    fn n_compared_with(&self) -> u32;
    fn n_bands(&self) -> usize;
    /// Calls `each` with key and document for all that have a sketch, in rising order of documents.
    fn keys(&self, band: usize, each: &mut dyn FnMut(u32, u32)) -> Result<(), Error>;
    fn similarity(&self, a: u32, b: u32) -> Result<f64, Error>;
}

/// What was found, by document.
#[derive(Debug)]
pub(crate) struct Pairs {
    /// The first document that this one is a near-copy of, or [`NONE`].
    pub original: Vec<u32>,
    /// How like, in percent.
    pub percent: Vec<u8>,
    /// The first document of the cluster.
    pub cluster: Vec<u32>,
}

/// Compares all that share a bucket.
pub(crate) fn find(sketches: &dyn Sketches, drop_at: f64, together_at: f64) -> Result<Pairs, Error> {
    let n = sketches.n_documents();
    let mut pairs = Pairs { original: vec![NONE; n as usize], percent: vec![0; n as usize], cluster: (0..n).collect() };
    let n_parts = (u64::from(n) / PART_PAIRS + 1) as u32;
    for band in 0..sketches.n_bands() {
        for part in 0..n_parts {
            let mut keyed: Vec<(u32, u32)> = Vec::new();
            sketches.keys(band, &mut |key, document| {
                if key % n_parts == part {
                    keyed.push((key, document));
                }
            })?;
            keyed.sort_unstable();
            for bucket in keyed.chunk_by(|a, b| a.0 == b.0) {
                pairs.bucket(sketches, bucket, drop_at, together_at)?;
            }
        }
    }
    for i in 0..n {
        pairs.cluster[i as usize] = pairs.root(i);
    }
    Ok(pairs)
}

impl Pairs {
    fn bucket(&mut self, sketches: &dyn Sketches, bucket: &[(u32, u32)], drop_at: f64, together_at: f64) -> Result<(), Error> {
        let against = sketches.n_compared_with();
        for (i, &(_, later)) in bucket.iter().enumerate() {
            if later < against {
                continue;
            }
            let before = if against > 0 { bucket.partition_point(|(_, d)| *d < against) } else { i };
            let (first, last) = (before.min(COMPARED), before.saturating_sub(COMPARED).max(COMPARED.min(before)));
            for &(_, earlier) in bucket[..first].iter().chain(&bucket[last..before]) {
                // What another band found is not compared again, unless an earlier original may come of it.
                let known = self.original[later as usize] <= earlier && self.root(later) == self.root(earlier);
                if known {
                    continue;
                }
                self.pair(earlier, later, sketches.similarity(earlier, later)?, drop_at, together_at);
            }
        }
        Ok(())
    }

    fn pair(&mut self, earlier: u32, later: u32, similarity: f64, drop_at: f64, together_at: f64) {
        if similarity >= together_at {
            let (a, b) = (self.root(earlier), self.root(later));
            self.cluster[a.max(b) as usize] = a.min(b);
        }
        if similarity >= drop_at && earlier < self.original[later as usize] {
            self.original[later as usize] = earlier;
            self.percent[later as usize] = (100.0 * similarity).round() as u8;
        }
    }

    fn root(&mut self, mut i: u32) -> u32 {
        while self.cluster[i as usize] != i {
            self.cluster[i as usize] = self.cluster[self.cluster[i as usize] as usize];
            i = self.cluster[i as usize];
        }
        i
    }
}
