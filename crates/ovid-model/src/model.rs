//! A loaded model and its one entry, `forward`.

use crate::gpt2::{Activations, Rows, Weights, forward};
use crate::{Config, Cpu, Error, KvPool, SequenceId, load};
use ovid_io::Observer;
use ovid_kernels::backend::{Backend, Run, Score, Then};
use std::collections::HashSet;
use std::path::Path;

/// A GPT-2, ready to run. It is never changed after loading: threads share it by reference.
///
/// ```no_run
/// use ovid_model::{Cpu, Gpt2, Output, Segment, Want};
/// let model = Gpt2::load("gpt2".as_ref(), Cpu::new(2), &ovid_io::Silent)?;
/// let mut kv = model.kv_pool(1024)?;
/// let sequence = kv.sequence();
/// let output = model.forward(&[Segment { sequence, tokens: &[464, 3290] }], &mut kv, Want::LastLogits)?;
/// assert!(matches!(output, Output::Logits { rows: 1, vocab: 50257, .. }));
/// # Ok::<(), ovid_model::Error>(())
/// ```
pub struct Gpt2<B: Backend = Cpu> {
    pub(crate) config: Config,
    pub(crate) dev: B,
    pub(crate) weights: Weights<B>,
    /// The type of the most weights, for outputs.
    pub(crate) dtype: ovid_io::Dtype,
}

/// Tokens that continue one sequence of the pool: the first is at position `kv.len(sequence)`.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The sequence.
    pub sequence: SequenceId,
    /// Its next tokens.
    pub tokens: &'a [u32],
}

/// What a call is for.
#[derive(Clone, Copy, Debug)]
pub enum Want<'a> {
    /// The cache alone.
    Nothing,
    /// Logits after the last token of each segment.
    LastLogits,
    /// Logits after every token.
    AllLogits,
    /// Scores of one target a row, with the `top` best alternatives; a row with `None` has the entropy and the alternatives alone.
    Scores {
        /// One a row of the batch.
        targets: &'a [Option<u32>],
        /// Alternatives to list.
        top: usize,
    },
}

/// What a call gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The cache was wanted alone.
    Nothing,
    /// Logits, (rows, vocab).
    Logits {
        /// Rows: segments, or all tokens.
        rows: usize,
        /// Values in a row.
        vocab: usize,
        /// Row after row.
        values: Vec<f32>,
    },
    /// Scores, one a row.
    Scores(Vec<Score>),
}

impl Gpt2 {
    /// Loads a checkpoint: a Hugging Face folder, a GGUF file, or an original TensorFlow folder.
    ///
    /// # Errors
    /// If the files cannot be read, are no GPT-2, or there is no memory.
    pub fn load(path: &Path, dev: Cpu, observer: &dyn Observer) -> Result<Self, Error> {
        load::load(path, dev, observer)
    }

    /// Loads a GGUF that is in memory already (the built-in model).
    ///
    /// # Errors
    /// As [`Gpt2::load`].
    pub fn from_gguf(file: &ovid_io::gguf::Gguf, dev: Cpu, observer: &dyn Observer) -> Result<Self, Error> {
        load::from_gguf(file, dev, observer)
    }
}

impl<B: Backend> Gpt2<B> {
    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The device.
    pub fn device(&self) -> &B {
        &self.dev
    }

    /// The type that most weights are stored in.
    pub fn dtype(&self) -> ovid_io::Dtype {
        self.dtype
    }

    /// A cache with room for `n_positions` positions of all sequences together (each takes whole blocks of 16).
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn kv_pool(&self, n_positions: usize) -> Result<KvPool<B>, Error> {
        KvPool::for_config(&self.dev, &self.config, self.config.n_layer, n_positions)
    }

    /// Runs the batch: each segment's tokens are appended to its sequence, and what is wanted comes back. What a segment gets does not depend on the others.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, a sequence is not in the pool or stands in the batch twice, would pass the context, or the cache is full. The cache is then as
    /// it was.
    pub fn forward(&self, batch: &[Segment<'_>], kv: &mut KvPool<B>, want: Want<'_>) -> Result<Output, Error> {
        self.check(batch, kv, want)?;
        let wanted: Vec<_> = batch.iter().map(|s| (s.sequence, s.tokens)).collect();
        let begins: Vec<usize> = batch.iter().map(|s| kv.len(s.sequence)).collect();
        kv.extend(&wanted)?;
        let done = self.run(batch, &begins, kv, want);
        for (segment, begin) in batch.iter().zip(&begins) {
            if done.is_ok() {
                kv.share(segment.sequence);
            } else {
                kv.truncate(segment.sequence, *begin);
            }
        }
        done
    }

    fn run(&self, batch: &[Segment<'_>], begins: &[usize], kv: &mut KvPool<B>, want: Want<'_>) -> Result<Output, Error> {
        let mut tokens = Vec::new();
        let mut positions = Vec::new();
        let mut lasts = Vec::new();
        for (segment, begin) in batch.iter().zip(begins) {
            tokens.extend_from_slice(segment.tokens);
            positions.extend((*begin..begin + segment.tokens.len()).map(|p| p as u32));
            lasts.push(tokens.len().saturating_sub(1));
        }
        let n = tokens.len();
        let mut activations = match kv.activations.take() {
            Some(a) if a.capacity >= n => a,
            _ => Activations::new(&self.dev, &self.config, n.next_power_of_two())?,
        };
        let mut layers = std::mem::take(&mut kv.layers);
        let mut first_row = 0;
        let runs: Vec<Run<'_>> = batch
            .iter()
            .zip(begins)
            .map(|(s, begin)| {
                let run = Run { first_row, n_rows: s.tokens.len(), first_position: *begin, blocks: kv.blocks(s.sequence) };
                first_row += s.tokens.len();
                run
            })
            .collect();
        let rows = Rows { tokens: &tokens, positions: &positions, runs: &runs };
        let done = forward(&self.dev, &self.config, &self.weights, &rows, &mut layers, &mut activations, None)
            .and_then(|()| self.head(n, &lasts, &mut activations, want));
        kv.layers = layers;
        kv.activations = Some(activations);
        done
    }

    fn head(&self, n: usize, lasts: &[usize], a: &mut Activations<B>, want: Want<'_>) -> Result<Output, Error> {
        let head = self.weights.head();
        let vocab = self.config.vocab_size;
        let room = |rows: usize| self.dev.zeros(rows.saturating_mul(vocab), "logits");
        let logits = |x: &B::Buf, rows: usize, values: &mut B::Buf| {
            self.dev.linear(x, rows, head, None, Then::Store, values)?;
            Ok(Output::Logits { rows, vocab, values: self.dev.download(values, 0..rows * vocab) })
        };
        match want {
            Want::Nothing => Ok(Output::Nothing),
            Want::AllLogits => logits(&a.norm, n, &mut room(n)?),
            Want::LastLogits => {
                let rows = lasts.len();
                self.dev.gather_rows(&a.norm, lasts, self.config.n_embd, &mut a.x);
                // Kept for the next token: fresh pages would be dear.
                let (len, mut values) = match a.logits.take() {
                    Some(kept) if kept.0 >= rows * vocab => kept,
                    _ => (rows * vocab, room(rows)?),
                };
                let output = logits(&a.x, rows, &mut values);
                a.logits = Some((len, values));
                output
            }
            Want::Scores { targets, top } => Ok(Output::Scores(self.dev.scores(&a.norm, n, head, targets, top)?)),
        }
    }

    fn check(&self, batch: &[Segment<'_>], kv: &KvPool<B>, want: Want<'_>) -> Result<(), Error> {
        let bad = |cause: String| Err(Error::Batch(cause));
        if !kv.fits(&self.config) {
            return bad("the cache is of another model".to_owned());
        }
        let mut seen = HashSet::new();
        for segment in batch {
            let id = segment.sequence;
            if !kv.is_live(id) || !seen.insert(id) {
                return bad(format!("sequence {} is not in the pool, or stands in the batch twice", id.slot));
            }
            if segment.tokens.is_empty() {
                return bad(format!("sequence {} has no tokens", id.slot));
            }
            if let Some(token) = segment.tokens.iter().find(|t| **t as usize >= self.config.vocab_size) {
                return bad(format!("token {token} is not in the vocabulary of {}", self.config.vocab_size));
            }
            let len = kv.len(id) + segment.tokens.len();
            if len > self.config.n_ctx {
                return bad(format!("sequence {} would have {len} positions, and the context has {}", id.slot, self.config.n_ctx));
            }
        }
        let n: usize = batch.iter().map(|s| s.tokens.len()).sum();
        match want {
            Want::Scores { targets, .. } if targets.len() != n => bad(format!("{} targets for {n} rows", targets.len())),
            Want::Scores { targets, .. } => match targets.iter().flatten().find(|t| **t as usize >= self.config.vocab_size) {
                Some(token) => bad(format!("target {token} is not in the vocabulary of {}", self.config.vocab_size)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
