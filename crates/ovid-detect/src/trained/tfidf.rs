//! The baseline of GPT-2's output dataset (Radford et al. 2019; Solaiman et al. 2019): TF-IDF of words and pairs of words, logistic regression.
//!
//! As scikit-learn has it: tokens are runs of two or more word characters in lower case; idf = ln((1 + n) / (1 + df)) + 1; rows of unit length; the loss is
//! |w|^2 / 2 + C times the sum of logistic losses, the constant a weight like the others (liblinear). Solved by dual coordinate descent (Yu et al. 2011, algorithm 5).

use std::collections::HashMap;

use ovid_stats::Draws;

use crate::{Error, clean};

/// What scikit-learn's classes are given.
#[derive(Clone, Copy, Debug)]
pub struct TfIdfOptions {
    /// Terms of fewer documents are left out.
    pub min_df: usize,
    /// The most terms, those of the highest counts.
    pub max_features: usize,
    /// C: weight of the losses against the regulariser.
    pub c: f64,
    /// Passes over the documents, at most.
    pub max_passes: usize,
    /// Seed of the order in which documents are visited.
    pub seed: u64,
}

impl Default for TfIdfOptions {
    /// The output dataset's `min_df=5, max_features=2**21`, and C = 64, the end of its grid.
    fn default() -> Self {
        Self { min_df: 5, max_features: 1 << 21, c: 64.0, max_passes: 200, seed: 0 }
    }
}

/// A trained baseline.
pub struct TfIdf {
    terms: HashMap<String, u32>,
    idf: Vec<f64>,
    /// One a term, the constant last.
    weights: Vec<f64>,
}

type Row = Vec<(u32, f64)>;

/// Words and pairs of words of a cleaned text.
fn terms(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| w.chars().nth(1).is_some()).collect();
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    words.iter().map(|w| (*w).to_owned()).chain(pairs).collect()
}

impl TfIdf {
    /// Trains on texts and whether each is a machine's.
    ///
    /// # Errors
    /// [`Error::TooFew`] where no term is in enough texts.
    pub fn train(texts: &[(String, bool)], options: &TfIdfOptions) -> Result<Self, Error> {
        let documents: Vec<Vec<String>> = texts.iter().map(|(text, _)| terms(&clean(text))).collect();
        let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
        for document in &documents {
            let mut own: Vec<&str> = document.iter().map(String::as_str).collect();
            own.sort_unstable();
            for same in own.chunk_by(|a, b| a == b) {
                let (total, df) = counts.entry(same[0]).or_default();
                *total += same.len();
                *df += 1;
            }
        }
        let mut kept: Vec<(&str, usize, usize)> =
            counts.into_iter().filter(|(_, (_, df))| *df >= options.min_df).map(|(t, (total, df))| (t, total, df)).collect();
        kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        kept.truncate(options.max_features);
        if kept.is_empty() {
            return Err(Error::TooFew { what: "documents with a common word".to_owned(), n: texts.len(), least: options.min_df });
        }
        let n = texts.len() as f64;
        let idf: Vec<f64> = kept.iter().map(|(_, _, df)| ((1.0 + n) / (1.0 + *df as f64)).ln() + 1.0).collect();
        let terms = kept.iter().zip(0..).map(|((t, ..), i)| ((*t).to_owned(), i)).collect();
        let mut detector = Self { terms, weights: vec![0.0; idf.len() + 1], idf };
        let rows: Vec<Row> = documents.iter().map(|d| detector.row(d)).collect();
        detector.weights = solve(&rows, &texts.iter().map(|(_, m)| *m).collect::<Vec<_>>(), detector.idf.len() + 1, options);
        Ok(detector)
    }

    /// How machine-like a text is: the logarithm of the odds.
    pub fn score(&self, text: &str) -> f64 {
        self.row(&terms(&clean(text))).iter().map(|(i, x)| x * self.weights[*i as usize]).sum()
    }

    /// TF-IDF of unit length, and a 1 for the constant.
    fn row(&self, terms: &[String]) -> Row {
        let mut ids: Vec<u32> = terms.iter().filter_map(|t| self.terms.get(t).copied()).collect();
        ids.sort_unstable();
        let mut row: Row = ids.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64 * self.idf[same[0] as usize])).collect();
        let length = row.iter().map(|(_, x)| x * x).sum::<f64>().sqrt();
        for (_, x) in &mut row {
            *x /= length;
        }
        row.push((self.idf.len() as u32, 1.0));
        row
    }
}

/// Dual coordinate descent for L2-regularised logistic regression: each document has a dual in (0, C), and w is the sum of duals times signed rows.
fn solve(rows: &[Row], is_machine: &[bool], width: usize, options: &TfIdfOptions) -> Vec<f64> {
    let c = options.c;
    let mut w = vec![0.0; width];
    let mut duals = vec![(1e-3 * c).min(1e-8); rows.len()];
    let sign = |i: usize| if is_machine[i] { 1.0 } else { -1.0 };
    let squares: Vec<f64> = rows.iter().map(|row| row.iter().map(|(_, x)| x * x).sum()).collect();
    for (i, row) in rows.iter().enumerate() {
        row.iter().for_each(|(j, x)| w[*j as usize] += sign(i) * duals[i] * x);
    }
    for pass in 0..options.max_passes as u64 {
        let mut greatest = 0.0f64;
        for i in Draws::new(options.seed, 0x7f1d_f000 + pass).permutation(rows.len()) {
            let margin: f64 = sign(i) * rows[i].iter().map(|(j, x)| w[*j as usize] * x).sum::<f64>();
            // The one-variable problem: z in (0, C) with ln(z / (C - z)) + q (z - old) + margin = 0, by Newton's method kept inside bounds.
            let (old, q) = (duals[i], squares[i]);
            let slope = |z: f64| (z / (c - z)).ln() + q * (z - old) + margin;
            greatest = greatest.max(slope(old).abs());
            let (mut low, mut high, mut z) = (0.0, c, old);
            for _ in 0..60 {
                let g = slope(z);
                if g.abs() < 1e-10 {
                    break;
                }
                if g > 0.0 {
                    high = z;
                } else {
                    low = z;
                }
                let step = z - g / (c / (z * (c - z)) + q);
                z = if step > low && step < high { step } else { f64::midpoint(low, high) };
            }
            let z = z.clamp(c * 1e-14, c * (1.0 - 1e-14));
            duals[i] = z;
            rows[i].iter().for_each(|(j, x)| w[*j as usize] += sign(i) * (z - old) * x);
        }
        if greatest < 1e-3 {
            break;
        }
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_at_the_minimum() {
        let draws = Draws::new(9, 0);
        let rows: Vec<Row> =
            (0..60u64).map(|i| (0..4).map(|j| (j as u32, draws.normal_at(5 * i + j))).chain([(4, 1.0)]).collect()).collect();
        let machine: Vec<bool> = (0..60).map(|i| draws.unit_at(1000 + i) < 0.4).collect();
        for c in [0.1, 1.0, 64.0] {
            let w = solve(&rows, &machine, 5, &TfIdfOptions { c, max_passes: 2000, ..TfIdfOptions::default() });
            // d/dw of |w|^2 / 2 + C sum ln(1 + exp(-y w x)).
            let mut gradient = w.clone();
            for (row, &m) in rows.iter().zip(&machine) {
                let y = if m { 1.0 } else { -1.0 };
                let margin: f64 = y * row.iter().map(|(j, x)| w[*j as usize] * x).sum::<f64>();
                for (j, x) in row {
                    gradient[*j as usize] -= c * y * x * crate::logistic::sigmoid(-margin);
                }
            }
            let size = w.iter().map(|w| w * w).sum::<f64>().sqrt();
            assert!(gradient.iter().all(|g| g.abs() < 1e-3 * (1.0 + size) * c.max(1.0)), "C {c}: {gradient:?}");
        }
    }

    #[test]
    fn terms_are_scikit_learns() {
        assert_eq!(terms("It's a Big-dog_1 day"), ["it", "big", "dog_1", "day", "it big", "big dog_1", "dog_1 day"]);
    }
}
