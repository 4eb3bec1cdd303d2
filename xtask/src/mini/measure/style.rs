//! Which style a text is in: multinomial naive Bayes over words and pairs of words, learnt from human training text alone.
//!
//! Every style counts as likely before the text is read. Counts are smoothed by one half; features that no style has are passed over.

use std::collections::{HashMap, HashSet};

use super::words::words;

const SMOOTHING: f64 = 0.5;

/// A trained classifier.
#[derive(Debug)]
pub struct Classifier {
    styles: Vec<String>,
    /// How often each style has each feature.
    counts: HashMap<String, Vec<u32>>,
    /// Features of each style in all.
    totals: Vec<f64>,
}

fn features(text: &str) -> Vec<String> {
    let words = words(text);
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    words.iter().cloned().chain(pairs).collect()
}

impl Classifier {
    /// Learns from texts, each with the index of its style.
    pub fn train<'a>(styles: &[String], texts: impl Iterator<Item = (usize, &'a str)>) -> Self {
        let mut counts: HashMap<String, Vec<u32>> = HashMap::new();
        let mut totals = vec![0.0; styles.len()];
        for (style, text) in texts {
            for feature in features(text) {
                counts.entry(feature).or_insert_with(|| vec![0; styles.len()])[style] += 1;
                totals[style] += 1.0;
            }
        }
        Self { styles: styles.to_vec(), counts, totals }
    }

    /// The index of the style that `text` is most likely in.
    pub fn classify(&self, text: &str) -> usize {
        let mut scores = vec![0.0; self.styles.len()];
        let n_features = self.counts.len() as f64;
        let mut seen = HashSet::new();
        for feature in features(text) {
            // Each feature once: a repeated phrase is no more evidence than one.
            let Some(counts) = self.counts.get(&feature) else { continue };
            if seen.insert(feature) {
                for ((score, &count), total) in scores.iter_mut().zip(counts).zip(&self.totals) {
                    *score += ((f64::from(count) + SMOOTHING) / (total + SMOOTHING * n_features)).ln();
                }
            }
        }
        (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_of_the_words_is_named() {
        let styles = ["story".to_owned(), "dialogue".to_owned()];
        let texts =
            [(0, "She walked slowly down the dark stair and said nothing."), (1, "User: I want a table. Assistant: For how many people?")];
        let classifier = Classifier::train(&styles, texts.into_iter());
        assert_eq!(classifier.classify("Then she said that the stair was dark."), 0);
        assert_eq!(classifier.classify("Assistant: For how many people shall it be?"), 1);
    }
}
