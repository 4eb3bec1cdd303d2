//! How much a text repeats itself: the share of its word 4-grams that it has had before.

use std::collections::HashSet;

/// Counts over many texts, each of which is measured by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Repeats {
    /// 4-grams in all.
    pub n_grams: usize,
    /// Those that the same text had before.
    pub n_repeated: usize,
}

impl Repeats {
    /// Adds a text.
    pub fn add(&mut self, words: &[String]) {
        let mut seen = HashSet::new();
        for gram in words.windows(4) {
            self.n_grams += 1;
            self.n_repeated += usize::from(!seen.insert(gram));
        }
    }

    /// The share of repeated 4-grams.
    pub fn ratio(self) -> f64 {
        self.n_repeated as f64 / self.n_grams.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_grams_are_counted_within_a_text() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut repeats = Repeats::default();
        repeats.add(&words("a b c d a b c d"));
        assert_eq!(repeats, Repeats { n_grams: 5, n_repeated: 1 });
        repeats.add(&words("a b c d"));
        assert_eq!(repeats.n_repeated, 1);
    }
}
