//! Validation bits per byte by style: what the model needs, on average, to write down a byte of the held-out text.
//!
//! A document is scored from end-of-text on in windows of the model's context that move on by half of it: every token but those of the first half-window has
//! at least half a context before it.

use std::collections::BTreeMap;

use ovid_bpe::Tokenizer;
use ovid_model::{Gpt2, KvPool, Output, Segment, Want};
use serde::{Deserialize, Serialize};

use crate::mini::prepare::Document;

/// Sums over the documents of a style.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Bits {
    /// Documents.
    pub n_documents: usize,
    /// Tokens scored.
    pub n_tokens: usize,
    /// Bytes of text.
    pub n_bytes: usize,
    /// Sum of the negative log-probabilities, in nats.
    pub loss_nats: f64,
}

impl Bits {
    /// Bits per byte.
    pub fn per_byte(self) -> f64 {
        self.loss_nats / std::f64::consts::LN_2 / self.n_bytes.max(1) as f64
    }
}

/// Scores `documents` by style.
///
/// # Errors
/// When the model fails.
pub fn bits(model: &Gpt2, tokenizer: &Tokenizer, end_of_text: u32, documents: &[Document]) -> anyhow::Result<BTreeMap<String, Bits>> {
    let mut styles: BTreeMap<String, Bits> = BTreeMap::new();
    let mut kv = model.kv_pool(model.config().n_ctx)?;
    for document in documents {
        let mut ids = vec![end_of_text];
        ids.extend(tokenizer.encode(document.text.as_bytes()));
        let of_style = styles.entry(document.style.clone()).or_default();
        of_style.n_documents += 1;
        of_style.n_tokens += ids.len() - 1;
        of_style.n_bytes += document.text.len();
        of_style.loss_nats += loss(model, &mut kv, &ids)?;
    }
    Ok(styles)
}

/// The sum of the losses of `ids[1..]`, each given what is before it in its window.
fn loss(model: &Gpt2, kv: &mut KvPool, ids: &[u32]) -> anyhow::Result<f64> {
    let n_ctx = model.config().n_ctx;
    let mut sum = 0.0;
    // The first token that has not been scored.
    let mut next = 1;
    while next < ids.len() {
        // The window ends one before its last target.
        let end = (next - 1 + if next == 1 { n_ctx } else { n_ctx.div_ceil(2) }).min(ids.len() - 1);
        let begin = end.saturating_sub(n_ctx);
        let targets: Vec<Option<u32>> = (begin..end).map(|at| (at + 1 >= next).then(|| ids[at + 1])).collect();
        let sequence = kv.sequence();
        let output = model.forward(&[Segment { sequence, tokens: &ids[begin..end] }], kv, Want::Scores { targets: &targets, top: 0 });
        kv.release(sequence);
        if let Output::Scores(scores) = output? {
            sum -=
                scores.iter().zip(&targets).filter(|(_, target)| target.is_some()).map(|(score, _)| f64::from(score.logprob)).sum::<f64>();
        }
        next = end + 1;
    }
    Ok(sum)
}
