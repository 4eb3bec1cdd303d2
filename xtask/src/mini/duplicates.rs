//! Duplicates: exact ones by hash, near ones by `MinHash` over word 5-grams, repeated paragraphs by hash.
//!
//! `MinHash` as Broder (1997) with one permutation a slot: word 5-grams of lower-cased words are hashed by xxh3, each of the 96 slots keeps the least of
//! `h * odd + offset`. Documents that agree in one of 32 bands of 3 slots are compared (88% of pairs at 0.4, all but 0.04% at 0.6), and the share of equal slots estimates the Jaccard similarity.

use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const SLOTS: usize = 96;
const BAND: usize = 3;
const WORDS: usize = 5;

/// The signature of a text.
pub type Signature = [u64; SLOTS];

/// The signature of `text`, or none where it has fewer than five words.
pub fn signature(text: &str) -> Option<Signature> {
    let words: Vec<u64> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(|w| xxh3_64(w.to_lowercase().as_bytes())).collect();
    if words.len() < WORDS {
        return None;
    }
    let slots: [(u64, u64); SLOTS] =
        std::array::from_fn(|i| (xxh3_64_with_seed(b"slot", i as u64) | 1, xxh3_64_with_seed(b"offset", i as u64)));
    let mut least = [u64::MAX; SLOTS];
    for gram in words.windows(WORDS) {
        let h = gram.iter().fold(0u64, |h, &w| (h.rotate_left(13) ^ w).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let h = h ^ (h >> 29);
        for (m, (a, b)) in least.iter_mut().zip(slots) {
            *m = (*m).min(h.wrapping_mul(a).wrapping_add(b));
        }
    }
    Some(least)
}

/// Estimated Jaccard similarity.
pub fn similarity(a: &Signature, b: &Signature) -> f64 {
    a.iter().zip(b).filter(|(x, y)| x == y).count() as f64 / SLOTS as f64
}

/// What near-duplicates do to a list of documents.
#[derive(Debug)]
pub struct Near {
    /// True where an earlier document is nearly the same.
    pub drop: Vec<bool>,
    /// The first document of the cluster that must lie on one side of the split.
    pub cluster: Vec<usize>,
}

/// Finds near-duplicates among `signatures`, in the order given.
pub fn near(signatures: &[Option<Signature>], drop_at: f64, together_at: f64) -> Near {
    let mut buckets: HashMap<(usize, u64), Vec<u32>> = HashMap::new();
    let mut drop = vec![false; signatures.len()];
    let mut cluster: Vec<usize> = (0..signatures.len()).collect();
    let mut seen = HashSet::new();
    for (i, signature) in signatures.iter().enumerate() {
        let Some(signature) = signature else { continue };
        seen.clear();
        let keys: Vec<(usize, u64)> =
            signature.chunks_exact(BAND).enumerate().map(|(band, slots)| (band, xxh3_64(bytemuck_bytes(slots).as_slice()))).collect();
        for key in &keys {
            for &j in buckets.get(key).map_or(&[][..], Vec::as_slice) {
                let Some(other) = signatures[j as usize].as_ref().filter(|_| seen.insert(j)) else { continue };
                let similarity = similarity(signature, other);
                if similarity >= together_at {
                    let (a, b) = (root(&mut cluster, i), root(&mut cluster, j as usize));
                    let (first, later) = (a.min(b), a.max(b));
                    cluster[later] = first;
                    drop[i] |= similarity >= drop_at;
                }
            }
        }
        // A dropped document stands for nothing that its original does not stand for.
        if !drop[i] {
            for key in keys {
                buckets.entry(key).or_default().push(i as u32);
            }
        }
    }
    for i in 0..cluster.len() {
        cluster[i] = root(&mut cluster, i);
    }
    Near { drop, cluster }
}

fn bytemuck_bytes(slots: &[u64]) -> Vec<u8> {
    slots.iter().flat_map(|slot| slot.to_le_bytes()).collect()
}

fn root(cluster: &mut [usize], mut i: usize) -> usize {
    while cluster[i] != i {
        cluster[i] = cluster[cluster[i]];
        i = cluster[i];
    }
    i
}

/// Paragraphs seen so far, over all documents.
#[derive(Debug, Default)]
pub struct Paragraphs {
    seen: HashSet<u64>,
}

impl Paragraphs {
    /// `text` without the paragraphs of `min_bytes` or more that an earlier document (or this one) has, and the bytes taken out.
    pub fn without_repeated(&mut self, text: &str, min_bytes: usize) -> (String, usize) {
        let mut out = String::with_capacity(text.len());
        let mut removed = 0;
        for paragraph in text.split("\n\n") {
            if paragraph.len() >= min_bytes && !self.seen.insert(xxh3_64(paragraph.as_bytes())) {
                removed += paragraph.len();
                continue;
            }
            if !out.is_empty() {
                out.push_str("\n\n");
            }
            out.push_str(paragraph);
        }
        (out, removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(from: usize, to: usize) -> String {
        (from..to).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn near_duplicates_are_found_and_others_left() {
        // The second is the first with a little more: Jaccard 0.95; the third shares three quarters of the first's words: 0.6; the last is alone.
        let texts = [words(0, 420), words(0, 440), words(0, 320) + " " + &words(5000, 5100), words(9000, 9400)];
        let signatures: Vec<_> = texts.iter().map(|t| signature(t)).collect();
        let near = near(&signatures, 0.8, 0.4);
        assert_eq!(near.drop, [false, true, false, false]);
        assert_eq!(near.cluster, [0, 0, 0, 3]);
        assert!(signature("four words are here").is_none());
    }

    #[test]
    fn a_paragraph_stands_once() {
        let mut seen = Paragraphs::default();
        assert_eq!(seen.without_repeated("a longer paragraph\n\nshort", 10), ("a longer paragraph\n\nshort".to_owned(), 0));
        assert_eq!(seen.without_repeated("new text here\n\na longer paragraph\n\nshort", 10), ("new text here\n\nshort".to_owned(), 18));
    }
}
