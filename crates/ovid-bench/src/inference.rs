//! Decoding, prefill and batched decoding, as llama-bench and llama-batched-bench count them: random tokens, no sampling, logits of the last token.

use ovid_io::Observer;
use ovid_model::{Config, Gpt2, KvPool, Segment, SequenceId, Want};
use ovid_stats::Draws;

use crate::measure::{ModelInfo, repeat};
use crate::{Error, Measurement, Yardstick};

/// The purpose of the draws of tokens.
const TOKENS: u64 = 0xbe9c;
/// Tokens of a prompt that one call of the model sees (llama.cpp's default micro-batch).
const PIECE: usize = 512;

/// `tgN`: `n` tokens, one after the other, from an empty cache.
///
/// # Errors
/// If they do not fit the context, or memory is short.
pub fn decode(
    model: &ModelInfo,
    gpt2: &Gpt2,
    n: usize,
    repetitions: usize,
    yard: Yardstick,
    observer: &dyn Observer,
) -> Result<Measurement, Error> {
    let tokens = tokens(gpt2, n)?;
    let mut kv = gpt2.kv_pool(n)?;
    let test = repeat(format!("tg{n}"), "tokens", n, repetitions, observer, || {
        let sequence = kv.sequence();
        for token in tokens.chunks(1) {
            gpt2.forward(&[Segment { sequence, tokens: token }], &mut kv, Want::LastLogits)?;
        }
        kv.release(sequence);
        Ok(())
    })?;
    let cost = Cost::new(gpt2);
    Ok(test.with_costs(cost.weight_bytes + cost.cache_bytes(n / 2), cost.operations(n / 2, 1), yard).of(model))
}

/// `ppN`: a prompt of `n` tokens.
///
/// # Errors
/// As [`decode`].
pub fn prefill(
    model: &ModelInfo,
    gpt2: &Gpt2,
    n: usize,
    repetitions: usize,
    yard: Yardstick,
    observer: &dyn Observer,
) -> Result<Measurement, Error> {
    let tokens = tokens(gpt2, n)?;
    let mut kv = gpt2.kv_pool(n)?;
    let test = repeat(format!("pp{n}"), "tokens", n, repetitions, observer, || {
        let sequence = kv.sequence();
        read(gpt2, &mut kv, sequence, &tokens)?;
        kv.release(sequence);
        Ok(())
    })?;
    let cost = Cost::new(gpt2);
    Ok(test.with_costs(cost.weight_bytes / n.min(PIECE) as f64, cost.operations(n / 2, n), yard).of(model))
}

/// `tgNxS`: `n` tokens for each of `n_sequences` sequences at once, after a prompt of `n_prompt` tokens each, which is not counted.
///
/// # Errors
/// As [`decode`].
pub fn batch(
    model: &ModelInfo,
    gpt2: &Gpt2,
    (n_sequences, n_prompt, n): (usize, usize, usize),
    repetitions: usize,
    yard: Yardstick,
    observer: &dyn Observer,
) -> Result<Measurement, Error> {
    let tokens = tokens(gpt2, n_prompt + n)?;
    let mut kv = gpt2.kv_pool(n_sequences * (n_prompt + n).next_multiple_of(16))?;
    let sequences: Vec<SequenceId> = (0..n_sequences).map(|_| kv.sequence()).collect();
    for sequence in &sequences {
        read(gpt2, &mut kv, *sequence, &tokens[..n_prompt])?;
    }
    let test = repeat(format!("tg{n}x{n_sequences}"), "tokens", n * n_sequences, repetitions, observer, || {
        for sequence in &sequences {
            kv.truncate(*sequence, n_prompt);
        }
        for token in tokens[n_prompt..].chunks(1) {
            let segments: Vec<_> = sequences.iter().map(|s| Segment { sequence: *s, tokens: token }).collect();
            gpt2.forward(&segments, &mut kv, Want::LastLogits)?;
        }
        Ok(())
    })?;
    let cost = Cost::new(gpt2);
    let n_keys = n_prompt + n / 2;
    Ok(test.with_costs(cost.weight_bytes / n_sequences as f64 + cost.cache_bytes(n_keys), cost.operations(n_keys, 1), yard).of(model))
}

fn read(gpt2: &Gpt2, kv: &mut KvPool, sequence: SequenceId, tokens: &[u32]) -> Result<(), Error> {
    let n = tokens.len().div_ceil(PIECE);
    for (i, piece) in tokens.chunks(PIECE).enumerate() {
        let want = if i + 1 == n { Want::LastLogits } else { Want::Nothing };
        gpt2.forward(&[Segment { sequence, tokens: piece }], kv, want)?;
    }
    Ok(())
}

/// `n` random tokens that fit the model's context.
fn tokens(gpt2: &Gpt2, n: usize) -> Result<Vec<u32>, Error> {
    let Config { vocab_size, n_ctx, .. } = *gpt2.config();
    if n == 0 || n > n_ctx {
        return Err(Error::Shape(format!("{n} tokens, and the model's context has 1 to {n_ctx}")));
    }
    let draws = Draws::new(1, TOKENS);
    Ok((0..n).map(|i| draws.below_at(i as u64, vocab_size as u64) as u32).collect())
}

/// What a token costs.
struct Cost {
    /// Bytes of all matrices that a token is multiplied with.
    weight_bytes: f64,
    /// Their weights, without the head.
    n_layers: f64,
    /// The head's weights.
    n_head: f64,
    /// Values of keys, or of values, that a position leaves in all layers.
    n_cached: f64,
}

impl Cost {
    fn new(gpt2: &Gpt2) -> Self {
        let c = gpt2.config();
        let layer = c.n_embd * (4 * c.n_embd + 2 * c.n_inner);
        let (n_layers, head) = ((c.n_layer * layer) as f64, (c.n_embd * c.vocab_size) as f64);
        let dtype = gpt2.dtype();
        let bytes_per_weight = dtype.block_bytes() as f64 / dtype.block_len() as f64;
        Self { weight_bytes: (n_layers + head) * bytes_per_weight, n_layers, n_head: head, n_cached: (c.n_layer * c.n_embd) as f64 }
    }

    /// Bytes of keys and values of `n` positions, in f32.
    fn cache_bytes(&self, n: usize) -> f64 {
        2.0 * 4.0 * self.n_cached * n as f64
    }

    /// Operations of a token that sees `n_keys` keys, where one of `per_head` tokens meets the head.
    fn operations(&self, n_keys: usize, per_head: usize) -> f64 {
        2.0 * (self.n_layers + self.n_head / per_head as f64) + 4.0 * self.n_cached * n_keys as f64
    }
}

impl Measurement {
    fn of(mut self, model: &ModelInfo) -> Self {
        self.model = Some(model.clone());
        self
    }
}
