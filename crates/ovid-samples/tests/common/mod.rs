//! The built-in model on a chosen machine.

#![allow(dead_code)] // Each test file uses a part of this.

use std::num::NonZeroUsize;
use std::sync::Arc;

use ovid_bpe::Tokenizer;
use ovid_generate::{Completion, FinishReason, ModelId, Origin, Window};
use ovid_io::gguf::Gguf;
use ovid_io::{Mapped, Silent, digest};
use ovid_model::{Cpu, Gpt2, Unit};
use ovid_samples::Batch;
use ovid_samples::ledger::{Prompt, Run};

pub struct Model {
    pub model: Arc<Gpt2>,
    pub tokenizer: Arc<Tokenizer>,
}

impl Model {
    pub fn new(threads: usize, unit: Option<Unit>) -> Self {
        let gguf = Gguf::new(Mapped::from_static(ovid_mini::NAME, ovid_mini::GGUF)).unwrap();
        let cpu = unit.map_or_else(|| Cpu::new(threads), |unit| Cpu::with_unit(threads, unit).unwrap());
        let model = Gpt2::from_gguf(&gguf, cpu, &Silent).unwrap();
        Self { model: Arc::new(model), tokenizer: Arc::new(Tokenizer::from_gguf(&gguf).unwrap()) }
    }

    pub fn batch(&self, n: usize) -> Batch<'_> {
        Batch { model: &self.model, tokenizer: &self.tokenizer, n_side_by_side: NonZeroUsize::new(n).unwrap(), observer: &Silent }
    }
}

pub fn origin() -> Origin {
    Origin::exact(ModelId { name: ovid_mini::NAME.into(), sha256: digest::sha256(ovid_mini::GGUF) })
}

/// The run of samples that no model made.
pub fn run() -> Run {
    Run {
        model: ModelId { name: "none".into(), sha256: "00".into() },
        tokenizer_sha256: "00".into(),
        sampler: ovid_generate::Settings::default(),
        watermark: None,
        logprobs: None,
        arithmetic: "exact-1".into(),
        device: "cpu".into(),
        version: "0".into(),
    }
}

pub fn prompt(text: &str) -> Prompt {
    Prompt { text: text.into(), ids: vec![1] }
}

/// A whole sample with this text.
pub fn completion(text: &str) -> Completion {
    Completion {
        prompt_ids: vec![1],
        ids: vec![2, 3],
        text: text.into(),
        seed: 0,
        finish_reason: FinishReason::Length,
        window: Window::after(64, 1),
        logprobs: None,
        score: None,
        watermark: None,
    }
}
