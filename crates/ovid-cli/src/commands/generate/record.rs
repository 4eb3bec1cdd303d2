//! What `ovid generate --json` prints for each sample.

use ovid_generate::{Completion, FinishReason, Settings, TokenLogprob, Window};
use serde::Serialize;

use crate::failure::Failure;
use crate::models::{Identity, Loaded};

/// One sample, with all that is needed to make it again.
#[derive(Serialize)]
pub struct Record<'a> {
    /// The text that was continued.
    prompt: &'a str,
    /// Its tokens.
    prompt_ids: Vec<u32>,
    /// The continuation.
    text: String,
    /// Its tokens.
    ids: Vec<u32>,
    /// The seed of this sample.
    seed: u64,
    /// Why it ended.
    finish_reason: FinishReason,
    /// What was done about the model's context.
    window: Window,
    /// How it was drawn.
    sampler: &'a Settings,
    /// With `--logprobs`: one per new token.
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Vec<TokenLogprob>>,
    /// With `--beams`: the beam's score.
    #[serde(skip_serializing_if = "Option::is_none")]
    score: Option<f32>,
    /// The model.
    model: Identity,
    /// The rule by which sums are rounded.
    arithmetic: &'static str,
    /// Where it was computed.
    device: &'static str,
    /// The version of ovid.
    version: &'static str,
}

impl<'a> Record<'a> {
    /// The record of a completion.
    pub fn new(prompt: &'a str, sampler: &'a Settings, completion: Completion, loaded: &Loaded) -> Result<Self, Failure> {
        let Completion { prompt_ids, ids, text, seed, finish_reason, window, logprobs, score } = completion;
        Ok(Self {
            prompt,
            prompt_ids,
            text,
            ids,
            seed,
            finish_reason,
            window,
            sampler,
            logprobs,
            score,
            model: loaded.identity()?,
            arithmetic: "exact-1",
            device: "cpu",
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}
