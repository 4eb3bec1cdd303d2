//! The processor as a device: every operation over [`simd::Lanes`], so that all vector units give the same bits.

mod attention;
mod attention_backward;
mod elementwise;
mod loss;
mod muon;
mod norm;
mod panels;
mod product;
mod rows;
mod shared;
pub(crate) mod simd;
mod tile;
mod yardstick;

pub use attention::KvLayer;
pub use panels::{Panels, packed_dtype};

use crate::aligned::Arena;
use crate::backend::{AdamW, At, Backend, Dropout, HeadBackward, Heads, Layout, Matrix, Muon, Run, Score, Then};
use crate::{Activation, Aligned, Error, Pool};
use ovid_io::Dtype;
use product::{Finish, product};
use rows::Source;
use shared::{Scratch, Shared};
use simd::Unit;
use std::ops::Range;

/// Rows of logits that exist at a time in scoring: what keeps all threads busy.
const SCORE_ROWS: usize = 96;
/// Rows of logits that exist at a time in training. Each piece reads and writes the head's whole gradient, so pieces are few.
const LOSS_ROWS: usize = 512;

/// The processor, with a number of threads and a vector unit.
pub struct Cpu {
    unit: Unit,
    pool: Pool,
    scratch: Scratch,
    weights: Arena,
}

impl Cpu {
    /// A device of `n_threads` threads on the fastest unit.
    pub fn new(n_threads: usize) -> Self {
        Self { unit: Unit::detect(), pool: Pool::new(n_threads), scratch: Scratch::default(), weights: Arena::default() }
    }

    /// A device on a chosen unit.
    ///
    /// # Errors
    /// If the processor does not have it.
    pub fn with_unit(n_threads: usize, unit: Unit) -> Result<Self, Error> {
        if unit.is_available() { Ok(Self { unit, ..Self::new(n_threads) }) } else { Err(Error::NoUnit(unit)) }
    }

    /// The vector unit.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// A matrix packed into memory that is used again.
    fn packed(&self, matrix: &Matrix<'_>, dtype: Dtype) -> Result<Panels, Error> {
        let mut weight = Panels::room(matrix, dtype, |len| self.scratch.take(len, "packed matrix"))?;
        weight.pack(self.unit, &self.pool, matrix)?;
        Ok(weight)
    }

    fn multiply(&self, x: &[f32], n_rows: usize, w: &Panels, finish: Finish<'_>, out: &mut [f32]) -> Result<(), Error> {
        assert!(x.len() >= n_rows * w.n_in, "the input of a product holds all rows");
        let source = Source { at: x.as_ptr(), row_stride: w.n_in, k_stride: 1, n_k: w.n_in };
        product(self.unit, &self.pool, &self.scratch, source, n_rows, w, finish, out)
    }

    /// `grads` (n_in, n_out) += x^T dy.
    fn outer(
        &self,
        x: &[f32],
        dy: &[f32],
        n_rows: usize,
        dtype: Dtype,
        (n_in, n_out): (usize, usize),
        grads: &mut [f32],
    ) -> Result<(), Error> {
        let data = bytemuck::cast_slice(&dy[..n_rows * n_out]);
        let matrix = Matrix { dtype: Dtype::F32, layout: Layout::InOut, n_in: n_rows, n_out, data };
        let weight = self.packed(&matrix, dtype)?;
        assert!(x.len() >= n_rows * n_in, "the input of a product holds all rows");
        let source = Source { at: x.as_ptr(), row_stride: 1, k_stride: n_in, n_k: n_rows };
        let done = product(self.unit, &self.pool, &self.scratch, source, n_in, &weight, Finish::Continue, grads);
        self.scratch.give_back(weight.memory);
        done
    }
}

impl Backend for Cpu {
    type Buf = Aligned;
    type Weight = Panels;
    type Kv = KvLayer;

    fn device(&self) -> String {
        format!("cpu {}", self.unit)
    }

    fn arithmetic(&self) -> &'static str {
        "exact-1"
    }

    fn zeros(&self, len: usize, what: &'static str) -> Result<Aligned, Error> {
        Aligned::zeros(len, what)
    }

    fn upload(&self, values: &[f32], buf: &mut Aligned, at: usize) {
        buf[at..at + values.len()].copy_from_slice(values);
    }

    fn download(&self, buf: &Aligned, range: Range<usize>) -> Vec<f32> {
        buf[range].to_vec()
    }

    fn copy(&self, from: &Aligned, range: Range<usize>, to: &mut Aligned, to_at: usize) {
        to[to_at..to_at + range.len()].copy_from_slice(&from[range]);
    }

    fn weight(&self, source: &Matrix<'_>, dtype: Dtype) -> Result<Panels, Error> {
        let mut weight = Panels::room(source, dtype, |len| self.weights.zeros(len, "packed weights"))?;
        weight.pack(self.unit, &self.pool, source)?;
        Ok(weight)
    }

    fn pack(
        &self,
        params: &Aligned,
        at: &At,
        (n_in, n_out): (usize, usize),
        layout: Layout,
        dtype: Dtype,
        old: Option<Panels>,
    ) -> Result<Panels, Error> {
        let source = Matrix { dtype: Dtype::F32, layout, n_in, n_out, data: bytemuck::cast_slice(&params[at.0.clone()]) };
        match old {
            Some(mut weight) => {
                weight.pack(self.unit, &self.pool, &source)?;
                Ok(weight)
            }
            None => self.weight(&source, dtype),
        }
    }

    fn kv(&self, heads: &Heads, n_blocks: usize) -> Result<KvLayer, Error> {
        KvLayer::new(heads, n_blocks)
    }

    fn embed(&self, wte: &Panels, wpe: &Aligned, tokens: &[u32], positions: &[u32], out: &mut Aligned) {
        let width = wte.n_in;
        let out = Shared::new(&mut out[..tokens.len() * width]);
        self.pool.ranges(tokens.len(), 8, |rows| {
            for row in rows {
                // SAFETY: ranges of rows are disjoint.
                let out = unsafe { out.slice(row * width, width) };
                wte.row(tokens[row] as usize, out);
                for (y, p) in out.iter_mut().zip(&wpe[positions[row] as usize * width..][..width]) {
                    *y += p;
                }
            }
        });
    }

    fn layer_norm(&self, x: &Aligned, n_rows: usize, gain: &Aligned, bias: Option<&Aligned>, eps: f32, out: &mut Aligned) {
        norm::layer_norm(self.unit, &self.pool, x, n_rows, gain, bias.map(|b| &b[..]), eps, out);
    }

    fn linear(&self, x: &Aligned, n_rows: usize, w: &Panels, bias: Option<&Aligned>, then: Then, out: &mut Aligned) -> Result<(), Error> {
        let bias = bias.map(|b| &b[..]);
        let finish = match then {
            Then::Store => Finish::Store { bias, activation: None },
            Then::Activate(activation) => Finish::Store { bias, activation: Some(activation) },
            Then::AddTo => Finish::AddTo { bias },
        };
        self.multiply(x, n_rows, w, finish, out)
    }

    fn attention(&self, qkv: &Aligned, heads: &Heads, runs: &[Run<'_>], kv: &mut KvLayer, dropout: Option<&Dropout>, out: &mut Aligned) {
        attention::attention(self.unit, &self.pool, qkv, heads, runs, kv, dropout, out);
    }

    fn gather_rows(&self, x: &Aligned, rows: &[usize], width: usize, out: &mut Aligned) {
        for (i, row) in rows.iter().enumerate() {
            out[i * width..][..width].copy_from_slice(&x[row * width..][..width]);
        }
    }

    fn scores(&self, x: &Aligned, n_rows: usize, head: &Panels, targets: &[Option<u32>], top: usize) -> Result<Vec<Score>, Error> {
        let empty = Score { logprob: f32::NAN, rank: 0, entropy: f32::NAN, variance: f32::NAN, top: Vec::new() };
        let mut scores = vec![empty; n_rows];
        let mut logits = self.scratch.take(SCORE_ROWS.min(n_rows) * head.n_out, "logits")?;
        for first in (0..n_rows).step_by(SCORE_ROWS) {
            let rows = SCORE_ROWS.min(n_rows - first);
            self.multiply(&x[first * head.n_in..], rows, head, Finish::Store { bias: None, activation: None }, &mut logits)?;
            let (logits, scores) = (Shared::new(&mut logits), Shared::new(&mut scores[first..first + rows]));
            self.pool.run(rows, |row| {
                // SAFETY: one row a task.
                unsafe {
                    scores.slice(row, 1)[0] = loss::score(self.unit, logits.slice(row * head.n_out, head.n_out), targets[first + row], top);
                };
            });
        }
        self.scratch.give_back(logits);
        Ok(scores)
    }

    fn activate(&self, x: &Aligned, len: usize, activation: Activation, out: &mut Aligned) {
        elementwise::activate(self.unit, &self.pool, &x[..len], activation, &mut out[..len]);
    }

    fn clear(&self, buf: &mut Aligned, len: usize) {
        buf[..len].fill(0.0);
    }

    fn add(&self, from: &Aligned, len: usize, to: &mut Aligned) {
        for (y, x) in to[..len].iter_mut().zip(&from[..len]) {
            *y += x;
        }
    }

    fn dropout(&self, x: &mut Aligned, n_rows: usize, width: usize, how: &Dropout) {
        elementwise::dropout(&self.pool, x, n_rows, width, how);
    }

    fn loss(
        &self,
        x: &mut Aligned,
        n_rows: usize,
        head: &Panels,
        targets: &[u32],
        mut backward: Option<HeadBackward<'_, Self>>,
    ) -> Result<f64, Error> {
        let (width, vocab) = (head.n_in, head.n_out);
        let mut logits = self.scratch.take(LOSS_ROWS.min(n_rows) * vocab, "logits")?;
        let mut losses = vec![0f64; n_rows];
        for first in (0..n_rows).step_by(LOSS_ROWS) {
            let rows = LOSS_ROWS.min(n_rows - first);
            let part = first * width..(first + rows) * width;
            self.multiply(&x[part.clone()], rows, head, Finish::Store { bias: None, activation: None }, &mut logits)?;
            let scale = backward.as_ref().map_or(0.0, |b| b.scale);
            let (shared, kept) = (Shared::new(&mut logits), Shared::new(&mut losses[first..first + rows]));
            self.pool.run(rows, |row| {
                // SAFETY: one row a task.
                unsafe {
                    kept.slice(row, 1)[0] = loss::cross_entropy(self.unit, shared.slice(row * vocab, vocab), targets[first + row], scale);
                };
            });
            if let Some(back) = &mut backward {
                self.outer(&logits, &x[part.clone()], rows, back.dtype, (vocab, width), &mut back.grads[back.at.0.clone()])?;
                self.multiply(&logits, rows, back.transposed, Finish::Store { bias: None, activation: None }, &mut x[part])?;
            }
        }
        self.scratch.give_back(logits);
        Ok(losses.iter().sum())
    }

    fn weight_grad(
        &self,
        x: &Aligned,
        dy: &Aligned,
        n_rows: usize,
        dtype: Dtype,
        shape: (usize, usize),
        grads: &mut Aligned,
        at: &At,
    ) -> Result<(), Error> {
        self.outer(x, dy, n_rows, dtype, shape, &mut grads[at.0.clone()])
    }

    fn bias_grad(&self, dy: &Aligned, n_rows: usize, grads: &mut Aligned, at: &At) {
        norm::column_sums(self.unit, &self.pool, dy, n_rows, &mut grads[at.0.clone()]);
    }

    fn layer_norm_backward(
        &self,
        x: &Aligned,
        n_rows: usize,
        gain: &Aligned,
        eps: f32,
        dy: &Aligned,
        dx: &mut Aligned,
        grads: &mut Aligned,
        gain_at: &At,
        bias_at: Option<&At>,
    ) {
        // The bias follows its gain in the flat buffer, so both are one split away.
        let (d_gain, d_bias) = match bias_at {
            Some(bias) => {
                assert_eq!(gain_at.0.end, bias.0.start, "a layer norm's bias follows its gain");
                let (gain, bias) = grads[gain_at.0.start..bias.0.end].split_at_mut(gain_at.0.len());
                (gain, Some(bias))
            }
            None => (&mut grads[gain_at.0.clone()], None),
        };
        norm::layer_norm_backward(self.unit, &self.pool, norm::Backward { x, n_rows, gain, eps, dy, dx, d_gain, d_bias });
    }

    fn activate_backward(&self, x: &Aligned, len: usize, activation: Activation, dy: &mut Aligned) {
        elementwise::activate_backward(self.unit, &self.pool, &x[..len], activation, &mut dy[..len]);
    }

    fn attention_backward(
        &self,
        qkv: &Aligned,
        heads: &Heads,
        runs: &[Run<'_>],
        dropout: Option<&Dropout>,
        dout: &Aligned,
        dqkv: &mut Aligned,
    ) -> Result<(), Error> {
        attention_backward::attention_backward(self.unit, &self.pool, &self.scratch, qkv, heads, runs, dropout, dout, dqkv)
    }

    fn embed_backward(&self, dx: &Aligned, width: usize, tokens: &[u32], positions: &[u32], grads: &mut Aligned, wte_at: &At, wpe_at: &At) {
        for (row, (token, position)) in dx.chunks_exact(width).zip(tokens.iter().zip(positions)) {
            for start in [wte_at.0.start + *token as usize * width, wpe_at.0.start + *position as usize * width] {
                for (g, d) in grads[start..start + width].iter_mut().zip(row) {
                    *g += d;
                }
            }
        }
    }

    fn adamw(&self, params: &mut Aligned, grads: &Aligned, m: &mut Aligned, v: &mut Aligned, range: Range<usize>, how: &AdamW) {
        let (params, m, v) = (&mut params[range.clone()], &mut m[range.clone()], &mut v[range.clone()]);
        elementwise::adamw(self.unit, &self.pool, params, &grads[range], m, v, how);
    }

    fn muon(
        &self,
        params: &mut Aligned,
        grads: &Aligned,
        m: &mut Aligned,
        at: &At,
        shape: (usize, usize),
        how: &Muon,
    ) -> Result<(), Error> {
        self.muon_update(&mut params[at.0.clone()], &grads[at.0.clone()], &mut m[at.0.clone()], shape, how)
    }

    fn sum_of_squares(&self, values: &Aligned, range: Range<usize>) -> f64 {
        elementwise::sum_of_squares(self.unit, &self.pool, values, range)
    }
}
