//! Bits per byte by style: what a model needs, on average, to write down a byte of each kind of held-out text.

use std::collections::BTreeMap;

use ovid_bpe::Tokenizer;
use ovid_io::{Observer, Progress};
use ovid_model::Gpt2;
use serde::{Deserialize, Serialize};

use crate::{DocumentScore, Error, Options, Place, Scorer};

/// The sums over the documents of a style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StyleBits {
    /// Documents.
    pub n_documents: usize,
    /// Tokens that were scored.
    pub n_tokens: usize,
    /// Their bytes.
    pub n_bytes: usize,
    /// The sum of their negative log-probabilities.
    pub loss_nats: f64,
    /// That over the bytes, in bits.
    pub bits_per_byte: f64,
}

impl StyleBits {
    fn add(&mut self, score: &DocumentScore) {
        self.n_documents += 1;
        self.n_tokens += score.n_scored;
        self.n_bytes += score.tokens.iter().filter(|t| t.logprob.is_some()).map(|t| t.bytes.len()).sum::<usize>();
        self.loss_nats -= score.sum_logprob;
        self.bits_per_byte = self.loss_nats / std::f64::consts::LN_2 / self.n_bytes.max(1) as f64;
    }
}

/// Scores documents, each `(style, text)`, with windows of one context that move by half of it; the sums by style, in the order of their names.
///
/// # Errors
/// Those of the scorer.
pub fn bits_by_style(
    model: &Gpt2,
    tokenizer: &Tokenizer,
    documents: &[(String, String)],
    observer: &dyn Observer,
) -> Result<BTreeMap<String, StyleBits>, Error> {
    let mut scorer = Scorer::new(model, tokenizer, Options::new(model, tokenizer), observer)?;
    let mut styles: BTreeMap<String, StyleBits> = BTreeMap::new();
    let mut names = documents.iter().map(|(style, _)| style);
    let mut done = 0;
    let mut take = |scores: Vec<DocumentScore>| {
        for (score, style) in scores.iter().zip(&mut names) {
            styles.entry(style.clone()).or_default().add(score);
            done += 1;
        }
        observer.progress(Progress { stage: "scoring held-out text", done, total: Some(documents.len() as u64), unit: "documents" });
    };
    for (_, text) in documents {
        take(scorer.push(text.as_bytes(), Place::default())?);
    }
    take(scorer.finish()?);
    Ok(styles)
}
