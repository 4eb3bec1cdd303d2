//! The two-sample test of Kolmogorov and Smirnov.

use crate::quantile::sorted;

/// Up to this many pairs the p-value is computed exactly.
const EXACT_PAIRS: usize = 4_000_000;

/// How unlike two samples are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// The greatest distance between the two empirical distribution functions.
    pub statistic: f64,
    /// P(such a distance or a greater one) if both come from one continuous distribution; ties make it conservative.
    pub p: f64,
}

/// Whether `x` and `y` come from one distribution, two-sided. Exact up to 4 million pairs (Hodges 1958), beyond it Kolmogorov's limit. `None` where a sample is empty.
pub fn kolmogorov_smirnov(x: &[f64], y: &[f64]) -> Option<KolmogorovSmirnov> {
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let (x, y) = (sorted(x), sorted(y));
    let (n, m) = (x.len(), y.len());
    // The distance in units of 1 / (n m), a whole number.
    let (mut i, mut j, mut distance) = (0, 0, 0);
    while i < n && j < m {
        let value = x[i].min(y[j]);
        i += x[i..].iter().take_while(|&&v| v <= value).count();
        j += y[j..].iter().take_while(|&&v| v <= value).count();
        distance = distance.max((i * m).abs_diff(j * n));
    }
    let statistic = distance as f64 / (n * m) as f64;
    let p = if n * m <= EXACT_PAIRS { exact(n, m, distance) } else { limit(statistic * (n as f64 * m as f64 / (n + m) as f64).sqrt()) };
    Some(KolmogorovSmirnov { statistic, p })
}

/// P(distance >= `distance`) over all orders of n and m values: the share of the lattice paths from (0, 0) to (n, m) that leave the band. Each cell holds the
/// probability that a random path through it has left the band before, so nothing overflows and small values keep their digits.
fn exact(n: usize, m: usize, distance: usize) -> f64 {
    let outside = |i: usize, j: usize| (i * m).abs_diff(j * n) >= distance;
    let mut left = vec![0.0_f64; m + 1];
    for i in 0..=n {
        for j in 0..=m {
            left[j] = if outside(i, j) {
                1.0
            } else if i == 0 {
                if j == 0 { 0.0 } else { left[j - 1] }
            } else if j == 0 {
                left[0]
            } else {
                // Of the paths to (i, j), the share i / (i + j) comes from (i - 1, j).
                (i as f64 * left[j] + j as f64 * left[j - 1]) / (i + j) as f64
            };
        }
    }
    left[m]
}

/// Kolmogorov's distribution: P(K >= t).
fn limit(t: f64) -> f64 {
    if t < 0.3 {
        // Below it the series cancels; 1 - P is under 1e-5 there.
        return 1.0;
    }
    let sum: f64 = (1..100).map(|k| f64::from(if k % 2 == 1 { 1 } else { -1 }) * (-2.0 * f64::from(k * k) * t * t).exp()).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_kolmogorovs_distribution() {
        // scipy 1.17: scipy.stats.kstwobign.sf
        for (t, want) in [(0.5, 0.9639452436648751), (1.0, 0.26999967167735456), (1.5, 0.02221796261652515), (3.0, 3.045995948942526e-08)] {
            assert!((limit(t) / want - 1.0).abs() < 1e-9, "{t}: {} {want}", limit(t));
        }
    }
}
