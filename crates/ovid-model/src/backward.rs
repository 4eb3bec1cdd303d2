//! The gradient of `gpt2::forward`, line for line in reverse. Written out by hand; sums over tokens run in rising (sequence, position).
//!
//! Weight matrices are met transposed here: `Transposed` holds each packed the other way round, so that every product is the same kernel.

use crate::gpt2::{Activations, DropoutSites, Rows, Site, Tape, Weights};
use crate::layout::{Layout, LinearAt, NormAt};
use crate::{Config, Error};
use ovid_io::Dtype;
use ovid_kernels::backend::{At, Backend, HeadBackward, Heads, Then};

/// The matrices of one layer, packed for the way back: inputs and outputs exchanged.
pub(crate) struct TransposedBlock<B: Backend> {
    pub c_attn: B::Weight,
    pub attn_proj: B::Weight,
    pub c_fc: B::Weight,
    pub mlp_proj: B::Weight,
}

/// All matrices, packed for the way back.
pub(crate) struct Transposed<B: Backend> {
    pub head: B::Weight,
    pub h: Vec<TransposedBlock<B>>,
}

/// Buffers of the backward pass.
pub(crate) struct Gradients<B: Backend> {
    /// d loss / d residual stream (N, C).
    pub dx: B::Buf,
    /// (N, C).
    pub dy: B::Buf,
    /// (N, 3C).
    pub dqkv: B::Buf,
    /// (N, `n_inner`).
    pub dhidden: B::Buf,
}

impl<B: Backend> Gradients<B> {
    pub fn new(dev: &B, config: &Config, capacity: usize) -> Result<Self, Error> {
        let rows = |width: usize, what| dev.zeros(capacity.saturating_mul(width), what);
        let c = config.n_embd;
        Ok(Self {
            dx: rows(c, "gradient of the stream")?,
            dy: rows(c, "gradient of a branch")?,
            dqkv: rows(3 * c, "gradient of queries, keys, values")?,
            dhidden: rows(config.n_inner, "gradient of feed-forward")?,
        })
    }
}

/// What a backward pass is about.
pub(crate) struct Pass<'a, B: Backend> {
    pub dev: &'a B,
    pub config: &'a Config,
    pub layout: &'a Layout,
    pub weights: &'a Weights<B>,
    pub transposed: &'a Transposed<B>,
    /// Type of the products of weight gradients.
    pub dtype: Dtype,
    pub rows: &'a Rows<'a>,
}

impl<B: Backend> Pass<'_, B> {
    /// The loss of the last hidden state in `a.norm`, added up in nats, and the gradient of `scale` times it, added to `grads`.
    pub fn run(
        &self,
        targets: &[u32],
        scale: f32,
        a: &mut Activations<B>,
        tape: &mut Tape<B>,
        g: &mut Gradients<B>,
        grads: &mut B::Buf,
    ) -> Result<f64, Error> {
        let Self { dev, config, layout, weights, transposed, .. } = *self;
        let n = self.rows.tokens.len();
        let (c, eps) = (config.n_embd, config.layer_norm_epsilon);
        let sites = tape.dropout;

        let head_at = At(layout.lm_head.clone().unwrap_or_else(|| layout.wte.clone()));
        let head = HeadBackward { transposed: &transposed.head, dtype: self.dtype, grads, at: head_at, scale };
        let loss = dev.loss(&mut a.norm, n, weights.head(), targets, Some(head))?;
        dev.clear(&mut g.dx, n * c);
        self.norm(&tape.x_f, &weights.ln_f.gain, &layout.ln_f, &a.norm, &mut g.dx, grads);

        for l in (0..config.n_layer).rev() {
            let (block, back, at, kept) = (&weights.h[l], &transposed.h[l], &layout.layers[l], &mut tape.layers[l]);

            // x += feed_forward(layer_norm(x))
            dev.copy(&g.dx, 0..n * c, &mut g.dy, 0);
            self.drop(sites, Site::FeedForward(l), config.resid_pdrop, &mut g.dy);
            dev.activate(&kept.pre, n * config.n_inner, config.activation, &mut a.hidden);
            self.linear(&a.hidden, &g.dy, &at.mlp_proj, grads)?;
            dev.linear(&g.dy, n, &back.mlp_proj, None, Then::Store, &mut g.dhidden)?;
            dev.activate_backward(&kept.pre, n * config.n_inner, config.activation, &mut g.dhidden);
            dev.layer_norm(&kept.x_2, n, &block.ln_2.gain, block.ln_2.bias.as_ref(), eps, &mut a.norm);
            self.linear(&a.norm, &g.dhidden, &at.c_fc, grads)?;
            dev.linear(&g.dhidden, n, &back.c_fc, None, Then::Store, &mut g.dy)?;
            self.norm(&kept.x_2, &block.ln_2.gain, &at.ln_2, &g.dy, &mut g.dx, grads);

            // x += attention(layer_norm(x))
            dev.copy(&g.dx, 0..n * c, &mut g.dy, 0);
            self.drop(sites, Site::Attention(l), config.resid_pdrop, &mut g.dy);
            self.linear(&kept.att, &g.dy, &at.attn_proj, grads)?;
            dev.linear(&g.dy, n, &back.attn_proj, None, Then::Store, &mut a.att)?;
            let heads = Heads { n_head: config.n_head, head_size: config.head_size(), scale: config.attention_scale(l) };
            let probabilities = sites.and_then(|s| s.at(Site::Probabilities(l), config.attn_pdrop));
            dev.attention_backward(&kept.qkv, &heads, self.rows.runs, probabilities.as_ref(), &a.att, &mut g.dqkv)?;
            dev.layer_norm(&kept.x_1, n, &block.ln_1.gain, block.ln_1.bias.as_ref(), eps, &mut a.norm);
            self.linear(&a.norm, &g.dqkv, &at.c_attn, grads)?;
            dev.linear(&g.dqkv, n, &back.c_attn, None, Then::Store, &mut g.dy)?;
            self.norm(&kept.x_1, &block.ln_1.gain, &at.ln_1, &g.dy, &mut g.dx, grads);
        }
        self.drop(sites, Site::Embedding, config.embd_pdrop, &mut g.dx);
        dev.embed_backward(&g.dx, c, self.rows.tokens, self.rows.positions, grads, &At(layout.wte.clone()), &At(layout.wpe.clone()));
        Ok(loss)
    }

    /// Weight's and bias's gradients of a linear layer with input `x` and output gradient `dy`.
    fn linear(&self, x: &B::Buf, dy: &B::Buf, at: &LinearAt, grads: &mut B::Buf) -> Result<(), Error> {
        let n = self.rows.tokens.len();
        self.dev.weight_grad(x, dy, n, self.dtype, at.shape, grads, &At(at.weight.clone()))?;
        if let Some(bias) = &at.bias {
            self.dev.bias_grad(dy, n, grads, &At(bias.clone()));
        }
        Ok(())
    }

    fn norm(&self, x: &B::Buf, gain: &B::Buf, at: &NormAt, dy: &B::Buf, dx: &mut B::Buf, grads: &mut B::Buf) {
        let bias = at.bias.clone().map(At);
        let (n, eps) = (self.rows.tokens.len(), self.config.layer_norm_epsilon);
        self.dev.layer_norm_backward(x, n, gain, eps, dy, dx, grads, &At(at.gain.clone()), bias.as_ref());
    }

    fn drop(&self, sites: Option<DropoutSites>, site: Site, p: f32, dy: &mut B::Buf) {
        if let Some(how) = sites.and_then(|s| s.at(site, p)) {
            self.dev.dropout(dy, self.rows.tokens.len(), self.config.n_embd, &how);
        }
    }
}
