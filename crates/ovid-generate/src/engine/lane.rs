//! One sequence in the model's cache, and which part of a text it holds.

use super::BLOCK;
use ovid_model::{KvPool, SequenceId};
use serde::{Deserialize, Serialize};

/// What was done about a text longer than the model's context.
///
/// The rule: before the token at position p is drawn, the model sees the newest tokens before p from a start that is a function of p alone. While all fit the
/// context, the start is 0; whenever one token more would not fit, the newest half of the context (`kept`, the new token among them) is kept and computed
/// anew from the model's position 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The model's context in tokens.
    pub context: usize,
    /// Tokens kept when the context is full.
    pub kept: usize,
    /// How many times that happened, the prompt's own overflow included.
    pub recomputed: usize,
}

impl Window {
    /// The window over `context` positions (at least 1) after `len` tokens of text.
    pub fn after(context: usize, len: usize) -> Self {
        let kept = (context / 2).max(1);
        Self { context, kept, recomputed: len.saturating_sub(context).div_ceil(context + 1 - kept) }
    }

    /// Position in the text of the first token that the model sees.
    pub fn start(&self) -> usize {
        self.recomputed * (self.context + 1 - self.kept)
    }
}

/// A text and the sequence in the cache that follows it.
#[derive(Debug)]
pub(super) struct Lane {
    /// Prompt and drawn tokens.
    pub(super) ids: Vec<u32>,
    sequence: SequenceId,
    context: usize,
    /// Position in the text of the sequence's first token.
    start: usize,
    /// Position in the text after the sequence's last token.
    fed: usize,
}

impl Lane {
    pub(super) fn new(ids: Vec<u32>, context: usize, kv: &mut KvPool) -> Self {
        let start = Window::after(context, ids.len()).start();
        Self { ids, sequence: kv.sequence(), context, start, fed: start }
    }

    pub(super) fn sequence(&self) -> SequenceId {
        self.sequence
    }

    /// What the model has not seen of the window.
    pub(super) fn pending(&self) -> &[u32] {
        &self.ids[self.fed..]
    }

    /// Takes from the cache what other texts of the same beginning have computed. The last token is left to the model, for its scores.
    pub(super) fn adopt(&mut self, kv: &mut KvPool) {
        if let [but_last @ .., _] = self.pending() {
            self.fed += kv.adopt(self.sequence, but_last);
        }
    }

    /// Whether the next whole block that this lane needs is one that `other` is about to compute.
    pub(super) fn can_wait_for(&self, other: &Self) -> bool {
        let (n_seen, n_others) = (self.fed - self.start, other.fed - other.start);
        let (own, others) = (&self.ids[self.start..], &other.ids[other.start..]);
        let can_adopt = n_seen.is_multiple_of(BLOCK) && self.pending().len() > BLOCK;
        can_adopt && n_others < n_seen + BLOCK && others.starts_with(&own[..n_seen + BLOCK])
    }

    /// Says that the model has seen `n` more tokens.
    pub(super) fn advance(&mut self, n: usize) {
        self.fed += n;
    }

    /// Appends a drawn token, and moves the window if it is full.
    pub(super) fn push(&mut self, id: u32, kv: &mut KvPool) {
        self.ids.push(id);
        self.move_window(kv);
    }

    /// Takes another text of any length, keeping of the sequence what both have in common.
    pub(super) fn become_text(&mut self, ids: Vec<u32>, kv: &mut KvPool) {
        let same = self.in_common(&ids);
        self.ids = ids;
        self.fed = self.start + kv.truncate(self.sequence, same);
        self.move_window(kv);
    }

    /// How many tokens of the sequence are also the window's first tokens of `ids`.
    pub(super) fn in_common(&self, ids: &[u32]) -> usize {
        let known = &self.ids[self.start..self.fed];
        known.iter().zip(ids.get(self.start..).unwrap_or_default()).take_while(|(a, b)| a == b).count()
    }

    fn move_window(&mut self, kv: &mut KvPool) {
        let start = Window::after(self.context, self.ids.len()).start();
        if start != self.start {
            kv.truncate(self.sequence, 0);
            (self.start, self.fed) = (start, start);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_what_token_by_token_moving_gives() {
        for context in 1..12 {
            let (mut start, mut times) = (0, 0);
            for len in 0..100 {
                if len - start > context {
                    start = len - (context / 2).max(1);
                    times += 1;
                }
                let window = Window::after(context, len);
                assert_eq!((window.start(), window.recomputed), (start, times), "context {context}, {len} tokens");
            }
        }
    }
}
