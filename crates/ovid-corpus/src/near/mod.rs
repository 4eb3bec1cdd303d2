//! Texts that are nearly the same: `MinHash` signatures, bands, clusters.
//!
//! `MinHash` as Broder (1997) with one permutation a slot, over the set of a text's word 5-grams (lower case, words are runs of letters and digits). Two texts are compared where they agree in
//! one of 32 bands of 3 slots, which finds a pair of Jaccard similarity s with probability 1 − (1 − s³)³²: 28% of pairs at 0.22, 88% at 0.4, 98.6% at 0.5, all but 0.04% at 0.6 and all but
//! 10⁻¹⁰ at 0.8. The share of equal slots then estimates s, with a standard error of √(s(1−s)/96): 0.04 at 0.8.
//!
//! A text is dropped where an *earlier* one is as like as the threshold asks. Clusters are joined at a lower one, over all texts, so that the split can keep together what is alike.

mod find;
mod signature;

pub(crate) use find::{NONE, Sketches, find};
pub use signature::{Signature, exact_hash, signature, similarity};
pub(crate) use signature::{band_key, exact_slots, share_equal};

use crate::Error;

/// What near-duplicates do to a list of documents.
#[derive(Debug, PartialEq, Eq)]
pub struct Near {
    /// True where an earlier document is nearly the same.
    pub drop: Vec<bool>,
    /// The first document of each one's cluster.
    pub cluster: Vec<usize>,
}

/// Finds near-duplicates among `signatures`, in the order given. Texts without a signature are like none.
///
/// ```
/// use ovid_corpus::near::{near, signature};
/// let text = "it was the best of times, it was the worst of times, it was the age of wisdom";
/// let near = near(&[signature(text), signature("another text altogether, with words of its own"), signature(text)], 0.8, 0.5);
/// assert_eq!((near.drop, near.cluster), (vec![false, false, true], vec![0, 1, 0]));
/// ```
pub fn near(signatures: &[Option<Signature>], drop_at: f64, together_at: f64) -> Near {
    let sketches = InMemory(signatures);
    let pairs = find(&sketches, drop_at, together_at).expect("what lies in memory can be read");
    Near { drop: pairs.original.iter().map(|o| *o != NONE).collect(), cluster: pairs.cluster.iter().map(|c| *c as usize).collect() }
}

struct InMemory<'a>(&'a [Option<Signature>]);

impl Sketches for InMemory<'_> {
    fn n_documents(&self) -> u32 {
        self.0.len() as u32
    }

    fn n_compared_with(&self) -> u32 {
        0
    }

    fn n_bands(&self) -> usize {
        Signature::BANDS
    }

    fn keys(&self, band: usize, each: &mut dyn FnMut(u32, u32)) -> Result<(), Error> {
        for (i, signature) in self.0.iter().enumerate() {
            if let Some(signature) = signature {
                each(band_key(signature, band), i as u32);
            }
        }
        Ok(())
    }

    fn similarity(&self, a: u32, b: u32) -> Result<f64, Error> {
        let of = |i: u32| self.0[i as usize].as_ref();
        Ok(of(a).zip(of(b)).map_or(0.0, |(a, b)| similarity(a, b)))
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
}
