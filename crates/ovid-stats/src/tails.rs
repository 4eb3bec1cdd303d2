//! Tails of sums of independent yes-or-no trials.

use crate::distributions::beta_cdf;

/// P(X >= k) of the binomial distribution: `n` trials of probability `p`.
///
/// # Panics
/// If `p` is outside 0..=1.
pub fn binomial_upper_tail(k: u64, n: u64, p: f64) -> f64 {
    assert!((0.0..=1.0).contains(&p), "a probability lies in 0..=1");
    if k == 0 {
        1.0
    } else if k > n {
        0.0
    } else {
        beta_cdf(p, k as f64, (n - k) as f64 + 1.0)
    }
}

/// P(X <= k) of the binomial distribution: `n` trials of probability `p`.
///
/// # Panics
/// If `p` is outside 0..=1.
pub fn binomial_lower_tail(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { binomial_upper_tail(n - k, n, 1.0 - p) }
}

/// P(X >= k) of the number of successes in trials with the probabilities `p`, each its own (the Poisson binomial distribution), by convolution.
/// Every term is positive, so that small tails keep their digits.
///
/// # Panics
/// If a probability is outside 0..=1.
pub fn poisson_binomial_upper_tail(k: usize, p: &[f64]) -> f64 {
    // exactly[j]: the probability of j successes so far; those with k or more are gathered in `reached`.
    let mut exactly = vec![0.0; k];
    let Some(first) = exactly.first_mut() else { return 1.0 };
    *first = 1.0;
    let mut reached = 0.0;
    for &p in p {
        assert!((0.0..=1.0).contains(&p), "a probability lies in 0..=1");
        reached += p * exactly[k - 1];
        for j in (0..k).rev() {
            let came = if j == 0 { 0.0 } else { p * exactly[j - 1] };
            exactly[j] = exactly[j] * (1.0 - p) + came;
        }
    }
    reached.min(1.0)
}
