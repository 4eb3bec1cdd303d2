//! Documents cut into pieces.
//!
//! The rule: a document (what lies between two end-of-text tokens) of n tokens, its end-of-text counted, is cut into ⌈n / limit⌉ pieces whose lengths differ by one at most. Every piece ends
//! with end-of-text, also where the book goes on: what follows it in a row has nothing to do with it. Data without an end-of-text token are one document.

use ovid_io::npy::Ids;

use super::Tokens;

/// A run of tokens in one entry's training part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which entry of the corpus.
    pub entry: u32,
    /// Tokens stored.
    pub n_stored: u32,
    /// Where it begins in the entry.
    pub start: u64,
    /// Whether an end-of-text token, which is not stored, follows.
    pub closed: bool,
}

impl Piece {
    /// Tokens that it puts into the stream.
    pub fn len(&self) -> u64 {
        u64::from(self.n_stored) + u64::from(self.closed)
    }

    /// Never true: empty documents are no pieces.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Cuts an entry's documents into pieces of at most `limit` tokens.
pub fn cut(tokens: &Tokens, entry: u32, end_of_text: Option<u32>, limit: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (base, array) in tokens.arrays() {
        let mut begin = 0;
        let mut document = |end: usize, ended: bool| {
            // A lone end-of-text is an empty document.
            if end - begin > usize::from(ended) {
                let ends = match end_of_text {
                    None => End::None,
                    Some(_) if ended => End::Stored,
                    Some(_) => End::Missing,
                };
                cut_document(base + begin as u64, end - begin, entry, limit, ends, &mut pieces);
            }
            begin = end;
        };
        if let Some(eot) = end_of_text {
            match array.ids() {
                Ids::U16(ids) => ids.iter().enumerate().filter(|(_, id)| u32::from(**id) == eot).for_each(|(i, _)| document(i + 1, true)),
                Ids::U32(ids) => ids.iter().enumerate().filter(|(_, id)| **id == eot).for_each(|(i, _)| document(i + 1, true)),
            }
        }
        document(array.len(), false);
    }
    pieces
}

/// How a document ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// With a stored end-of-text.
    Stored,
    /// With the end of a file; its end-of-text is not stored.
    Missing,
    /// With the end of a file, in data that know no end-of-text.
    None,
}

fn cut_document(start: u64, n: usize, entry: u32, limit: usize, ends: End, pieces: &mut Vec<Piece>) {
    let n_pieces = n.div_ceil(limit);
    for i in 0..n_pieces {
        let (from, to) = (n * i / n_pieces, n * (i + 1) / n_pieces);
        let closed = ends != End::None && (i + 1 < n_pieces || ends == End::Missing);
        pieces.push(Piece { entry, n_stored: (to - from) as u32, start: start + from as u64, closed });
    }
}
