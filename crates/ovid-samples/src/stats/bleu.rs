//! Self-BLEU: how alike the samples of a group are (Zhu et al. 2018, Texygen).
//!
//! BLEU-4 (Papineni et al. 2002) of each sample with all others as references, uniform weights, the shortest nearest reference for the brevity penalty, and a numerator of 0 taken
//! as 0.1 (Chen and Cherry 2014, method 1, which Texygen uses). A sample of fewer than 4 words has no 4-grams; it counts with a denominator of 1, as in NLTK.

use foldhash::{HashMap, HashMapExt as _};
use ovid_io::Observer;

use super::comparing;
use crate::Error;

const ORDER: usize = 4;
const EPSILON: f64 = 0.1;

/// How often a run of words stands in the two texts that have it most often.
#[derive(Default)]
struct Most {
    first: u32,
    by: usize,
    second: u32,
}

/// The mean over all samples; nothing below two.
pub(super) fn self_bleu(texts: &[Vec<String>], observer: &dyn Observer) -> Result<Option<f64>, Error> {
    if texts.len() < 2 {
        return Ok(None);
    }
    // The greatest count in any other text is the greatest of all, or the second where that is one's own: so the references need not be gone through for each sample.
    let mut most: HashMap<&[String], Most> = HashMap::new();
    for (by, text) in texts.iter().enumerate() {
        for (run, n) in counts(text) {
            let entry = most.entry(run).or_default();
            if n > entry.first {
                entry.second = std::mem::replace(&mut entry.first, n);
                entry.by = by;
            } else {
                entry.second = entry.second.max(n);
            }
        }
    }
    let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
    let mut sum = 0.0;
    for (own, text) in texts.iter().enumerate() {
        let mut matched = [0u32; ORDER];
        for (run, n) in counts(text) {
            let others = most.get(run).map_or(0, |m| if m.by == own { m.second } else { m.first });
            matched[run.len() - 1] += n.min(others);
        }
        sum += bleu(matched, text.len(), nearest(&lengths, own));
        comparing(observer, own + 1, texts.len())?;
    }
    Ok(Some(sum / texts.len() as f64))
}

/// How often each run of one to four words stands in a text.
fn counts(text: &[String]) -> HashMap<&[String], u32> {
    let mut counts = HashMap::new();
    for run in (1..=ORDER).flat_map(|n| text.windows(n)) {
        *counts.entry(run).or_default() += 1;
    }
    counts
}

/// The length nearest to one's own among the others, the shorter of two as near.
fn nearest(lengths: &[usize], own: usize) -> usize {
    let others = lengths.iter().enumerate().filter(|&(i, _)| i != own);
    others.map(|(_, &n)| n).min_by_key(|&n| (n.abs_diff(lengths[own]), n)).unwrap_or(0)
}

fn bleu(matched: [u32; ORDER], length: usize, reference: usize) -> f64 {
    if matched[0] == 0 {
        return 0.0;
    }
    let precision = |(i, &m): (usize, &u32)| {
        let all = length.saturating_sub(i).max(1) as f64;
        if m == 0 { EPSILON / all } else { f64::from(m) / all }
    };
    let mean = matched.iter().enumerate().map(precision).map(f64::ln).sum::<f64>() / ORDER as f64;
    let brevity = if length > reference { 1.0 } else { (1.0 - reference as f64 / length as f64).exp() };
    brevity * mean.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovid_io::Silent;

    /// NLTK 3.10's `sentence_bleu` with `SmoothingFunction().method1`, each sentence against the others, averaged: `tools/reference/self_bleu.py`.
    #[test]
    fn self_bleu_is_that_of_nltk() {
        for (sentences, expected) in FIXTURES {
            let texts: Vec<Vec<String>> = sentences.iter().map(|s| s.split_whitespace().map(String::from).collect()).collect();
            let found = self_bleu(&texts, &Silent).unwrap().unwrap();
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(self_bleu(&[vec!["one".to_owned()]], &Silent).unwrap(), None);
    }

    const FIXTURES: &[(&[&str], f64)] = include!("bleu_fixtures.in");
}
