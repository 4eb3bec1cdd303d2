//! How well a score tells two kinds apart.

use crate::quantile::sorted;
use crate::ranks::u_statistic;

/// The area under the receiver operating characteristic: the probability that a positive has a higher score than a negative, ties counted a half. `None` where a
/// side is empty.
///
/// ```
/// assert_eq!(ovid_stats::auroc(&[0.1, 0.4], &[0.4, 0.8]), Some(0.875));
/// ```
pub fn auroc(negatives: &[f64], positives: &[f64]) -> Option<f64> {
    (!negatives.is_empty() && !positives.is_empty())
        .then(|| u_statistic(positives, negatives).0 / (negatives.len() as f64 * positives.len() as f64))
}

/// The lowest threshold t such that at most the share `fpr` of the negatives has a score **above** t: the verdict "positive" is `score > t`. `None` without negatives.
///
/// # Panics
/// If `fpr` is outside 0..=1.
pub fn threshold_at_fpr(negatives: &[f64], fpr: f64) -> Option<f64> {
    assert!((0.0..=1.0).contains(&fpr), "a rate lies in 0..=1");
    let sorted = sorted(negatives);
    // The small summand keeps 0.01 * 300 from being 2.
    let above = ((fpr * sorted.len() as f64 + 1e-9).floor() as usize).min(sorted.len());
    if above == sorted.len() { sorted.first().map(|_| f64::NEG_INFINITY) } else { Some(sorted[sorted.len() - 1 - above]) }
}

/// The share of the positives above [`threshold_at_fpr`]. `None` where a side is empty.
///
/// # Panics
/// If `fpr` is outside 0..=1.
pub fn tpr_at_fpr(negatives: &[f64], positives: &[f64], fpr: f64) -> Option<f64> {
    let threshold = threshold_at_fpr(negatives, fpr)?;
    (!positives.is_empty()).then(|| positives.iter().filter(|&&s| s > threshold).count() as f64 / positives.len() as f64)
}
