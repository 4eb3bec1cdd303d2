//! The green list (Kirchenbauer et al. 2023, "A watermark for large language models", algorithm 2).
//!
//! A token is green in a context where the low 16 bits of its word are below gamma * 2^16. The sampler adds delta to the scores of green tokens, before temperature
//! and truncation; the detector counts green tokens, and under no watermark their number is binomial.
//!
//! With self-hash (Kirchenbauer et al. 2023, "On the reliability of watermarks", section 3, there over integers and a hash that is no cryptographic one) a candidate's
//! word comes from one anchor among the context-width - 1 tokens before it and itself: the one whose word for the candidate has the least upper 16 bits, the nearest
//! among equals, the candidate itself last. An edit of one token then often leaves the anchor as it was. Anchor a's words are the stream of the context [a], the
//! candidate's own that of the empty context. The lower 16 bits, which alone say green, are independent of the choice; the detector counts each (anchor, token) once,
//! so that the number of green ones is binomial again.

use crate::prf::{Label, Stream, Words};
use crate::{GreenList, Key};

/// The token that a candidate's word comes from with self-hash; `None` is the candidate itself.
pub type Anchor = Option<u32>;

/// The words of the anchors of a text's end, kept while they are needed.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Most recent first.
    anchors: Vec<(Anchor, Words)>,
    least: Vec<u32>,
}

impl Lists {
    /// Adds delta to the scores of the tokens that are green after `context`.
    pub fn raise(&mut self, key: &Key, list: GreenList, context: &[u32], scores: &mut [f32], words: &mut Words) {
        let (gamma, delta) = (u32::from(list.gamma_65536), list.delta);
        let words = if list.self_hash {
            self.self_hashed(key, context, scores.len());
            &self.least
        } else {
            Stream::new(key, Label::GreenList, context).all(scores.len(), words);
            &words.words
        };
        for (score, word) in scores.iter_mut().zip(words) {
            *score += if word & 0xffff < gamma { delta } else { 0.0 };
        }
    }

    /// Each token's word from its anchor, in `least`.
    fn self_hashed(&mut self, key: &Key, context: &[u32], n_vocab: usize) {
        let wanted: Vec<Anchor> = context.iter().rev().map(|&id| Some(id)).chain([None]).collect();
        let mut spare: Vec<_> = std::mem::take(&mut self.anchors);
        self.least.clear();
        for &anchor in &wanted {
            if self.anchors.iter().any(|(known, _)| *known == anchor) {
                continue;
            }
            let known = spare.iter().position(|(known, words)| *known == anchor && words.words.len() == n_vocab);
            let words = if let Some(place) = known {
                spare.swap_remove(place).1
            } else {
                let mut words = Words::default();
                Stream::new(key, Label::SelfHash, anchor.as_slice()).all(n_vocab, &mut words);
                words
            };
            if self.least.is_empty() {
                self.least.extend_from_slice(&words.words);
            } else {
                for (least, &word) in self.least.iter_mut().zip(&words.words) {
                    *least = if word >> 16 < *least >> 16 { word } else { *least };
                }
            }
            self.anchors.push((anchor, words));
        }
    }
}

/// Whether `token` is green after `context`.
pub fn is_green(key: &Key, list: GreenList, context: &[u32], token: u32) -> bool {
    Stream::new(key, Label::GreenList, context).word(token) & 0xffff < u32::from(list.gamma_65536)
}

/// Whether `token` is green after `context` with self-hash, and its anchor.
pub fn is_green_self_hashed(key: &Key, list: GreenList, context: &[u32], token: u32) -> (bool, Anchor) {
    let anchors = context.iter().rev().map(|&id| Some(id)).chain([None]);
    let (anchor, word) = anchors
        .map(|anchor| (anchor, Stream::new(key, Label::SelfHash, anchor.as_slice()).word(token)))
        .min_by_key(|&(_, word)| word >> 16)
        .expect("the candidate itself is an anchor");
    (word & 0xffff < u32::from(list.gamma_65536), anchor)
}

/// P(at least so many green of `n`) without a watermark: exact.
pub fn p_value(list: GreenList, n_green: u64, n: u64) -> f64 {
    ovid_stats::binomial_upper_tail(n_green, n, list.gamma())
}
