//! Loss and gradients over flat buffers of parameters.

use crate::backward::{Gradients, Pass, Transposed, TransposedBlock};
use crate::gpt2::{Activations, Block, DropoutSites, Kept, Linear, Norm, Rows, Tape, Weights, forward};
use crate::layout::{LinearAt, NormAt};
use crate::{Config, Cpu, Error, Layout};
use ovid_io::Dtype;
use ovid_kernels::backend::{At, Backend, Heads, KV_BLOCK, Layout as Order, Run};
use ovid_stats::Draws;
use std::ops::Range;

/// The purpose of the draws of initial weights.
const INITIAL_WEIGHTS: u64 = 0x1417;

/// Where dropout of one micro-batch is keyed, so that its masks can be made again: on another machine, or among other ranks.
#[derive(Clone, Copy, Debug)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// The optimiser's step.
    pub step: u64,
    /// Number of the micro-batch's first sequence among all sequences of the step.
    pub first_sequence: u64,
}

/// A model in training: it turns (parameters, tokens, targets) into a loss and gradients, and keeps nothing else between calls but packed copies.
pub struct TrainModel<B: Backend = Cpu> {
    config: Config,
    layout: Layout,
    dev: B,
    dtype: Dtype,
    packed: Option<(Weights<B>, Transposed<B>)>,
    /// Keys and values of one layer, used by all in turn: the tape keeps the rows that they are made of.
    kv: Vec<B::Kv>,
    kv_blocks: usize,
    buffers: Option<Buffers<B>>,
}

struct Buffers<B: Backend> {
    capacity: usize,
    activations: Activations<B>,
    tape: Tape<B>,
    gradients: Gradients<B>,
}

impl<B: Backend> TrainModel<B> {
    /// A model of a configuration on a device. `dtype` is the type of the matrix products: F32, or BF16 with f32 sums.
    ///
    /// # Errors
    /// If the configuration is no model.
    pub fn new(config: Config, dev: B, dtype: Dtype) -> Result<Self, Error> {
        config.check("configuration".as_ref())?;
        let layout = Layout::new(&config);
        Ok(Self { config, layout, dev, dtype, packed: None, kv: Vec::new(), kv_blocks: 0, buffers: None })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where each parameter lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The device.
    pub fn device(&self) -> &B {
        &self.dev
    }

    /// Initial parameters as GPT-2's: normal with `initializer_range`, projections into the residual stream divided by sqrt(2 `n_layer`), gains 1, biases 0.
    /// Parameter i of the buffer depends on the seed and i alone.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn init(&self, seed: u64) -> Result<B::Buf, Error> {
        let draws = Draws::new(seed, INITIAL_WEIGHTS);
        let mut params = self.dev.zeros(self.layout.n_params(), "parameters")?;
        for p in self.layout.parameters() {
            let residual = if p.name.ends_with("c_proj.weight") { (2.0 * self.config.n_layer as f64).sqrt() } else { 1.0 };
            let deviation = f64::from(self.config.initializer_range) / residual;
            let values: Vec<f32> = if p.decay {
                p.range.clone().map(|i| (draws.normal_at(i as u64) * deviation) as f32).collect()
            } else {
                vec![if p.name.ends_with(".weight") { 1.0 } else { 0.0 }; p.range.len()]
            };
            self.dev.upload(&values, &mut params, p.range.start);
        }
        Ok(params)
    }

    /// Takes new parameters: packs every matrix for the way there and the way back. Call it after each update.
    ///
    /// # Errors
    /// If there is no memory.
    pub fn set_params(&mut self, params: &B::Buf) -> Result<(), Error> {
        let old = self.packed.take();
        self.packed = Some(self.pack(params, old)?);
        Ok(())
    }

    fn pack(&self, params: &B::Buf, old: Option<(Weights<B>, Transposed<B>)>) -> Result<(Weights<B>, Transposed<B>), Error> {
        let dev = &self.dev;
        let matrix = |at: &Range<usize>, shape, order, old| dev.pack(params, &At(at.clone()), shape, order, self.dtype, old);
        let vector = |at: &Range<usize>| {
            let mut buf = dev.zeros(at.len(), "vector")?;
            dev.copy(params, at.clone(), &mut buf, 0);
            Ok::<_, Error>(buf)
        };
        let norm = |at: &NormAt| Ok::<_, Error>(Norm { gain: vector(&at.gain)?, bias: at.bias.as_ref().map(vector).transpose()? });
        let linear = |at: &LinearAt, old: Option<Linear<B>>| {
            let weight = matrix(&at.weight, at.shape, Order::InOut, old.map(|l| l.weight))?;
            Ok::<_, Error>(Linear { weight, bias: at.bias.as_ref().map(vector).transpose()? })
        };
        let turned = |at: &LinearAt, old| matrix(&at.weight, (at.shape.1, at.shape.0), Order::OutIn, old);

        let (old_w, old_t) = old.unzip();
        let (mut old_wte, mut old_head, mut old_h) = (None, None, Vec::new());
        if let Some(w) = old_w {
            (old_wte, old_head, old_h) = (Some(w.wte), w.lm_head, w.h);
        }
        let mut old_h = old_h.into_iter();
        let (mut old_back, mut old_t_h) = (None, Vec::new());
        if let Some(t) = old_t {
            (old_back, old_t_h) = (Some(t.head), t.h);
        }
        let mut old_t_h = old_t_h.into_iter();

        let (v, c) = (self.config.vocab_size, self.config.n_embd);
        let mut h = Vec::new();
        let mut back = Vec::new();
        for at in &self.layout.layers {
            let [c_attn, attn_proj, c_fc, mlp_proj] =
                old_h.next().map_or([None, None, None, None], |b| [Some(b.c_attn), Some(b.attn_proj), Some(b.c_fc), Some(b.mlp_proj)]);
            h.push(Block {
                ln_1: norm(&at.ln_1)?,
                c_attn: linear(&at.c_attn, c_attn)?,
                attn_proj: linear(&at.attn_proj, attn_proj)?,
                ln_2: norm(&at.ln_2)?,
                c_fc: linear(&at.c_fc, c_fc)?,
                mlp_proj: linear(&at.mlp_proj, mlp_proj)?,
            });
            let [c_attn, attn_proj, c_fc, mlp_proj] =
                old_t_h.next().map_or([None, None, None, None], |b| [Some(b.c_attn), Some(b.attn_proj), Some(b.c_fc), Some(b.mlp_proj)]);
            back.push(TransposedBlock {
                c_attn: turned(&at.c_attn, c_attn)?,
                attn_proj: turned(&at.attn_proj, attn_proj)?,
                c_fc: turned(&at.c_fc, c_fc)?,
                mlp_proj: turned(&at.mlp_proj, mlp_proj)?,
            });
        }
        let head_at = self.layout.lm_head.as_ref().unwrap_or(&self.layout.wte);
        let weights = Weights {
            wte: matrix(&self.layout.wte, (c, v), Order::OutIn, old_wte)?,
            wpe: vector(&self.layout.wpe)?,
            h,
            ln_f: norm(&self.layout.ln_f)?,
            lm_head: self.layout.lm_head.as_ref().map(|at| matrix(at, (c, v), Order::OutIn, old_head)).transpose()?,
        };
        let transposed = Transposed { head: matrix(head_at, (v, c), Order::InOut, old_back)?, h: back };
        Ok((weights, transposed))
    }

    /// The loss of `batch` sequences of `tokens.len() / batch` tokens, added up in nats over the targets below the vocabulary; `scale` times its gradient is added to
    /// `grads`. Parameters are those of the last [`TrainModel::set_params`].
    ///
    /// # Errors
    /// If tokens or shape do not fit the model, or there is no memory.
    pub fn step(
        &mut self,
        tokens: &[u32],
        targets: &[u32],
        batch: usize,
        dropout: Option<DropoutKey>,
        scale: f32,
        grads: &mut B::Buf,
    ) -> Result<f64, Error> {
        self.run(tokens, targets, batch, dropout, Some((scale, grads)))
    }

    /// The loss alone, without dropout.
    ///
    /// # Errors
    /// As [`TrainModel::step`].
    pub fn loss(&mut self, tokens: &[u32], targets: &[u32], batch: usize) -> Result<f64, Error> {
        self.run(tokens, targets, batch, None, None)
    }

    fn run(
        &mut self,
        tokens: &[u32],
        targets: &[u32],
        batch: usize,
        dropout: Option<DropoutKey>,
        back: Option<(f32, &mut B::Buf)>,
    ) -> Result<f64, Error> {
        let bad = |cause: String| Err(Error::Batch(cause));
        let n = tokens.len();
        let Some(t) = n.checked_div(batch).filter(|t| *t > 0 && t * batch == n && targets.len() == n) else {
            return bad(format!("{n} tokens and {} targets are no {batch} equal sequences", targets.len()));
        };
        if t > self.config.n_ctx {
            return bad(format!("sequences of {t} tokens, and the context has {}", self.config.n_ctx));
        }
        if let Some(token) = tokens.iter().find(|t| **t as usize >= self.config.vocab_size) {
            return bad(format!("token {token} is not in the vocabulary of {}", self.config.vocab_size));
        }
        let mut buffers = match self.buffers.take() {
            Some(b) if b.capacity >= n => b,
            _ => self.make_buffers(n)?,
        };
        let n_blocks = batch * t.div_ceil(KV_BLOCK);
        if n_blocks > self.kv_blocks {
            let heads = Heads { n_head: self.config.n_head, head_size: self.config.head_size(), scale: 1.0 };
            self.kv = vec![self.dev.kv(&heads, n_blocks)?];
            self.kv_blocks = n_blocks;
        }
        let blocks: Vec<u32> = (0..n_blocks as u32).collect();
        let runs: Vec<Run<'_>> = blocks
            .chunks(t.div_ceil(KV_BLOCK))
            .enumerate()
            .map(|(i, blocks)| Run { first_row: i * t, n_rows: t, first_position: 0, blocks })
            .collect();
        let positions: Vec<u32> = (0..n).map(|i| (i % t) as u32).collect();
        let rows = Rows { tokens, positions: &positions, runs: &runs };
        let Some((weights, transposed)) = &self.packed else {
            return bad("no parameters were set".to_owned());
        };
        // Rows are numbered through all sequences of the step, which are equally long: the masks are then the same however sequences are spread over calls.
        buffers.tape.dropout = dropout.map(|key| DropoutSites { seed: key.seed, step: key.step, first_row: key.first_sequence * t as u64 });
        let a = &mut buffers.activations;
        let loss = match back {
            None => {
                forward(&self.dev, &self.config, weights, &rows, &mut self.kv, a, None)?;
                self.dev.loss(&mut a.norm, n, weights.head(), targets, None)?
            }
            Some((scale, grads)) => {
                forward(&self.dev, &self.config, weights, &rows, &mut self.kv, a, Some(&mut buffers.tape))?;
                let (config, layout, dev, dtype) = (&self.config, &self.layout, &self.dev, self.dtype);
                let pass = Pass { dev, config, layout, weights, transposed, dtype, rows: &rows };
                pass.run(targets, scale, a, &mut buffers.tape, &mut buffers.gradients, grads)?
            }
        };
        self.buffers = Some(buffers);
        Ok(loss)
    }

    fn make_buffers(&self, n: usize) -> Result<Buffers<B>, Error> {
        let (dev, config) = (&self.dev, &self.config);
        let rows = |width: usize, what| dev.zeros(n.saturating_mul(width), what);
        let c = config.n_embd;
        let kept = || {
            Ok::<_, Error>(Kept {
                x_1: rows(c, "kept stream")?,
                qkv: rows(3 * c, "kept queries, keys, values")?,
                att: rows(c, "kept attention")?,
                x_2: rows(c, "kept stream")?,
                pre: rows(config.n_inner, "kept feed-forward")?,
            })
        };
        let layers = (0..config.n_layer).map(|_| kept()).collect::<Result<_, _>>()?;
        Ok(Buffers {
            capacity: n,
            activations: Activations::new(dev, config, n)?,
            tape: Tape { layers, x_f: rows(c, "kept stream")?, dropout: None },
            gradients: Gradients::new(dev, config, n)?,
        })
    }
}
