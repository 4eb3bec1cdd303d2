//! What stands in a ledger: entries, and the prompts and settings that they name by digest.

use ovid_generate::{Completion, FinishReason, Generation, ModelId, Settings, TokenLogprob, Window};
use ovid_io::digest;
use ovid_watermark::Mark;
use serde::{Deserialize, Serialize};

/// One entry: a sample begins, or it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// The first token of a sample is about to be drawn. The entry's number is the sample's.
    Begun {
        /// What the clock said, in milliseconds since 1970.
        time_ms: u64,
        /// Digest of a [`Prompt`].
        prompt: String,
        /// Digest of a [`Run`].
        run: String,
        /// The sample's seed.
        seed: u64,
    },
    /// The sample is whole.
    Completed(Ended),
    /// The sample was cut short, by Ctrl-C or an error.
    Aborted(Ended),
}

/// How a sample ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The number of the entry with which it began.
    pub sample: u64,
    /// What the clock said, in milliseconds since 1970.
    pub time_ms: u64,
    /// The text; of an aborted sample, as far as it went.
    pub text: String,
    /// The drawn tokens.
    pub ids: Vec<u32>,
    /// Why it ended; null where it failed.
    pub finish_reason: Option<FinishReason>,
    /// What was done about the model's context; null where it failed.
    pub window: Option<Window>,
    /// One per token, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// The score of beam search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
}

/// What was continued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// As it was given.
    pub text: String,
    /// Its tokens; end-of-text where it was empty.
    pub ids: Vec<u32>,
}

/// With what it was continued: what all samples of a run have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The model.
    pub model: ModelId,
    /// See [`crate::tokenizer_sha256`].
    pub tokenizer_sha256: String,
    /// How tokens were chosen.
    pub sampler: Settings,
    /// The watermark that the texts bear: the identity of its key, and the scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Mark>,
    /// How many alternatives were listed with each token's log-probability, where they were asked for.
    pub logprobs: Option<usize>,
    /// The rule of the arithmetic.
    pub arithmetic: String,
    /// Where it ran.
    pub device: String,
    /// Ovid's version.
    pub version: String,
}

/// Where a sample stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Begun, and nothing more is known: it runs, or its program was killed.
    Begun,
    /// Whole.
    Completed,
    /// Cut short.
    Aborted,
}

impl Ended {
    pub(super) fn new(sample: u64, time_ms: u64, completion: Option<&Completion>) -> Self {
        let c = completion;
        Self {
            sample,
            time_ms,
            text: c.map(|c| c.text.clone()).unwrap_or_default(),
            ids: c.map(|c| c.ids.clone()).unwrap_or_default(),
            finish_reason: c.map(|c| c.finish_reason),
            window: c.map(|c| c.window),
            logprobs: c.and_then(|c| c.logprobs.clone()),
            score: c.and_then(|c| c.score),
        }
    }

    /// The sample as `ovid generate --json` prints it; `None` where it failed before it was anything.
    pub(super) fn generation(&self, prompt: &Prompt, run: &Run, seed: u64) -> Option<Generation> {
        Some(Generation {
            prompt: prompt.text.clone(),
            prompt_ids: prompt.ids.clone(),
            text: self.text.clone(),
            ids: self.ids.clone(),
            seed,
            finish_reason: self.finish_reason?,
            window: self.window?,
            sampler: run.sampler.clone(),
            model: run.model.clone(),
            arithmetic: run.arithmetic.clone(),
            device: run.device.clone(),
            version: run.version.clone(),
            logprobs: self.logprobs.clone(),
            score: self.score,
            watermark: run.watermark,
        })
    }
}

/// The hash of an entry that follows one of the hash `before`.
pub(super) fn chain(before: &str, body: &str) -> String {
    digest::sha256(format!("{before}\n{body}").as_bytes())
}
