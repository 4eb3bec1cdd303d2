//! Diversity over samples, repetition within one.

use std::hash::Hash;

use foldhash::{HashSet, HashSetExt as _};

/// Different runs of `n` words over all of them; 0 where there are none.
pub(super) fn distinct(texts: &[Vec<String>], n: usize) -> f64 {
    let mut seen = HashSet::new();
    let mut all = 0usize;
    for run in texts.iter().flat_map(|t| t.windows(n)) {
        all += 1;
        seen.insert(run);
    }
    if all == 0 { 0.0 } else { seen.len() as f64 / all as f64 }
}

/// The share of runs of `n` that stood before; 0 where there are none.
pub(super) fn repeated<T: Eq + Hash>(items: &[T], n: usize) -> f64 {
    let all = items.windows(n).count();
    let different = items.windows(n).collect::<HashSet<_>>().len();
    if all == 0 { 0.0 } else { 1.0 - different as f64 / all as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_by_hand() {
        let texts: Vec<Vec<String>> = ["a b a b", "a b c"].iter().map(|t| t.split(' ').map(String::from).collect()).collect();
        // Words a, b, a, b and a, b, c; pairs (a b), (b a), (a b) and (a b), (b c).
        assert_eq!((distinct(&texts, 1), distinct(&texts, 2)), (3.0 / 7.0, 3.0 / 5.0));
        assert_eq!(distinct(&texts, 5), 0.0);
        assert_eq!(repeated(&[1, 2, 1, 2, 1, 2], 2), 1.0 - 2.0 / 5.0);
        assert_eq!((repeated(&[1, 1, 1, 1, 1], 4), repeated(&[1, 2, 3], 4)), (0.5, 0.0));
    }
}
