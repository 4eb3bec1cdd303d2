//! The bootstrap over groups.

use crate::quantile::quantile;
use crate::{Draws, Interval};

/// The percentile interval (Efron and Tibshirani 1993, chapter 13) of a statistic, at confidence `level`.
///
/// Whole groups (source documents, prompts, authors) are drawn with replacement, since what lies in one group is not independent: `statistic` gets the numbers
/// of the groups drawn, each as many times as it was drawn, and computes from their members. Resample r draws with `draws` at `r * n_groups ..`, so the interval
/// depends on the seed alone. A resample without a value (NaN) is left out; `None` where there are no groups, or more than half of the resamples have no value.
///
/// ```
/// use ovid_stats::{Draws, bootstrap};
/// let groups = [vec![1.0, 2.0], vec![4.0], vec![3.0, 3.0, 5.0]];
/// let mean = |drawn: &[usize]| {
///     let all: Vec<f64> = drawn.iter().flat_map(|&g| &groups[g]).copied().collect();
///     all.iter().sum::<f64>() / all.len() as f64
/// };
/// let interval = bootstrap(groups.len(), 1000, 0.95, Draws::new(7, 0), mean).unwrap();
/// assert!(interval.low >= 1.5 && interval.high <= 4.0);
/// ```
pub fn bootstrap(
    n_groups: usize,
    n_resamples: usize,
    level: f64,
    draws: Draws,
    mut statistic: impl FnMut(&[usize]) -> f64,
) -> Option<Interval> {
    if n_groups == 0 {
        return None;
    }
    let mut drawn = vec![0; n_groups];
    let mut values = Vec::with_capacity(n_resamples);
    for resample in 0..n_resamples as u64 {
        for (place, group) in (resample * n_groups as u64..).zip(&mut drawn) {
            *group = draws.below_at(place, n_groups as u64) as usize;
        }
        let value = statistic(&drawn);
        if !value.is_nan() {
            values.push(value);
        }
    }
    if values.len() * 2 <= n_resamples {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let tail = 0.5 * (1.0 - level);
    Some(Interval { low: quantile(&values, tail)?, high: quantile(&values, 1.0 - tail)? })
}
