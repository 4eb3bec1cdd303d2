//! Sums, maxima and powers whose bits are the same on every machine: IEEE operations in a written order, no function of the platform's mathematics library.
//! The exponential and the logarithm of single precision are the kernels' own.

use ovid_kernels::{Unit, math};
use ovid_stats::ln;

/// The sum in 16 partials by index modulo 16, then one fixed tree.
pub fn sum(values: &[f32]) -> f64 {
    let mut partials = [0.0f64; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for (partial, &value) in partials.iter_mut().zip(block) {
            *partial += f64::from(value);
        }
    }
    for (partial, &value) in partials.iter_mut().zip(rest) {
        *partial += f64::from(value);
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            partials[i] += partials[i + width];
        }
    }
    partials[0]
}

/// The greatest value, or `None` where one is not a number. Of nothing: minus infinity.
pub fn max(values: &[f32]) -> Option<f32> {
    let mut lanes = [f32::NEG_INFINITY; 16];
    let mut odd = [false; 16];
    let (blocks, rest) = values.as_chunks::<16>();
    for block in blocks {
        for ((lane, odd), &value) in lanes.iter_mut().zip(&mut odd).zip(block) {
            *lane = if value > *lane { value } else { *lane };
            *odd |= value.is_nan();
        }
    }
    let found = lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a });
    (!odd.contains(&true) && !rest.iter().any(|v| v.is_nan())).then_some(found)
}

/// e^(value - greatest) of all values, in `weights`.
pub fn weigh(unit: Unit, values: &[f32], greatest: f32, weights: &mut Vec<f32>) {
    weights.clear();
    weights.extend(values.iter().map(|value| value - greatest));
    math::exp_all(unit, weights);
}

/// The greatest value and ln of the sum of e^(value - greatest), in the arithmetic of the kernels' scores: two numbers, since their sum would cost digits.
pub fn log_sum_exp(unit: Unit, values: &[f32]) -> (f32, f32) {
    let greatest = max(values).unwrap_or(f32::NAN);
    let mut weights = Vec::new();
    weigh(unit, values, greatest, &mut weights);
    (greatest, math::log(math::sum(unit, &weights)))
}

/// The k-th greatest of `values`, counting equal ones each; minus infinity where fewer than k are greater than that. `best` is scratch.
pub fn kth_best(values: &[f32], k: usize, best: &mut Vec<f32>) -> f32 {
    best.clear();
    let mut floor = f32::NEG_INFINITY;
    for block in values.chunks(64) {
        // Most blocks hold nothing better than the k-th so far, and this count runs over lanes.
        if block.iter().map(|&value| u32::from(value > floor)).sum::<u32>() == 0 {
            continue;
        }
        best.extend(block.iter().filter(|&&value| value > floor));
        if best.len() >= k.saturating_mul(2).saturating_add(128) {
            best.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
            best.truncate(k);
            floor = best[k - 1];
        }
    }
    if best.len() < k {
        return f32::NEG_INFINITY;
    }
    *best.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1
}

/// The order of numbers, in which 0 and -0 are equal; there are no others than numbers here.
pub fn order(a: f32, b: f32) -> std::cmp::Ordering {
    a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal)
}

/// The k greatest values above minus infinity with their places, greatest first, the lower place first among equals.
pub fn best(values: &[f32], k: usize) -> Vec<(u32, f32)> {
    if k == 0 {
        return Vec::new();
    }
    let least = kth_best(values, k, &mut Vec::new());
    let above = (0u32..).zip(values.iter().copied()).filter(|&(_, value)| value >= least && value > f32::NEG_INFINITY);
    let mut found: Vec<_> = above.collect();
    found.sort_unstable_by(|a, b| order(b.1, a.1).then(a.0.cmp(&b.0)));
    found.truncate(k);
    found
}

/// base^exponent for a base of at least 1, from our own [`ln`], so that no platform's `pow` decides which beam wins.
pub fn pow(base: f64, exponent: f64) -> f64 {
    let x = exponent * ln(base);
    let whole = (x * std::f64::consts::LOG2_E).round();
    let r = x - whole * std::f64::consts::LN_2;
    // |r| <= ln 2 / 2: the first term left out of the series is below 2^-60.
    let series = (1..=17).rev().fold(1.0, |series, n| 1.0 + r * series / f64::from(n));
    series * f64::from_bits(((whole.clamp(-1022.0, 1023.0) as i64 + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pow_is_near_the_exact_value() {
        for base in 1..2000 {
            for exponent in [-2.0, -0.7, 0.0, 0.3, 1.0, 1.5, 3.0] {
                let exact = f64::from(base).powf(exponent);
                assert!((pow(f64::from(base), exponent) - exact).abs() <= 1e-13 * exact, "{base}^{exponent}");
            }
        }
    }

    #[test]
    fn best_puts_the_lower_of_equals_first() {
        assert_eq!(best(&[1.0, 3.0, f32::NEG_INFINITY, 3.0, 2.0], 3), [(1, 3.0), (3, 3.0), (4, 2.0)]);
        assert_eq!(best(&[1.0, f32::NEG_INFINITY], 5), [(0, 1.0)]);
        assert_eq!(best(&[-0.0, 0.0, -0.0], 2).iter().map(|b| b.0).collect::<Vec<_>>(), [0, 1]);
        let same = vec![0.5; 1000];
        assert_eq!(best(&same, 3), [(0, 0.5), (1, 0.5), (2, 0.5)]);
    }

    #[test]
    fn max_sees_every_place_and_what_is_no_number() {
        for n in [1, 15, 16, 17, 50] {
            for place in 0..n {
                let mut values = vec![-1.0f32; n];
                values[place] = 3.0;
                assert_eq!(max(&values), Some(3.0));
                values[place] = f32::NAN;
                assert_eq!(max(&values), None);
            }
        }
    }
}
