//! A sample drawn token by token.

use super::lane::Lane;
use super::output::Output;
use super::request::{FinishReason, TokenLogprob};
use crate::sampling::{AtEndOfText, Sampler, Text};
use crate::{Error, math};
use ovid_kernels::Unit;
use ovid_model::KvPool;

/// The state of one sample beside its lane.
pub(super) struct Draw {
    pub(super) sampler: Sampler,
    pub(super) seed: u64,
    pub(super) n_prompt: usize,
    pub(super) end_of_text: Option<u32>,
    pub(super) logprobs: Option<usize>,
    pub(super) output: Output,
}

/// A drawn token.
pub(super) struct Drawn {
    pub(super) id: u32,
    pub(super) text: String,
    pub(super) logprob: Option<TokenLogprob>,
    pub(super) finished: Option<FinishReason>,
}

impl Draw {
    /// Draws the next token from the model's scores. Those beyond the tokenizer's vocabulary pad the model and are no tokens.
    pub(super) fn next(&mut self, lane: &mut Lane, scores: &[f32], kv: &mut KvPool) -> Result<Drawn, Error> {
        let id = self.sampler.next(&scores[..self.sampler.n_vocab()], Text { ids: &lane.ids, n_prompt: self.n_prompt }, self.seed)?;
        let logprob = self.logprobs.map(|top| logprob(self.sampler.unit(), scores, id, top));
        lane.push(id, kv);
        let settings = self.sampler.settings();
        let mut text = String::new();
        let finished = if Some(id) == self.end_of_text && settings.at_end_of_text == AtEndOfText::Stop {
            Some(FinishReason::EndOfText)
        } else if self.output.push(id, &mut text)? {
            Some(FinishReason::Stop)
        } else {
            (lane.ids.len() - self.n_prompt >= settings.max_tokens).then_some(FinishReason::Length)
        };
        if finished.is_some() {
            self.output.finish(&mut text);
        }
        self.output.logprobs.extend(logprob.clone());
        Ok(Drawn { id, text, logprob, finished })
    }
}

/// The model's own log-probability of `id`, and its `top` best tokens.
fn logprob(unit: Unit, scores: &[f32], id: u32, top: usize) -> TokenLogprob {
    let (greatest, log_sum) = math::log_sum_exp(unit, scores);
    let logprob = |score: f32| score - greatest - log_sum;
    let best = math::best(scores, top).into_iter().map(|(id, score)| (id, logprob(score))).collect();
    TokenLogprob { logprob: logprob(scores[id as usize]), top: best }
}
