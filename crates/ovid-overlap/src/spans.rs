//! Runs of words of a text that stand in the corpus as they are, each with a place there.

use crate::{Index, Position, Words};

/// A run of words of a text that stands in one training document as it is, and in none goes on to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its first word in the text.
    pub first_word: usize,
    /// Its length; at least the index's n.
    pub n_words: usize,
    /// Where it stands in the corpus: the first of the places that hold all of it.
    pub place: Position,
    /// How often its first n words stand in the corpus.
    pub n_places: usize,
}

/// The spans of a text, from left to right: each begins with the first n-gram in the corpus that the one before does not hold, and goes on as long as a single
/// training document goes on alike. Two neighbours may share up to n - 1 words; each n-gram that stands in the corpus lies in exactly one.
pub fn spans(index: &Index, words: &Words) -> Vec<Span> {
    let n = index.n();
    let hashes: Vec<u64> = words.hashes(n).collect();
    let mut spans = Vec::new();
    let mut i = 0;
    while i < hashes.len() {
        let mut places: Vec<Position> = index.places(hashes[i]).collect();
        if places.is_empty() {
            i += 1;
            continue;
        }
        let n_places = places.len();
        let mut j = i + 1;
        while j < hashes.len() {
            let here: Vec<Position> = index.places(hashes[j]).collect();
            let going_on = |p: &Position| {
                let next = Position { document: p.document, word: p.word + (j - i) as u32 };
                here.binary_search(&next).is_ok()
            };
            let left: Vec<Position> = places.iter().copied().filter(going_on).collect();
            if left.is_empty() {
                break;
            }
            places = left;
            j += 1;
        }
        spans.push(Span { first_word: i, n_words: j - i + n - 1, place: places[0], n_places });
        i = j;
    }
    spans
}
