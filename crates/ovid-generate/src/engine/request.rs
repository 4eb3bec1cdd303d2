//! What goes into the engine and what comes out of it.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::Window;
use crate::{Error, Settings};
use ovid_watermark::{Mark, Watermark};

/// A prompt to be continued.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The prompt; where it is empty, the text starts from end-of-text.
    pub prompt: Vec<u32>,
    /// How, and until when.
    pub settings: Settings,
    /// Sample i is drawn with seed `seed + i`, wrapping.
    pub seed: u64,
    /// How many samples.
    pub n_samples: NonZeroU32,
    /// Log-probabilities wanted with each token: how many of the best alternatives beside its own.
    pub logprobs: Option<usize>,
    /// The watermark that the text is to bear.
    pub watermark: Option<Watermark>,
}

impl Request {
    /// One sample without log-probabilities and watermark.
    pub fn new(prompt: Vec<u32>, settings: Settings, seed: u64) -> Self {
        Self { prompt, settings, seed, n_samples: NonZeroU32::MIN, logprobs: None, watermark: None }
    }
}

/// Names a request in events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub(super) u64);

/// Why a text ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// A stop string.
    Stop,
    /// `max_tokens` tokens were drawn.
    Length,
    /// The model drew end-of-text.
    EndOfText,
    /// The caller took the request back.
    Cancelled,
}

/// How probable a drawn token was under the model itself, before settings changed anything: what `ovid score` says of the same token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// In nats.
    pub logprob: f32,
    /// The most probable tokens with theirs, most probable first, the lower id first among equals.
    pub top: Vec<(u32, f32)>,
}

/// A text that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// What the model was given: the prompt, or end-of-text.
    pub prompt_ids: Vec<u32>,
    /// Every drawn token, the one that ended the text included.
    pub ids: Vec<u32>,
    /// The continuation, without a stop string or end-of-text that ended it. Bytes that are no whole character are U+FFFD.
    pub text: String,
    /// The seed of this sample.
    pub seed: u64,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// What was done about the model's context.
    pub window: Window,
    /// One per token of `ids`, where wanted.
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// The score of beam search: the sum of log-probabilities over the length to the power of the penalty.
    pub score: Option<f32>,
    /// The watermark that the text bears.
    pub watermark: Option<Mark>,
}

/// What happened in a step.
#[derive(Clone, Debug)]
pub enum Event {
    /// A token was drawn. Beam search gives its tokens all at its end.
    Token {
        /// The request.
        request: RequestId,
        /// Which of its samples.
        sample: u32,
        /// The token.
        id: u32,
        /// Text that became certain: whole characters that belong to no stop string. The texts of all tokens together are the completion's.
        text: String,
        /// Where wanted.
        logprob: Option<TokenLogprob>,
    },
    /// A sample has ended.
    Finished {
        /// The request.
        request: RequestId,
        /// Which of its samples.
        sample: u32,
        /// All of it.
        completion: Box<Completion>,
    },
    /// A sample cannot go on.
    Failed {
        /// The request.
        request: RequestId,
        /// Which of its samples.
        sample: u32,
        /// Why.
        error: Error,
    },
}
