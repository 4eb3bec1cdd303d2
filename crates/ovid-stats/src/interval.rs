//! Intervals of a proportion.

use serde::{Deserialize, Serialize};

use crate::distributions::{beta_quantile, normal_quantile};

/// From `low` to `high`, both included. In JSON `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `x` lies in it.
    pub fn contains(&self, x: f64) -> bool {
        (self.low..=self.high).contains(&x)
    }
}

impl From<[f64; 2]> for Interval {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Interval> for [f64; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

/// The interval of Wilson (1927) of the probability behind `k` successes in `n` trials, at confidence `level` (0.95, say). All of 0..=1 where `n` is 0.
///
/// ```
/// let interval = ovid_stats::wilson(8, 10, 0.95);
/// assert!((interval.low - 0.4902).abs() < 1e-4 && (interval.high - 0.9433).abs() < 1e-4);
/// ```
///
/// # Panics
/// If `k` is above `n` or the level outside 0..1.
pub fn wilson(k: u64, n: u64, level: f64) -> Interval {
    check(k, n, level);
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let z2 = normal_quantile(0.5 + 0.5 * level).powi(2);
    let (k, n) = (k as f64, n as f64);
    let centre = (k + 0.5 * z2) / (n + z2);
    let half = z2.sqrt() / (n + z2) * (k * (n - k) / n + 0.25 * z2).sqrt();
    // Rounding may leave the ends of 0 and of n successes a last digit off.
    Interval { low: if k == 0.0 { 0.0 } else { centre - half }, high: if k == n { 1.0 } else { centre + half } }
}

/// The exact interval of Clopper and Pearson (1934): it holds the true probability at least as often as `level` says, for any `n`.
///
/// # Panics
/// If `k` is above `n` or the level outside 0..1.
pub fn clopper_pearson(k: u64, n: u64, level: f64) -> Interval {
    check(k, n, level);
    let tail = 0.5 * (1.0 - level);
    let (successes, failures) = (k as f64, (n - k) as f64);
    Interval {
        low: if k == 0 { 0.0 } else { beta_quantile(tail, successes, failures + 1.0) },
        high: if k == n { 1.0 } else { beta_quantile(1.0 - tail, successes + 1.0, failures) },
    }
}

fn check(k: u64, n: u64, level: f64) {
    assert!(k <= n, "no more successes than trials");
    assert!(level > 0.0 && level < 1.0, "a confidence level lies between 0 and 1");
}
