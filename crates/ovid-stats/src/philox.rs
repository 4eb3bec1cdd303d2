//! Counter-based random numbers: every draw is a function of (seed, purpose, index) alone, so any one of them can be made again without the others.

/// Philox4x32-10 (Salmon et al. 2011, section 4.3): ten rounds over a 128-bit counter under a 64-bit key.
#[inline]
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(a) * 0xD251_1F53;
        let p1 = u64::from(c) * 0xCD9E_8D57;
        (a, b, c, d) = ((p1 >> 32) as u32 ^ b ^ k0, p1 as u32, (p0 >> 32) as u32 ^ d ^ k1, p0 as u32);
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    [a, b, c, d]
}

/// A family of independent draws under one seed. Two families with another `purpose` share nothing.
///
/// ```
/// let draws = ovid_stats::Draws::new(42, 0);
/// assert_eq!(draws.u64_at(7), draws.u64_at(7));
/// assert!((0.0..1.0).contains(&draws.unit_at(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    key: [u32; 2],
    purpose: u64,
}

impl Draws {
    /// The family of `seed` for one `purpose` (sampling, shuffling, initial weights, ...).
    pub const fn new(seed: u64, purpose: u64) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], purpose }
    }

    /// 128 random bits at `index`.
    #[inline]
    pub fn bits_at(&self, index: u64) -> [u32; 4] {
        philox4x32([index as u32, (index >> 32) as u32, self.purpose as u32, (self.purpose >> 32) as u32], self.key)
    }

    /// 64 random bits at `index`.
    #[inline]
    pub fn u64_at(&self, index: u64) -> u64 {
        let [lo, hi, ..] = self.bits_at(index);
        u64::from(hi) << 32 | u64::from(lo)
    }

    /// A number in [0, 1) with 53 random bits at `index`.
    #[inline]
    pub fn unit_at(&self, index: u64) -> f64 {
        (self.u64_at(index) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A standard normal number at `index` (Box and Muller 1958).
    pub fn normal_at(&self, index: u64) -> f64 {
        let [a, b, c, d] = self.bits_at(index);
        let unit = |hi: u32, lo: u32| ((u64::from(hi) << 32 | u64::from(lo)) >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        (-2.0 * (1.0 - unit(b, a)).ln()).sqrt() * (std::f64::consts::TAU * unit(d, c)).cos()
    }

    /// A whole number below `n` at `index`; the bias is below n / 2^64.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn below_at(&self, index: u64, n: u64) -> u64 {
        assert!(n > 0, "no whole number is below 0");
        ((u128::from(self.u64_at(index)) * u128::from(n)) >> 64) as u64
    }

    /// `0..n` in an order that depends on the seed alone (Fisher and Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below_at(i as u64, i as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_authors() {
        // Random123's kat_vectors, philox4x32 with 10 rounds.
        let check = |counter, key, want: [u32; 4]| assert_eq!(philox4x32(counter, key), want);
        check([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        check([!0; 4], [!0; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        check(
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        );
    }

    #[test]
    fn a_permutation_holds_each_number_once() {
        let mut order = Draws::new(1, 2).permutation(1000);
        assert_ne!(order[..10], (0..10).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let draws = Draws::new(3, 0);
        let n = 100_000;
        let (sum, squares) = (0..n).map(|i| draws.normal_at(i)).fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
        assert!((sum / n as f64).abs() < 0.015 && (squares / n as f64 - 1.0).abs() < 0.02);
    }
}
