//! How much two texts have in common, word by word.

use foldhash::{HashMap, HashMapExt as _};

use crate::words::gram;

/// Words that stand in a run of fewer than this in both texts are chance.
const RUN: usize = 3;
/// A text shorter than this is compared as if it had so many words: a few words in common are no copy.
const LEAST_WORDS: usize = 12;

/// What two texts have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overlap {
    /// Words of the query in runs of three or more that the other text has too, over the words of the shorter; at most 1.
    pub(super) ratio: f64,
    /// The longest run of words in both.
    pub(super) longest_run: usize,
}

impl Overlap {
    pub(super) fn of(query: &[u64], text: &[u64]) -> Self {
        let mut places: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, run) in text.windows(RUN).enumerate() {
            places.entry(gram(run)).or_default().push(at);
        }
        let mut covered = vec![false; query.len()];
        let mut longest_run = 0;
        // Runs that end at the run of three before, by where they began in the other text minus here: each is followed as long as it lasts.
        let mut before: HashMap<usize, usize> = HashMap::new();
        for (at, run) in query.windows(RUN).enumerate() {
            let mut now = HashMap::new();
            for &place in places.get(&gram(run)).into_iter().flatten() {
                covered[at..at + RUN].fill(true);
                let length = place.checked_sub(1).and_then(|p| before.get(&p)).map_or(RUN, |n| n + 1);
                longest_run = longest_run.max(length);
                now.insert(place, length);
            }
            before = now;
        }
        let n_covered = covered.iter().filter(|&&c| c).count();
        let shorter = query.len().min(text.len()).max(LEAST_WORDS);
        // The other text may have a run once that the query has twice.
        Self { ratio: (n_covered as f64 / shorter as f64).min(1.0), longest_run }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::word_hashes;
    use proptest::prelude::*;

    #[test]
    fn what_is_common_is_counted() {
        let overlap = |a: &str, b: &str| Overlap::of(&word_hashes(a), &word_hashes(b));
        let text = "it was the old man of the sea who said that it goes on";
        assert_eq!(overlap(text, text), Overlap { ratio: 1.0, longest_run: 14 });
        // Five of twelve words, in a row.
        assert_eq!(overlap("x y z old man of the sea u v w q", text), Overlap { ratio: 5.0 / 12.0, longest_run: 5 });
        assert_eq!(overlap("the man of sea old who", text), Overlap { ratio: 0.0, longest_run: 0 });
        assert_eq!(overlap("old man of", text).ratio, 3.0 / 12.0);
    }

    proptest! {
        #[test]
        fn the_longest_run_is_that_of_a_plain_search(a in prop::collection::vec(0u64..4, 0..30), b in prop::collection::vec(0u64..4, 0..30)) {
            let common = |n: usize| n == 0 || a.windows(n).any(|w| b.windows(n).any(|v| v == w));
            let longest = (0..=a.len()).rev().find(|&n| common(n)).unwrap_or(0);
            prop_assert_eq!(Overlap::of(&a, &b).longest_run, if longest < RUN { 0 } else { longest });
        }
    }
}
