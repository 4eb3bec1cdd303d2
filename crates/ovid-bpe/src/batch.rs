//! Many texts at once, over threads.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Tokenizer;
use crate::split::pieces;

/// Longer texts are cut where no word can be cut, so that one book does not keep one thread busy alone.
const PIECE_BYTES: usize = 1 << 18;

impl Tokenizer {
    /// The tokens of each text, as [`Tokenizer::encode`] finds them, worked out on `threads` threads (0 counts as 1). Tokens that are always matched
    /// (added tokens that are not special) keep a text from being cut.
    pub fn encode_batch(&self, texts: &[&[u8]], threads: usize) -> Vec<Vec<u32>> {
        let whole = self.added_tokens().iter().any(|t| !t.special);
        let target = if whole || threads <= 1 { usize::MAX } else { PIECE_BYTES };
        let work: Vec<(usize, &[u8])> =
            texts.iter().enumerate().flat_map(|(i, text)| pieces(text, target).map(move |piece| (i, piece))).collect();
        let n_workers = threads.min(work.len()).max(1);
        let taken = AtomicUsize::new(0);
        let worker = || {
            let mut done = Vec::new();
            loop {
                let at = taken.fetch_add(1, Ordering::Relaxed);
                let Some(&(_, piece)) = work.get(at) else { return done };
                done.push((at, self.encode(piece)));
            }
        };
        let mut results: Vec<Vec<u32>> = vec![Vec::new(); work.len()];
        std::thread::scope(|scope| {
            let others: Vec<_> = (1..n_workers).map(|_| scope.spawn(worker)).collect();
            let mut done = worker();
            for other in others {
                match other.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            for (at, ids) in done {
                results[at] = ids;
            }
        });
        let mut joined: Vec<Vec<u32>> = vec![Vec::new(); texts.len()];
        for (&(text, _), ids) in work.iter().zip(results) {
            if joined[text].is_empty() {
                joined[text] = ids;
            } else {
                joined[text].extend_from_slice(&ids);
            }
        }
        joined
    }
}
