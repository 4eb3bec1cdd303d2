//! What a device must be able to do for GPT-2: one trait, at the granularity that is worth fusing.
//!
//! The model code (ovid-model's `gpt2.rs`) calls nothing else, so a new device is one implementation of this trait. Shapes in comments: N rows (tokens of the call),
//! C = n_embd, H heads of size D, V vocabulary. Buffers are row-major. No method reads back to the host but `download`, `loss` and `scores`.
//! A method that gives a `Result` fails where the device has no memory, and `weight` where the bytes do not fit the shape.

use crate::{Activation, Error};
use ovid_io::Dtype;
use std::ops::Range;

/// How the values of a matrix follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Element (input, output) at `input * n_out + output`: Hugging Face's `Conv1D`.
    InOut,
    /// Element (input, output) at `output * n_in + input`: embeddings, GGUF, `nn.Linear`.
    OutIn,
}

/// A stored matrix.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Type of the values.
    pub dtype: Dtype,
    /// Their order.
    pub layout: Layout,
    /// Inputs: the length of the sum.
    pub n_in: usize,
    /// Outputs.
    pub n_out: usize,
    /// The bytes, little-endian, not necessarily aligned.
    pub data: &'a [u8],
}

/// Consecutive rows of a call that continue one sequence.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// First row of the call.
    pub first_row: usize,
    /// Rows.
    pub n_rows: usize,
    /// Position of the first row in its sequence.
    pub first_position: usize,
    /// The sequence's blocks of the cache, 16 positions each, up to the last row's.
    pub blocks: &'a [u32],
}

/// Positions in one block of the cache.
pub const KV_BLOCK: usize = 16;

/// The shape of attention in one layer.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Heads.
    pub n_head: usize,
    /// Size of one.
    pub head_size: usize,
    /// What the scores are multiplied with: 1 / sqrt(head size), as the configuration changes it.
    pub scale: f32,
}

/// What follows a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// `out = x W + b`.
    Store,
    /// `out = activation(x W + b)`.
    Activate(Activation),
    /// `out = out + (x W + b)`: the residual stream.
    AddTo,
}

/// Dropout (Srivastava et al. 2014) as a pure function of its place: the mask of one layer's element is drawn at (seed, step), (layer, row, column).
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// Probability to drop.
    pub p: f32,
    /// The run's seed.
    pub seed: u64,
    /// Optimiser step and micro-batch, and the site (layer and which dropout in it).
    pub place: u64,
    /// Index of the first row's sequence among all of the step: the mask does not depend on how sequences are spread.
    pub first_row: u64,
}

/// The place in a flat buffer of gradients.
#[derive(Clone, Debug)]
pub struct At(pub Range<usize>);

/// One scored token.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Natural logarithm of the target's probability.
    pub logprob: f32,
    /// 1 for the most probable token; of equal ones the lower id is first.
    pub rank: u32,
    /// Entropy of the distribution, in nats.
    pub entropy: f32,
    /// Variance of the log-probability of a token drawn from the distribution, in nats squared.
    pub variance: f32,
    /// The most probable tokens with their log-probabilities, in the order of ranks.
    pub top: Vec<(u32, f32)>,
}

/// Hyper-parameters of one AdamW update (Loshchilov and Hutter 2019), the bias corrections already in numbers.
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Learning rate of this step.
    pub lr: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// 1 - beta1^t.
    pub correction1: f32,
    /// 1 - beta2^t.
    pub correction2: f32,
    /// The gradient is multiplied with this first (clipping and averaging).
    pub grad_scale: f32,
}

/// Hyper-parameters of one Muon update (Jordan et al. 2024).
#[derive(Clone, Copy, Debug)]
pub struct Muon {
    /// Learning rate of this step.
    pub lr: f32,
    /// Decay of the momentum.
    pub momentum: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// The gradient is multiplied with this first (clipping and averaging).
    pub grad_scale: f32,
    /// Type of the products of the iteration.
    pub dtype: Dtype,
}

/// A device.
pub trait Backend: Send + Sync {
    /// f32 values on the device.
    type Buf: Send + Sync;
    /// A packed matrix on the device.
    type Weight: Send + Sync;
    /// Keys and values of one layer, in blocks of [`KV_BLOCK`] positions.
    type Kv: Send + Sync;

    /// The device in words, for outputs: `cpu avx512`.
    fn device(&self) -> String;
    /// The name of the arithmetic, for outputs: `exact-1`.
    fn arithmetic(&self) -> &'static str;

    /// A buffer of `len` zeros; `what` names it in errors.
    fn zeros(&self, len: usize, what: &'static str) -> Result<Self::Buf, Error>;
    /// Copies `values` to the buffer from `at` on.
    fn upload(&self, values: &[f32], buf: &mut Self::Buf, at: usize);
    /// Copies a range of the buffer to the host.
    fn download(&self, buf: &Self::Buf, range: Range<usize>) -> Vec<f32>;
    /// `to[to_at..] = from[range]`.
    fn copy(&self, from: &Self::Buf, range: Range<usize>, to: &mut Self::Buf, to_at: usize);
    /// Packs a matrix. Plain types may be packed as another plain type; block types stay what they are.
    fn weight(&self, source: &Matrix<'_>, dtype: Dtype) -> Result<Self::Weight, Error>;
    /// Packs a matrix (n_in, n_out) that lies in a flat buffer as another plain type; `old`, of the same shape and type, gives its memory.
    fn pack(
        &self,
        params: &Self::Buf,
        at: &At,
        shape: (usize, usize),
        layout: Layout,
        dtype: Dtype,
        old: Option<Self::Weight>,
    ) -> Result<Self::Weight, Error>;
    /// Room for `n_blocks` blocks of keys and values.
    fn kv(&self, heads: &Heads, n_blocks: usize) -> Result<Self::Kv, Error>;

    /// `out` (N, C) = `wte[token] + wpe[position]`; `wpe` is (context, C).
    fn embed(&self, wte: &Self::Weight, wpe: &Self::Buf, tokens: &[u32], positions: &[u32], out: &mut Self::Buf);
    /// `out` (N, C) = layer norm of `x` (Ba et al. 2016), times `gain`, plus `bias`.
    fn layer_norm(&self, x: &Self::Buf, n_rows: usize, gain: &Self::Buf, bias: Option<&Self::Buf>, eps: f32, out: &mut Self::Buf);
    /// A linear layer on N rows.
    fn linear(
        &self,
        x: &Self::Buf,
        n_rows: usize,
        w: &Self::Weight,
        bias: Option<&Self::Buf>,
        then: Then,
        out: &mut Self::Buf,
    ) -> Result<(), Error>;
    /// Causal attention: appends the keys and values of `qkv` (N, 3C) to the cache, then `out` (N, C) = softmax(scale q k) v over all positions up to each row's.
    /// `dropout` drops probabilities (training): element (row, head * context + key) of its site.
    fn attention(
        &self,
        qkv: &Self::Buf,
        heads: &Heads,
        runs: &[Run<'_>],
        kv: &mut Self::Kv,
        dropout: Option<&Dropout>,
        out: &mut Self::Buf,
    );
    /// Copies chosen rows of (N, C) together.
    fn gather_rows(&self, x: &Self::Buf, rows: &[usize], width: usize, out: &mut Self::Buf);
    /// Log-probability, rank, entropy and best alternatives of a target for each row of `x` (N, C) under the head; logits exist a few rows at a time only.
    fn scores(&self, x: &Self::Buf, n_rows: usize, head: &Self::Weight, targets: &[Option<u32>], top: usize) -> Result<Vec<Score>, Error>;

    /// `values` = activation(values), the first `len`, from `x`.
    fn activate(&self, x: &Self::Buf, len: usize, activation: Activation, out: &mut Self::Buf);
    /// The first `len` values become 0.
    fn clear(&self, buf: &mut Self::Buf, len: usize);
    /// `to` += `from`, the first `len` values.
    fn add(&self, from: &Self::Buf, len: usize, to: &mut Self::Buf);
    /// Drops values in place, or gradients in the same places.
    fn dropout(&self, x: &mut Self::Buf, n_rows: usize, width: usize, how: &Dropout);

    /// Cross-entropy of N rows in nats, added up over the rows whose target is below V; with `grads`, `x` becomes d loss / d x times `scale` and the head's gradient is
    /// added at its place. `head_back` is the head packed the other way round.
    fn loss(
        &self,
        x: &mut Self::Buf,
        n_rows: usize,
        head: &Self::Weight,
        targets: &[u32],
        backward: Option<HeadBackward<'_, Self>>,
    ) -> Result<f64, Error>
    where
        Self: Sized;
    /// `grads[at]` (n_in, n_out) += x^T dy.
    fn weight_grad(
        &self,
        x: &Self::Buf,
        dy: &Self::Buf,
        n_rows: usize,
        dtype: Dtype,
        shape: (usize, usize),
        grads: &mut Self::Buf,
        at: &At,
    ) -> Result<(), Error>;
    /// `grads[at]` (width) += the sum of the rows of dy.
    fn bias_grad(&self, dy: &Self::Buf, n_rows: usize, grads: &mut Self::Buf, at: &At);
    /// `dx` += the gradient through layer norm at input `x`; gain's and bias's gradients are added at their places.
    fn layer_norm_backward(
        &self,
        x: &Self::Buf,
        n_rows: usize,
        gain: &Self::Buf,
        eps: f32,
        dy: &Self::Buf,
        dx: &mut Self::Buf,
        grads: &mut Self::Buf,
        gain_at: &At,
        bias_at: Option<&At>,
    );
    /// `dy` *= activation'(x).
    fn activate_backward(&self, x: &Self::Buf, len: usize, activation: Activation, dy: &mut Self::Buf);
    /// `dqkv` (N, 3C) from `dout` (N, C), for runs that begin at position 0.
    fn attention_backward(
        &self,
        qkv: &Self::Buf,
        heads: &Heads,
        runs: &[Run<'_>],
        dropout: Option<&Dropout>,
        dout: &Self::Buf,
        dqkv: &mut Self::Buf,
    ) -> Result<(), Error>;
    /// Adds the rows of `dx` (N, C) to the gradients of their tokens' and positions' embeddings.
    fn embed_backward(
        &self,
        dx: &Self::Buf,
        width: usize,
        tokens: &[u32],
        positions: &[u32],
        grads: &mut Self::Buf,
        wte_at: &At,
        wpe_at: &At,
    );
    /// One AdamW update of a range of the flat buffers.
    fn adamw(&self, params: &mut Self::Buf, grads: &Self::Buf, m: &mut Self::Buf, v: &mut Self::Buf, range: Range<usize>, how: &AdamW);
    /// One Muon update of a matrix (n_in, n_out) of the flat buffers; `m` holds its momentum.
    fn muon(
        &self,
        params: &mut Self::Buf,
        grads: &Self::Buf,
        m: &mut Self::Buf,
        at: &At,
        shape: (usize, usize),
        how: &Muon,
    ) -> Result<(), Error>;
    /// The sum of squares of a range, in f64 and in a fixed order.
    fn sum_of_squares(&self, values: &Self::Buf, range: Range<usize>) -> f64;
}

/// What the head's backward pass writes.
pub struct HeadBackward<'a, B: Backend> {
    /// The head packed for d x: inputs V, outputs C.
    pub transposed: &'a B::Weight,
    /// Type of the products.
    pub dtype: Dtype,
    /// Flat gradients.
    pub grads: &'a mut B::Buf,
    /// Place of the head's gradient (V, C).
    pub at: At,
    /// Factor of the loss (1 / tokens of the step).
    pub scale: f32,
}
