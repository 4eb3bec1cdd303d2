//! The forward pass of GPT-2 as the paper reads (Radford et al. 2019, section 2.3; Radford et al. 2018).
//!
//! Shapes: N rows (one a token), C = `n_embd`, V = `vocab_size`. The same lines serve every device, every weight type, inference with a cache and training; in training the
//! tape takes what the backward pass needs.

use crate::{Config, Error};
use ovid_kernels::backend::{Backend, Dropout, Heads, Run, Then};
use std::ops::Range;

/// A linear layer: weight (`C_in`, `C_out`) packed for the device, bias (`C_out`).
pub(crate) struct Linear<B: Backend> {
    pub weight: B::Weight,
    pub bias: Option<B::Buf>,
}

/// A layer norm: gain (C), bias (C).
pub(crate) struct Norm<B: Backend> {
    pub gain: B::Buf,
    pub bias: Option<B::Buf>,
}

/// One transformer block.
pub(crate) struct Block<B: Backend> {
    pub ln_1: Norm<B>,
    pub c_attn: Linear<B>,
    pub attn_proj: Linear<B>,
    pub ln_2: Norm<B>,
    pub c_fc: Linear<B>,
    pub mlp_proj: Linear<B>,
}

/// All weights on a device.
pub(crate) struct Weights<B: Backend> {
    /// Token embedding (V, C), which is the head too unless `lm_head` is there.
    pub wte: B::Weight,
    /// Position embedding (`n_ctx`, C).
    pub wpe: B::Buf,
    pub h: Vec<Block<B>>,
    pub ln_f: Norm<B>,
    pub lm_head: Option<B::Weight>,
}

impl<B: Backend> Weights<B> {
    /// The matrix that turns the last hidden state into logits.
    pub fn head(&self) -> &B::Weight {
        self.lm_head.as_ref().unwrap_or(&self.wte)
    }
}

/// The rows of one call.
pub(crate) struct Rows<'a> {
    pub tokens: &'a [u32],
    pub positions: &'a [u32],
    pub runs: &'a [Run<'a>],
}

/// The buffers of one call, for up to `capacity` rows.
pub(crate) struct Activations<B: Backend> {
    pub capacity: usize,
    /// Residual stream (N, C).
    pub x: B::Buf,
    /// Normed stream (N, C); at the end the last hidden state.
    pub norm: B::Buf,
    /// Queries, keys, values (N, 3C).
    pub qkv: B::Buf,
    /// What attention gathers (N, C).
    pub att: B::Buf,
    /// Feed-forward, after its non-linearity (N, `n_inner`).
    pub hidden: B::Buf,
    /// Logits of the segments' last tokens (segments, V), with the number of values, once they were wanted.
    pub logits: Option<(usize, B::Buf)>,
}

impl<B: Backend> Activations<B> {
    pub fn new(dev: &B, config: &Config, capacity: usize) -> Result<Self, Error> {
        let rows = |width: usize, what| dev.zeros(capacity.saturating_mul(width), what);
        let c = config.n_embd;
        Ok(Self {
            capacity,
            x: rows(c, "residual stream")?,
            norm: rows(c, "normed stream")?,
            qkv: rows(3 * c, "queries, keys, values")?,
            att: rows(c, "attention")?,
            hidden: rows(config.n_inner, "feed-forward")?,
            logits: None,
        })
    }
}

/// What one layer leaves for the backward pass.
pub(crate) struct Kept<B: Backend> {
    /// Input of `ln_1` (N, C).
    pub x_1: B::Buf,
    pub qkv: B::Buf,
    pub att: B::Buf,
    /// Input of `ln_2` (N, C).
    pub x_2: B::Buf,
    /// Feed-forward before its non-linearity (N, `n_inner`).
    pub pre: B::Buf,
}

/// Everything that training keeps from the forward pass.
pub(crate) struct Tape<B: Backend> {
    pub layers: Vec<Kept<B>>,
    /// Input of `ln_f` (N, C).
    pub x_f: B::Buf,
    /// Where dropout is keyed; `None` computes without.
    pub dropout: Option<DropoutSites>,
}

/// Dropout of one micro-batch; each site draws its own mask.
#[derive(Clone, Copy)]
pub(crate) struct DropoutSites {
    pub seed: u64,
    pub step: u64,
    pub first_row: u64,
}

/// Sites of one layer: embedding (once), attention's and feed-forward's output, attention's probabilities.
#[derive(Clone, Copy)]
pub(crate) enum Site {
    Embedding,
    Attention(usize),
    FeedForward(usize),
    Probabilities(usize),
}

impl DropoutSites {
    pub fn at(&self, site: Site, p: f32) -> Option<Dropout> {
        let site = match site {
            Site::Embedding => 0,
            Site::Attention(l) => 3 * l as u64 + 1,
            Site::FeedForward(l) => 3 * l as u64 + 2,
            Site::Probabilities(l) => 3 * l as u64 + 3,
        };
        (p > 0.0).then_some(Dropout { p, seed: self.seed, place: self.step << 16 | site, first_row: self.first_row })
    }
}

/// From tokens to the last hidden state, which is left in `a.norm`.
pub(crate) fn forward<B: Backend>(
    dev: &B,
    config: &Config,
    w: &Weights<B>,
    rows: &Rows<'_>,
    kv: &mut [B::Kv],
    a: &mut Activations<B>,
    mut tape: Option<&mut Tape<B>>,
) -> Result<(), Error> {
    let n = rows.tokens.len();
    let (c, eps) = (config.n_embd, config.layer_norm_epsilon);
    let all: Range<usize> = 0..n * c;
    let sites = tape.as_ref().and_then(|t| t.dropout);
    let drop = |site, p, x: &mut B::Buf| {
        if let Some(how) = sites.and_then(|s| s.at(site, p)) {
            dev.dropout(x, n, c, &how);
        }
    };

    dev.embed(&w.wte, &w.wpe, rows.tokens, rows.positions, &mut a.x);
    drop(Site::Embedding, config.embd_pdrop, &mut a.x);
    for (l, block) in w.h.iter().enumerate() {
        let heads = Heads { n_head: config.n_head, head_size: config.head_size(), scale: config.attention_scale(l) };
        let layer_kv = l % kv.len();

        // x += attention(layer_norm(x))
        dev.layer_norm(&a.x, n, &block.ln_1.gain, block.ln_1.bias.as_ref(), eps, &mut a.norm);
        dev.linear(&a.norm, n, &block.c_attn.weight, block.c_attn.bias.as_ref(), Then::Store, &mut a.qkv)?;
        let probabilities = sites.and_then(|s| s.at(Site::Probabilities(l), config.attn_pdrop));
        dev.attention(&a.qkv, &heads, rows.runs, &mut kv[layer_kv], probabilities.as_ref(), &mut a.att);
        if let Some(tape) = tape.as_deref_mut() {
            let kept = &mut tape.layers[l];
            dev.copy(&a.x, all.clone(), &mut kept.x_1, 0);
            dev.linear(&a.att, n, &block.attn_proj.weight, block.attn_proj.bias.as_ref(), Then::Store, &mut a.norm)?;
            drop(Site::Attention(l), config.resid_pdrop, &mut a.norm);
            dev.add(&a.norm, n * c, &mut a.x);
            std::mem::swap(&mut a.qkv, &mut kept.qkv);
            std::mem::swap(&mut a.att, &mut kept.att);
        } else {
            dev.linear(&a.att, n, &block.attn_proj.weight, block.attn_proj.bias.as_ref(), Then::AddTo, &mut a.x)?;
        }

        // x += feed_forward(layer_norm(x))
        dev.layer_norm(&a.x, n, &block.ln_2.gain, block.ln_2.bias.as_ref(), eps, &mut a.norm);
        if let Some(tape) = tape.as_deref_mut() {
            let kept = &mut tape.layers[l];
            dev.copy(&a.x, all.clone(), &mut kept.x_2, 0);
            dev.linear(&a.norm, n, &block.c_fc.weight, block.c_fc.bias.as_ref(), Then::Store, &mut kept.pre)?;
            dev.activate(&kept.pre, n * config.n_inner, config.activation, &mut a.hidden);
            dev.linear(&a.hidden, n, &block.mlp_proj.weight, block.mlp_proj.bias.as_ref(), Then::Store, &mut a.norm)?;
            drop(Site::FeedForward(l), config.resid_pdrop, &mut a.norm);
            dev.add(&a.norm, n * c, &mut a.x);
        } else {
            dev.linear(&a.norm, n, &block.c_fc.weight, block.c_fc.bias.as_ref(), Then::Activate(config.activation), &mut a.hidden)?;
            dev.linear(&a.hidden, n, &block.mlp_proj.weight, block.mlp_proj.bias.as_ref(), Then::AddTo, &mut a.x)?;
        }
    }
    if let Some(tape) = tape {
        dev.copy(&a.x, all, &mut tape.x_f, 0);
    }
    dev.layer_norm(&a.x, n, &w.ln_f.gain, w.ln_f.bias.as_ref(), eps, &mut a.norm);
    Ok(())
}
