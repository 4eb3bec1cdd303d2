//! A logarithm whose bits are the same on every machine: IEEE operations in a written order, no function of the platform's mathematics library.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ln_is_near_the_exact_value() {
        for i in 1..1_000_000 {
            let x = f64::from(i) * f64::from(i) * 1e-4;
            let exact = x.ln();
            assert!((ln(x) - exact).abs() <= 1e-15 * exact.abs().max(1.0), "{x}: {} {exact}", ln(x));
        }
    }
}
