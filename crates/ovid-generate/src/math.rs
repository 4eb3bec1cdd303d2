//! Exponential and logarithm whose bits are the same on every machine.
//!
//! Only additions, multiplications and divisions of IEEE numbers in a written order: no fused operation (without the instruction it would be a
//! library call per token of the vocabulary) and no function of the platform's mathematics library.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// The upper 9 bits of ln 2: times a whole number below 2^15 it is exact.
const LN_2_HIGH: f32 = 355.0 / 512.0;
/// The rest of ln 2.
const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Adding and taking away 1.5 * 2^23 rounds to a whole number, ties to even.
const ROUND: f32 = 12_582_912.0;
/// Below this, e^x is not a normal number; [`exp`] gives 0.
const LOWEST: f32 = -87.0;

/// e^x for x up to 0 (what a softmax asks for), within 2 units in the last place; 0 below -87.
#[inline]
pub fn exp(x: f32) -> f32 {
    let clamped = if x > LOWEST { x } else { LOWEST };
    let rounded = clamped * LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let r = (clamped - whole * LN_2_HIGH) - whole * LN_2_LOW;
    // |r| <= ln 2 / 2: the first term left out of the series is below 2^-27.
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let value = (series * (r * r) + r) + 1.0;
    // The lowest bits of `rounded` are the whole number; what lies above them falls out of the shift.
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    if x > LOWEST { value * power } else { 0.0 }
}

/// The natural logarithm of a positive normal number, within 1e-15 relative to the larger of 1 and the result.
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut m = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)), and the argument is below 0.1716.
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for odd in (0..11).rev() {
        series = series * square + 1.0 / f64::from(2 * odd + 1);
    }
    2.0 * s * series + exponent as f64 * std::f64::consts::LN_2
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_near_the_exact_value() {
        let mut worst = 0.0f64;
        for i in 0..2_000_000 {
            let x = -87.0 * (i as f32 / 2_000_000.0);
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst}");
        assert_eq!([exp(0.0), exp(-88.0), exp(f32::NEG_INFINITY)], [1.0, 0.0, 0.0]);
    }

    #[test]
    fn ln_is_near_the_exact_value() {
        for i in 1..1_000_000 {
            let x = f64::from(i) * f64::from(i) * 1e-4;
            let exact = x.ln();
            assert!((ln(x) - exact).abs() <= 1e-15 * exact.abs().max(1.0), "{x}: {} {exact}", ln(x));
        }
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
