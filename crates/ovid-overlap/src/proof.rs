//! The paper's check of its filter: a million random strings, none of which should be found.

use ovid_stats::Draws;
use xxhash_rust::xxh3::xxh3_64;

use crate::Index;
use crate::index::segment_of;
use crate::report::RandomStrings;

/// Purpose of the draws.
const STRINGS: u64 = 0x6f76_0001;

/// Looks for `n_tried` strings in the filter, each of as many words as the index's n-grams, each word of 2 to 9 random letters.
pub fn random_strings(index: &Index, n_tried: u64, seed: u64) -> RandomStrings {
    let draws = Draws::new(seed, STRINGS);
    let n = index.n() as u64;
    let mut text = Vec::new();
    let found = |string: &u64| {
        text.clear();
        for word in string * n..(string + 1) * n {
            if !text.is_empty() {
                text.push(b' ');
            }
            let mut bits = draws.u64_at(word);
            let length = 2 + bits % 8;
            bits /= 8;
            for _ in 0..length {
                text.push(b'a' + (bits % 26) as u8);
                bits /= 26;
            }
        }
        let hash = xxh3_64(&text);
        index.segment(segment_of(hash, index.n_segments())).may_contain(hash)
    };
    RandomStrings { n_tried, n_found: (0..n_tried).filter(found).count() as u64, seed }
}
