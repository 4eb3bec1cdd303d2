//! What `ovid generate --json` says of one sample.

use ovid_watermark::Mark;
use serde::{Deserialize, Serialize};

use crate::{Completion, FinishReason, Settings, TokenLogprob, Window};

/// One sample with all that is needed to make it again: same model file, prompt, settings and seed give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// The prompt as given.
    pub prompt: String,
    /// The tokens that the model was given: the prompt's, or end-of-text where it was empty.
    pub prompt_ids: Vec<u32>,
    /// The continuation.
    pub text: String,
    /// The drawn tokens, the one that ended the text included.
    pub ids: Vec<u32>,
    /// The seed of this sample.
    pub seed: u64,
    /// Why the text ended.
    pub finish_reason: FinishReason,
    /// What was done about the model's context.
    pub window: Window,
    /// How tokens were chosen, and when the text was to end.
    pub sampler: Settings,
    /// The model.
    pub model: ModelId,
    /// The rule of the arithmetic: `exact-1`.
    pub arithmetic: String,
    /// Where it ran.
    pub device: String,
    /// Ovid's version.
    pub version: String,
    /// One per token of `ids`, where asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<TokenLogprob>>,
    /// The score of beam search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// The watermark that the text bears, and whose key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Mark>,
}

/// What `ovid write --json` prints of the text so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// All of it, as typed and continued.
    pub text: String,
}

/// Which model, by name and by content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelId {
    /// As the user called it.
    pub name: String,
    /// SHA-256 of the file, or of a folder's sorted lines of digest and name.
    pub sha256: String,
}

/// What all samples of a run have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The model.
    pub model: ModelId,
    /// The rule of the arithmetic.
    pub arithmetic: String,
    /// Where it runs.
    pub device: String,
}

impl Origin {
    /// A model on the CPU, whose arithmetic is `exact-1`.
    pub fn exact(model: ModelId) -> Self {
        Self { model, arithmetic: "exact-1".to_owned(), device: "cpu".to_owned() }
    }
}

impl Generation {
    /// Puts a completion together with where it comes from.
    pub fn new(prompt: String, completion: Completion, sampler: Settings, origin: &Origin) -> Self {
        let Completion { prompt_ids, ids, text, seed, finish_reason, window, logprobs, score, watermark } = completion;
        let Origin { model, arithmetic, device } = origin.clone();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self {
            prompt,
            prompt_ids,
            text,
            ids,
            seed,
            finish_reason,
            window,
            sampler,
            model,
            arithmetic,
            device,
            version,
            logprobs,
            score,
            watermark,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_stable() {
        let completion = Completion {
            prompt_ids: vec![50256],
            ids: vec![464, 50256],
            text: "The".to_owned(),
            seed: 7,
            finish_reason: FinishReason::EndOfText,
            window: Window::after(1024, 1),
            logprobs: None,
            score: None,
            watermark: None,
        };
        let origin = Origin::exact(ModelId { name: "gpt2".to_owned(), sha256: "00".to_owned() });
        let generation = Generation::new(String::new(), completion, Settings::default(), &origin);
        let json = serde_json::to_string(&generation).unwrap();
        let want = concat!(
            r#"{"prompt":"","prompt_ids":[50256],"text":"The","ids":[464,50256],"seed":7,"finish_reason":"end_of_text","#,
            r#""window":{"context":1024,"kept":512,"recomputed":0},"sampler":{"temperature":1.0,"top_k":40,"top_p":null,"top_p_rule":"nucleus","min_p":null,"#,
            r#""typical_p":null,"repetition_penalty":null,"presence_penalty":null,"frequency_penalty":null,"no_repeat_ngram":null,"logit_bias":[],"banned":[],"#,
            r#""min_tokens":0,"max_tokens":256,"stop":[],"at_end_of_text":"stop","beams":null},"model":{"name":"gpt2","sha256":"00"},"#,
            r#""arithmetic":"exact-1","device":"cpu","version":"VERSION"}"#
        );
        assert_eq!(json, want.replace("VERSION", env!("CARGO_PKG_VERSION")));
        assert_eq!(serde_json::from_str::<Generation>(&json).unwrap(), generation);
    }
}
