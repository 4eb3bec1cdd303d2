//! The Bloom filter (Bloom 1970), in segments of the size of a core's cache.
//!
//! A hash's top bits choose its segment, which is a plain Bloom filter by itself: so the rate of false positives is exactly what theory says, the share of set
//! bits to the power of the number of probes, and a batch of hashes in the order of their segments touches one cache-sized piece of memory after the other.

/// How many bits and probes a rate of false positives asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// The rate that no segment may exceed.
    pub rate: f64,
    /// Bits looked at for each hash.
    pub n_probes: u32,
    /// Bits for each n-gram, before a segment is found to need more.
    pub bits_per_ngram: f64,
}

impl Design {
    /// The design for a rate between 0 and 1.
    ///
    /// About a fifth of the bits are set instead of the half that would need the fewest of them: 29% more memory, 56% fewer probes, and as many fewer steps to build.
    pub fn for_rate(rate: f64) -> Self {
        let n_probes = (1.5 * -rate.log10()).ceil().clamp(1.0, 64.0);
        let fill = rate.powf(1.0 / n_probes);
        Self { rate, n_probes: n_probes as u32, bits_per_ngram: n_probes / -(-fill).ln_1p() }
    }

    /// A segment that holds `hashes`, each given once, with enough bits that its rate is kept.
    pub fn segment(&self, hashes: impl Iterator<Item = u64> + Clone, n_hashes: usize) -> Vec<u64> {
        let mut bits = n_hashes as f64 * self.bits_per_ngram;
        loop {
            let mut words = vec![0; (bits / 64.0).ceil() as usize];
            let n_bits = words.len() as u64 * 64;
            for hash in hashes.clone() {
                for bit in Probes::new(hash, n_bits, self.n_probes) {
                    words[(bit / 64) as usize] |= 1 << (bit % 64);
                }
            }
            if (Segment { words: &words, n_probes: self.n_probes }).false_positive_rate() <= self.rate {
                return words;
            }
            bits = bits.mul_add(1.02, 16.0);
        }
    }
}

/// One segment as it lies in memory or in a file.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Its bits; none where it holds nothing.
    pub words: &'a [u64],
    /// Bits looked at for each hash.
    pub n_probes: u32,
}

impl Segment<'_> {
    /// Whether a hash may have been put in; never false for one that was.
    #[inline]
    pub fn may_contain(self, hash: u64) -> bool {
        let n_bits = self.words.len() as u64 * 64;
        n_bits > 0 && Probes::new(hash, n_bits, self.n_probes).all(|bit| self.words[(bit / 64) as usize] >> (bit % 64) & 1 == 1)
    }

    /// The probability that a hash which was not put in seems to be there: the share of set bits to the power of the number of probes.
    pub fn false_positive_rate(self) -> f64 {
        if self.words.is_empty() {
            return 0.0;
        }
        let set: u64 = self.words.iter().map(|w| u64::from(w.count_ones())).sum();
        (set as f64 / (self.words.len() as f64 * 64.0)).powi(self.n_probes as i32)
    }
}

/// The bits of one hash: the stream of `SplitMix64` (Steele, Lea and Flood 2014) that begins at it, two bits from each number.
///
/// Not double hashing, which saves multiplications: two hashes whose two numbers are near each other then share all bits, and in small segments that is seen
/// (105 of a million random strings were found in segments of eleven n-grams, at a computed rate of 1e-8).
struct Probes {
    state: u64,
    /// The half of the last number that is left for the next bit.
    left: u64,
    n_bits: u64,
    i: u32,
    n: u32,
}

impl Probes {
    #[inline]
    fn new(hash: u64, n_bits: u64, n_probes: u32) -> Self {
        // 32 bits choose a place, which is enough for 512 MB; segments are a few thousand times smaller.
        Self { state: mix(hash), left: 0, n_bits: n_bits.min(u64::from(u32::MAX)), i: 0, n: n_probes }
    }
}

impl Iterator for Probes {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        if self.i == self.n {
            return None;
        }
        let bits = if self.i.is_multiple_of(2) {
            self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let bits = mix(self.state);
            self.left = bits >> 32;
            bits & 0xFFFF_FFFF
        } else {
            self.left
        };
        self.i += 1;
        Some((bits * self.n_bits) >> 32)
    }
}

/// The finaliser of `SplitMix64`.
#[inline]
fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovid_stats::Draws;

    #[test]
    fn what_was_put_in_is_found_and_the_rate_is_kept_by_segments_of_any_size() {
        let draws = Draws::new(1, 0);
        for rate in [1e-1, 1e-3, 1e-8] {
            let design = Design::for_rate(rate);
            for n in [0, 1, 2, 3, 10, 1000] {
                let hashes = || (0..n).map(|i| draws.u64_at(i));
                let words = design.segment(hashes(), n as usize);
                let segment = Segment { words: &words, n_probes: design.n_probes };
                assert!(segment.false_positive_rate() <= rate);
                assert!(hashes().all(|hash| segment.may_contain(hash)));
            }
        }
    }

    /// The rate computed from the set bits is the one observed, where enough can be observed: 1e-3 to 1e-5 on 20 million hashes that were not put in.
    #[test]
    fn the_computed_rate_is_the_observed_one() {
        let draws = Draws::new(2, 0);
        let n_tries = 20_000_000;
        for rate in [1e-3, 1e-4, 1e-5] {
            let design = Design::for_rate(rate);
            // All of one segment: the top ten bits are the same, as in an index.
            let hash_at = |i| draws.u64_at(i) >> 10 | 0x2A << 54;
            let words = design.segment((0..20_000).map(hash_at), 20_000);
            let segment = Segment { words: &words, n_probes: design.n_probes };
            let computed = segment.false_positive_rate();
            let n_found = (1 << 40..(1 << 40) + n_tries).filter(|&i| segment.may_contain(hash_at(i))).count() as f64;
            let expected = computed * n_tries as f64;
            assert!(computed > 0.5 * rate, "{rate}: {computed}");
            // Poisson: four standard deviations are passed once in 16,000 filters.
            assert!((n_found - expected).abs() < 4.0 * expected.sqrt(), "{rate}: {n_found} found, {expected} expected");
        }
    }
}
