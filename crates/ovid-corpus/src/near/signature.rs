//! The signature of a text, and how like two are.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed, xxh3_128};

const SLOTS: usize = 96;
const BAND: usize = 3;
const WORDS: usize = 5;

/// The least hash of a text's 5-grams under each of 96 permutations; of each its low 32 bits, which are equal by chance once in four billion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(pub(crate) [u32; SLOTS]);

impl Signature {
    /// Slots of a signature.
    pub const SLOTS: usize = SLOTS;
    /// Bands of three slots.
    pub const BANDS: usize = SLOTS / BAND;
}

/// The permutations `h * odd + offset` of 64-bit numbers.
static PERMUTATIONS: std::sync::LazyLock<[(u64, u64); SLOTS]> = std::sync::LazyLock::new(|| {
    std::array::from_fn(|i| (xxh3_64_with_seed(b"slot", i as u64) | 1, xxh3_64_with_seed(b"offset", i as u64)))
});

/// The signature of `text`, or none where it has fewer than five words.
pub fn signature(text: &str) -> Option<Signature> {
    let mut least = [u64::MAX; SLOTS];
    let (mut recent, mut n_words) = ([0u64; WORDS], 0usize);
    let mut lower = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let is_lower = word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let hash = if is_lower {
            xxh3_64(word.as_bytes())
        } else {
            lower.clear();
            lower.extend(word.chars().flat_map(char::to_lowercase));
            xxh3_64(lower.as_bytes())
        };
        recent.rotate_left(1);
        recent[WORDS - 1] = hash;
        n_words += 1;
        if n_words >= WORDS {
            let h = recent.iter().fold(0u64, |h, &w| (h.rotate_left(13) ^ w).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let h = h ^ (h >> 29);
            for (least, (odd, offset)) in least.iter_mut().zip(PERMUTATIONS.iter()) {
                *least = (*least).min(h.wrapping_mul(*odd).wrapping_add(*offset));
            }
        }
    }
    (n_words >= WORDS).then(|| Signature(least.map(|slot| slot as u32)))
}

/// Estimated Jaccard similarity: the share of equal slots.
pub fn similarity(a: &Signature, b: &Signature) -> f64 {
    share_equal(&a.0, &b.0)
}

pub(crate) fn share_equal(a: &[u32], b: &[u32]) -> f64 {
    a.iter().zip(b).filter(|(x, y)| x == y).count() as f64 / a.len().max(1) as f64
}

/// Where a signature falls in a band.
pub(crate) fn band_key(signature: &Signature, band: usize) -> u32 {
    let slots: [u8; 4 * BAND] = std::array::from_fn(|i| signature.0[band * BAND + i / 4].to_le_bytes()[i % 4]);
    xxh3_64(&slots) as u32
}

/// What tells a text from every other: 128 bits of its hash, as four slots.
pub(crate) fn exact_slots(text: &str) -> [u32; 4] {
    let hash = exact_hash(text);
    std::array::from_fn(|i| (hash >> (32 * i)) as u32)
}

/// What tells a text from every other.
pub fn exact_hash(text: &str) -> u128 {
    xxh3_128(text.as_bytes())
}
