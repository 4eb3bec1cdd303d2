//! Near-duplicates: recall and precision on planted ones, and the paper's arithmetic of bands.

mod common;

use std::collections::HashSet;

use common::{draw, edited, prose};
use ovid_corpus::near::{near, signature, similarity};

/// The true Jaccard similarity of the sets of word 5-grams.
fn jaccard(a: &str, b: &str) -> f64 {
    let grams = |text: &str| {
        let words: Vec<String> = text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect();
        words.windows(5).map(|w| w.join(" ")).collect::<HashSet<_>>()
    };
    let (a, b) = (grams(a), grams(b));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

#[test]
fn estimates_are_near_the_truth() {
    let mut squares = 0.0;
    let n = 60;
    for i in 0..n {
        let text = prose(i, 400);
        let other = edited(&text, i, 10 + 5 * i);
        let (estimate, truth) = (similarity(&signature(&text).unwrap(), &signature(&other).unwrap()), jaccard(&text, &other));
        squares += (estimate - truth).powi(2);
    }
    let root = (squares / n as f64).sqrt();
    // √(s(1−s)/96) is 0.051 at most.
    assert!(root < 0.055, "{root}");
}

/// Planted copies at several edit rates among unrelated texts: what is found, and whether anything else is. `--nocapture` prints the table of docs/corpus.md.
#[test]
fn planted_near_duplicates_are_found_and_nothing_else() {
    const N: usize = 400;
    println!("edit rate  true Jaccard  dropped at 0.8  clustered at 0.5");
    let mut n_false = 0;
    for (one_in, least_dropped, least_clustered) in
        [(1000, 0.99, 1.0), (200, 0.98, 1.0), (100, 0.9, 1.0), (50, 0.35, 1.0), (25, 0.0, 0.95), (10, 0.0, 0.0)]
    {
        let originals: Vec<String> = (0..N as u64).map(|i| prose(1000 + i, 150 + draw(7, i, 500) as usize)).collect();
        let copies: Vec<String> = originals.iter().enumerate().map(|(i, text)| edited(text, i as u64, one_in)).collect();
        let truth: f64 = originals.iter().zip(&copies).map(|(a, b)| jaccard(a, b)).sum::<f64>() / N as f64;
        let signatures: Vec<_> = originals.iter().chain(&copies).map(|t| signature(t)).collect();
        let found = near(&signatures, 0.8, 0.5);
        let dropped = (0..N).filter(|i| found.drop[N + i]).count() as f64 / N as f64;
        let clustered = (0..N).filter(|i| found.cluster[N + i] == *i).count() as f64 / N as f64;
        n_false += (0..N).filter(|i| found.drop[*i] || found.cluster[*i] != *i).count();
        n_false += (0..N).filter(|i| found.cluster[N + i] != *i && found.cluster[N + i] != N + i).count();
        println!("{:>8.1}%  {truth:>12.3}  {:>13.1}%  {:>15.1}%", 100.0 / one_in as f64, 100.0 * dropped, 100.0 * clustered);
        assert!(dropped >= least_dropped && clustered >= least_clustered, "1 in {one_in}: {dropped} {clustered}");
    }
    assert_eq!(n_false, 0, "unrelated texts were taken for copies");
}

#[test]
fn a_great_bucket_costs_little_and_loses_nobody() {
    // 20,000 equal texts fall into one bucket of every band: compared each with each that would be 200 million pairs.
    let text = signature(&prose(1, 100));
    let found = near(&vec![text; 20_000], 0.8, 0.5);
    assert!(found.cluster.iter().all(|c| *c == 0) && found.drop.iter().filter(|d| !**d).count() == 1);
}
