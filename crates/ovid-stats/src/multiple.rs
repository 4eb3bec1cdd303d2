//! Many tests at once.

/// The p-values adjusted by Benjamini and Hochberg (1995), in the order given: those at most q are discoveries of which on average no more than the share q is false.
///
/// ```
/// assert_eq!(ovid_stats::benjamini_hochberg(&[0.02, 0.01, 0.5]), vec![0.03, 0.03, 0.5]);
/// ```
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (rank, &i) in order.iter().enumerate().rev() {
        least = least.min(p[i] * p.len() as f64 / (rank + 1) as f64);
        adjusted[i] = least;
    }
    adjusted
}

/// The places of the discoveries at false-discovery rate `q`, rising.
pub fn discoveries(p: &[f64], q: f64) -> Vec<usize> {
    benjamini_hochberg(p).iter().enumerate().filter(|(_, adjusted)| **adjusted <= q).map(|(i, _)| i).collect()
}
