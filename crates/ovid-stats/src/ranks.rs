//! Two samples compared by ranks.

use crate::Interval;
use crate::distributions::{normal_quantile, normal_upper_tail};
use crate::quantile::{quantile, sorted};

/// The test of Mann and Whitney (1947), two-sided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MannWhitney {
    /// How many pairs (x, y) have x > y; pairs of equals count a half.
    pub u: f64,
    /// `u` by the number of pairs: the probability that an x is greater than a y, 0.5 where neither tends to be.
    pub superiority: f64,
    /// From the normal approximation, with the corrections for ties and for continuity.
    pub p: f64,
}

/// Whether the values of `x` tend to be greater or smaller than those of `y`. `None` where a sample is empty.
pub fn mann_whitney(x: &[f64], y: &[f64]) -> Option<MannWhitney> {
    if x.is_empty() || y.is_empty() {
        return None;
    }
    let (u, ties) = u_statistic(x, y);
    let (n, m) = (x.len() as f64, y.len() as f64);
    let all = n + m;
    let deviation = (n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)))).sqrt();
    let z = ((u - 0.5 * n * m).abs() - 0.5).max(0.0) / deviation;
    // All values equal: nothing speaks for a difference.
    let p = if deviation > 0.0 { (2.0 * normal_upper_tail(z)).min(1.0) } else { 1.0 };
    Some(MannWhitney { u, superiority: u / (n * m), p })
}

/// U of `x` over `y`, and the sum of t^3 - t over the groups of t equal values.
pub(crate) fn u_statistic(x: &[f64], y: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> = x.iter().map(|&v| (v, true)).chain(y.iter().map(|&v| (v, false))).collect();
    // -0 and 0 are the same value, which total_cmp does not know.
    all.iter_mut().for_each(|(v, _)| *v += 0.0);
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut u, mut ties, mut y_below) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let x_here = group.iter().filter(|(_, is_x)| *is_x).count() as f64;
        let size = group.len() as f64;
        let y_here = size - x_here;
        u += x_here * (y_below + 0.5 * y_here);
        y_below += y_here;
        ties += size * size * size - size;
    }
    (u, ties)
}

/// How far `x` lies above `y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    /// The median of all differences x - y (Hodges and Lehmann 1963).
    pub estimate: f64,
    /// Moses' interval: the differences between which the Mann-Whitney test at this level, by its normal approximation, rejects no shift.
    pub interval: Interval,
}

/// The shift between two samples at confidence `level`. Takes time and memory in proportion to the number of pairs. `None` where a sample is empty.
pub fn hodges_lehmann(x: &[f64], y: &[f64], level: f64) -> Option<Shift> {
    let differences: Vec<f64> = x.iter().flat_map(|a| y.iter().map(move |b| a - b)).collect();
    let differences = sorted(&differences);
    let estimate = quantile(&differences, 0.5)?;
    let (n, m) = (x.len() as f64, y.len() as f64);
    let spread = normal_quantile(0.5 + 0.5 * level) * (n * m * (n + m + 1.0) / 12.0).sqrt();
    // The c-th smallest and the c-th greatest difference (Hollander, Wolfe and Chicken 2014, section 4.3), counted from 1.
    let c = (0.5 * n * m - spread).floor().max(1.0) as usize;
    Some(Shift { estimate, interval: Interval { low: differences[c - 1], high: differences[differences.len() - c] } })
}
