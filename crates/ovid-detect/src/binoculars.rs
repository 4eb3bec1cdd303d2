//! The cross-entropy of one model's distributions against another's, token by token (Hans et al. 2024, equation 3).

use ovid_model::{Gpt2, KvPool, Output, Segment, Want};

use crate::Error;

/// Two models of one vocabulary: the scoring one, and the second.
pub struct Pair<'a> {
    first: &'a Gpt2,
    second: &'a Gpt2,
    first_kv: KvPool,
    second_kv: KvPool,
}

/// Rows whose logits are in memory at once.
const ROWS: usize = 64;

impl<'a> Pair<'a> {
    /// A pair.
    ///
    /// # Errors
    /// [`Error::Vocabularies`] where the two do not have the same number of tokens, or there is no memory.
    pub fn new(first: &'a Gpt2, second: &'a Gpt2) -> Result<Self, Error> {
        let (a, b) = (first.config().vocab_size, second.config().vocab_size);
        if a != b {
            return Err(Error::Vocabularies { first: a, second: b });
        }
        let pool = |model: &Gpt2| model.kv_pool(model.config().n_ctx).map_err(ovid_eval::Error::Model);
        Ok(Self { first, second, first_kv: pool(first)?, second_kv: pool(second)? })
    }

    /// -sum over v of p1(v) ln p2(v) before each token of `ids`, `begin` standing before the first. A text longer than the shorter context is cut to it.
    ///
    /// # Errors
    /// If a model fails, or the tokens are not in its vocabulary.
    pub fn cross_entropies(&mut self, begin: u32, ids: &[u32]) -> Result<Vec<f64>, Error> {
        let context = self.first.config().n_ctx.min(self.second.config().n_ctx);
        let input: Vec<u32> = std::iter::once(begin).chain(ids.iter().copied()).take(context.min(ids.len())).collect();
        let (a, b) = (self.first_kv.sequence(), self.second_kv.sequence());
        let mut values = Vec::with_capacity(input.len());
        let mut outcome = Ok(());
        for piece in input.chunks(ROWS) {
            let first = logits(self.first, &mut self.first_kv, a, piece);
            let second = logits(self.second, &mut self.second_kv, b, piece);
            match (first, second) {
                (Ok(first), Ok(second)) => {
                    let n_vocab = self.first.config().vocab_size;
                    values.extend(first.chunks_exact(n_vocab).zip(second.chunks_exact(n_vocab)).map(|(p, q)| cross_entropy(p, q)));
                }
                (Err(e), _) | (_, Err(e)) => {
                    outcome = Err(e);
                    break;
                }
            }
        }
        self.first_kv.release(a);
        self.second_kv.release(b);
        outcome.map(|()| values)
    }
}

fn logits(model: &Gpt2, kv: &mut KvPool, sequence: ovid_model::SequenceId, tokens: &[u32]) -> Result<Vec<f32>, Error> {
    match model.forward(&[Segment { sequence, tokens }], kv, Want::AllLogits).map_err(ovid_eval::Error::Model)? {
        Output::Logits { values, .. } => Ok(values),
        _ => unreachable!("the model was asked for logits"),
    }
}

/// ln of the sum of exponentials, and the greatest logit.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    max + logits.iter().map(|&x| (f64::from(x) - max).exp()).sum::<f64>().ln()
}

/// -sum p ln q of two rows of logits.
pub fn cross_entropy(p: &[f32], q: &[f32]) -> f64 {
    let (log_p, log_q) = (log_sum_exp(p), log_sum_exp(q));
    p.iter().zip(q).map(|(&p, &q)| (f64::from(p) - log_p).exp() * (log_q - f64::from(q))).filter(|x| !x.is_nan()).sum()
}
