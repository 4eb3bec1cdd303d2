//! What is said of a row's texts.

use std::collections::HashSet;

use ovid_stats::median;
use ovid_watermark::{Judgement, Verdict};

/// How many texts were found, and how surely.
pub struct Found {
    pub n: u64,
    pub n_marked: u64,
    log10_p: Vec<f64>,
    n_counted: u64,
}

impl Found {
    pub fn of(judgements: impl Iterator<Item = Judgement>) -> Self {
        let mut found = Self { n: 0, n_marked: 0, log10_p: Vec::new(), n_counted: 0 };
        for judgement in judgements {
            found.n += 1;
            found.n_marked += u64::from(judgement.verdict == Verdict::Marked);
            // Below the smallest number there is 1e-300 is as good.
            found.log10_p.push(judgement.p_value.max(1e-300).log10());
            found.n_counted += judgement.trials.first().map_or(0, |t| t.whole.n_counted);
        }
        found
    }

    pub fn rate(&self) -> f64 {
        self.n_marked as f64 / self.n as f64
    }

    pub fn median_log10_p(&self) -> f64 {
        median(&self.log10_p).unwrap_or(f64::NAN)
    }

    pub fn mean_counted(&self) -> f64 {
        self.n_counted as f64 / self.n as f64
    }
}

fn grams(text: &str) -> Vec<Vec<&str>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(4).map(<[&str]>::to_vec).collect()
}

/// The share of a text's word 4-grams that it had before.
pub fn repeated(text: &str) -> f64 {
    let all = grams(text);
    let distinct: HashSet<_> = all.iter().collect();
    1.0 - distinct.len() as f64 / all.len().max(1) as f64
}

/// How many of the texts differ from every other of the same prompt.
pub fn n_distinct(texts: &[Vec<String>]) -> usize {
    texts.iter().map(|same| same.iter().collect::<HashSet<_>>().len()).sum()
}

/// The share of a text's word 4-grams that another text of the same prompt has, over all pairs.
pub fn overlap(texts: &[Vec<String>]) -> f64 {
    let (mut shared, mut all) = (0usize, 0usize);
    for same in texts {
        let sets: Vec<HashSet<_>> = same.iter().map(|t| grams(t).into_iter().collect()).collect();
        for (i, a) in sets.iter().enumerate() {
            for b in sets.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, b)| b) {
                shared += a.intersection(b).count();
                all += a.len();
            }
        }
    }
    shared as f64 / all.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_and_overlap_are_counted() {
        assert!((repeated("a b c d a b c d") - 0.2).abs() < 1e-12);
        let texts = vec![vec!["a b c d".to_owned(), "a b c d".to_owned(), "x y z w".to_owned()]];
        assert_eq!(n_distinct(&texts), 2);
        assert!((overlap(&texts) - 2.0 / 6.0).abs() < 1e-12);
    }
}
