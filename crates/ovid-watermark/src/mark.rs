//! The sampler's side: what a watermark does to the choice of one token.

use std::sync::Arc;

use crate::green_list::Lists;
use crate::prf::Words;
use crate::tournament::Field;
use crate::{Key, Mark, Scheme, gumbel, tournament};

/// A key and how it is used. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct Watermark {
    pub(crate) key: Arc<Key>,
    pub(crate) scheme: Scheme,
}

impl Watermark {
    /// Marks by `scheme` under `key`.
    pub fn new(key: Arc<Key>, scheme: Scheme) -> Self {
        Self { key, scheme }
    }

    /// What records may say of it.
    pub fn mark(&self) -> Mark {
        Mark { key: self.key.id(), scheme: self.scheme }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
}

/// Who chooses the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nobody yet: the weights are as they were.
    Open,
    /// Nobody yet, but the weights are others.
    Reweighed,
    /// The watermark has chosen the token at this place.
    Token(usize),
}

/// Marks one text token by token. It remembers nothing of the text: only memory is used again.
#[derive(Clone, Debug)]
pub struct Marker {
    watermark: Watermark,
    words: Words,
    lists: Lists,
    field: Field,
}

impl Marker {
    /// Marks with `watermark`.
    pub fn new(watermark: Watermark) -> Self {
        Self { watermark, words: Words::default(), lists: Lists::default(), field: Field::default() }
    }

    /// The watermark.
    pub fn watermark(&self) -> &Watermark {
        &self.watermark
    }

    /// Whether [`Marker::raise`] would change scores after these ids, of which the first `n_prompt` are the prompt.
    pub fn raises(&self, ids: &[u32], n_prompt: usize) -> bool {
        !self.watermark.scheme.needs_draws() && self.context(ids, n_prompt).is_some()
    }

    /// Raises the scores of the green tokens, where the scheme has such and the context is fresh. `scores` are those of the whole vocabulary.
    pub fn raise(&mut self, ids: &[u32], n_prompt: usize, scores: &mut [f32]) {
        let Scheme::GreenList(list) = self.watermark.scheme else { return };
        let Some(context) = fresh_context(ids, n_prompt, self.watermark.scheme.context_width()) else { return };
        self.lists.raise(&self.watermark.key, list, context, scores, &mut self.words);
    }

    /// Chooses among the tokens that are left, or changes their weights, where the scheme does and the context is fresh. `kept` rises.
    pub fn choose(&mut self, ids: &[u32], n_prompt: usize, kept: &[u32], weights: &mut [f32]) -> Choice {
        let Some(context) = self.context(ids, n_prompt) else { return Choice::Open };
        let key = &self.watermark.key;
        match self.watermark.scheme {
            Scheme::GreenList(_) => Choice::Open,
            Scheme::Gumbel(_) => gumbel::choose(key, context, kept, weights, &mut self.words),
            Scheme::Tournament(t) => {
                tournament::weigh(key, t, context, kept, weights, &mut self.words, &mut self.field);
                Choice::Reweighed
            }
        }
    }

    fn context<'a>(&self, ids: &'a [u32], n_prompt: usize) -> Option<&'a [u32]> {
        fresh_context(ids, n_prompt, self.watermark.scheme.context_width())
    }
}

/// The last `width` ids, where there are so many and no token after the prompt was chosen after the same ones before.
fn fresh_context(ids: &[u32], n_prompt: usize, width: usize) -> Option<&[u32]> {
    let context = &ids[ids.len().checked_sub(width)?..];
    let first = n_prompt.max(width) - width;
    let seen = ids.get(first..ids.len() - 1).is_some_and(|before| before.windows(width).any(|w| w == context));
    (!seen).then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_fresh_once_in_a_text() {
        let check = |ids: &[u32], n_prompt, width, want: Option<&[u32]>| assert_eq!(fresh_context(ids, n_prompt, width), want);
        check(&[], 0, 1, None);
        check(&[5], 1, 1, Some(&[5]));
        check(&[5], 1, 2, None);
        // The prompt's own tokens were not chosen here.
        check(&[5, 5, 5], 3, 1, Some(&[5]));
        // The third token was chosen after 5.
        check(&[5, 5, 5], 2, 1, None);
        check(&[1, 2, 3, 1, 2], 2, 2, None);
        check(&[1, 2, 3, 1, 2], 3, 2, Some(&[1, 2]));
        check(&[1, 2, 3, 2, 2], 0, 2, Some(&[2, 2]));
    }
}
