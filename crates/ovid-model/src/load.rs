//! Checkpoints to weights: which tensor of which file is which part of the model.

mod gguf;
mod hf;
mod source;
mod tf;

use crate::gpt2::{Block, Linear, Norm, Weights};
use crate::{Config, Cpu, Error, Gpt2, Layout};
pub(crate) use gguf::gguf_name;
use ovid_io::{Dtype, Observer, Progress};
use ovid_kernels::backend::{At, Backend, Layout as Order, Matrix};
use ovid_kernels::{packed_dtype, quant};
use source::Stored;
pub(crate) use source::{Source, is_embedding};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Opens whatever lies at `path`; no weight is read yet.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Source>, Error> {
    let unknown = |cause: &str| Error::Unknown { path: path.to_owned(), cause: cause.to_owned() };
    if path.is_dir() {
        if path.join("config.json").is_file() {
            return Ok(Box::new(hf::HfFolder::open(path)?));
        }
        if path.join("hparams.json").is_file() {
            return Ok(Box::new(tf::TfFolder::open(path)?));
        }
        return Err(unknown("the folder has neither config.json (Hugging Face) nor hparams.json (TensorFlow)"));
    }
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut f| std::io::Read::read(&mut f, &mut magic));
    match read {
        Err(cause) => Err(ovid_io::Error::io(path, "read", cause).into()),
        Ok(_) if &magic == b"GGUF" => Ok(Box::new(gguf::GgufModel::open(path)?)),
        Ok(_) => Err(unknown("the file is no GGUF; a model is a folder with config.json, a folder with hparams.json, or a GGUF file")),
    }
}

pub(crate) fn load(path: &Path, dev: Cpu, observer: &dyn Observer) -> Result<Gpt2, Error> {
    build(&*open(path)?, dev, observer)
}

pub(crate) fn from_gguf(file: &ovid_io::gguf::Gguf, dev: Cpu, observer: &dyn Observer) -> Result<Gpt2, Error> {
    build(&from_open_gguf(file)?, dev, observer)
}

pub(crate) fn from_open_gguf(file: &ovid_io::gguf::Gguf) -> Result<impl Source, Error> {
    gguf::Borrowed::new(file)
}

/// A checkpoint as one flat buffer of f32 in the order of its [`Layout`]: what training begins from and what the writers take.
#[derive(Clone, Debug)]
pub struct Params {
    /// The configuration.
    pub config: Config,
    /// The parameters, in the layout's order.
    pub values: Vec<f32>,
}

/// Reads a checkpoint of any layout and type as f32 parameters.
///
/// # Errors
/// As [`Gpt2::load`].
pub fn load_params(path: &Path, observer: &dyn Observer) -> Result<Params, Error> {
    let source = open(path)?;
    source.verify(observer)?;
    let config = source.config().clone();
    let layout = Layout::new(&config);
    let mut values = Vec::new();
    let n = layout.n_params();
    // A configuration is believed only when the file holds what it asks for.
    for p in layout.parameters() {
        source.tensor(&p.name, &p.shape)?;
    }
    // Every parameter is at least half a byte of the file, so a file cannot make this larger than eight times itself.
    values.try_reserve_exact(n).map_err(|_| ovid_kernels::Error::OutOfMemory { what: "parameters", bytes: n.saturating_mul(4) })?;
    for (i, p) in layout.parameters().iter().enumerate() {
        let stored = source.tensor(&p.name, &p.shape)?;
        if !is_finite(stored.dtype, stored.data) {
            return Err(not_finite(&*source, &stored));
        }
        let begin = values.len();
        values.resize(begin + p.range.len(), 0.0);
        let out = &mut values[begin..];
        let turned = p.shape.len() == 2 && stored.order == Order::OutIn && !is_embedding(&p.name);
        if turned {
            let (n_in, n_out) = (p.shape[0], p.shape[1]);
            let mut rows = vec![0f32; p.range.len()];
            quant::dequantise(stored.dtype, stored.data, &mut rows);
            for k in 0..n_in {
                for n in 0..n_out {
                    out[k * n_out + n] = rows[n * n_in + k];
                }
            }
        } else {
            quant::dequantise(stored.dtype, stored.data, out);
        }
        report(observer, i, layout.parameters().len())?;
    }
    Ok(Params { config, values })
}

fn report(observer: &dyn Observer, done: usize, total: usize) -> Result<(), Error> {
    observer.progress(Progress { stage: "loading", done: done as u64 + 1, total: Some(total as u64), unit: "tensors" });
    if observer.cancelled() { Err(ovid_io::Error::Cancelled.into()) } else { Ok(()) }
}

/// Refuses weights that are not numbers: everything computed from them would be nonsense.
fn not_finite(source: &dyn Source, stored: &Stored<'_>) -> Error {
    source.bad(&stored.name, "it holds NaN or infinity")
}

/// Whether all stored values (of blocks: all scales) are numbers.
pub(crate) fn is_finite(dtype: Dtype, data: &[u8]) -> bool {
    let u16_at = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
    !match dtype {
        Dtype::F32 => data.chunks_exact(4).any(|b| u16_at(&b[2..]) & 0x7f80 == 0x7f80),
        Dtype::F16 => data.chunks_exact(2).any(|b| u16_at(b) & 0x7c00 == 0x7c00),
        Dtype::BF16 => data.chunks_exact(2).any(|b| u16_at(b) & 0x7f80 == 0x7f80),
        Dtype::Q4K => data.chunks_exact(144).any(|b| u16_at(b) & 0x7c00 == 0x7c00 || u16_at(&b[2..]) & 0x7c00 == 0x7c00),
        Dtype::Q6K => data.chunks_exact(210).any(|b| u16_at(&b[208..]) & 0x7c00 == 0x7c00),
        dtype => data.chunks_exact(dtype.block_bytes()).any(|b| u16_at(b) & 0x7c00 == 0x7c00),
    }
}

/// The type that most weights are stored in: that of the largest matrix of a layer, which quantisers do not treat apart.
pub(crate) fn stored_dtype(source: &dyn Source) -> Result<Dtype, Error> {
    let Config { n_embd, n_inner, .. } = *source.config();
    Ok(source.tensor("h.0.mlp.c_fc.weight", &[n_embd, n_inner])?.dtype)
}

/// Bytes that a thread looks through at a time for what is no number.
const CHECKED_BYTES: usize = 1 << 20;

/// Packs every tensor for the device.
fn build(source: &dyn Source, dev: Cpu, observer: &dyn Observer) -> Result<Gpt2, Error> {
    source.verify(observer)?;
    let config = source.config().clone();
    let layout = Layout::new(&config);
    let done = std::cell::Cell::new(0);
    let find = |at: &At| -> Result<Stored<'_>, Error> {
        let p = layout.parameters().iter().find(|p| p.range == at.0).expect("every place of the layout is a parameter");
        let stored = source.tensor(&p.name, &p.shape)?;
        let pieces = CHECKED_BYTES / stored.dtype.block_bytes() * stored.dtype.block_bytes();
        let broken = AtomicBool::new(false);
        dev.pool().run(stored.data.len().div_ceil(pieces), |i| {
            let piece = &stored.data[i * pieces..stored.data.len().min((i + 1) * pieces)];
            broken.fetch_or(!is_finite(stored.dtype, piece), Ordering::Relaxed);
        });
        if broken.into_inner() {
            return Err(not_finite(source, &stored));
        }
        report(observer, done.replace(done.get() + 1), layout.parameters().len())?;
        Ok(stored)
    };
    let matrix = |at: &std::ops::Range<usize>, (n_in, n_out): (usize, usize)| {
        let stored = find(&At(at.clone()))?;
        let matrix = Matrix { dtype: stored.dtype, layout: stored.order, n_in, n_out, data: stored.data };
        let weight = dev.weight(&matrix, packed_dtype(stored.dtype)).map_err(|e| source.bad(&stored.name, &e.to_string()))?;
        source.release(stored.data);
        Ok::<_, Error>(weight)
    };
    let vector = |at: &std::ops::Range<usize>| {
        let stored = find(&At(at.clone()))?;
        let mut values = dev.zeros(at.len(), "vector")?;
        quant::dequantise(stored.dtype, stored.data, &mut values);
        Ok::<_, Error>(values)
    };
    let norm =
        |at: &crate::layout::NormAt| Ok::<_, Error>(Norm { gain: vector(&at.gain)?, bias: at.bias.as_ref().map(vector).transpose()? });
    let linear = |at: &crate::layout::LinearAt| {
        Ok::<_, Error>(Linear { weight: matrix(&at.weight, at.shape)?, bias: at.bias.as_ref().map(vector).transpose()? })
    };
    let (c, v) = (config.n_embd, config.vocab_size);
    let wte = matrix(&layout.wte, (c, v))?;
    let wpe = vector(&layout.wpe)?;
    let mut h = Vec::new();
    for at in &layout.layers {
        h.push(Block {
            ln_1: norm(&at.ln_1)?,
            c_attn: linear(&at.c_attn)?,
            attn_proj: linear(&at.attn_proj)?,
            ln_2: norm(&at.ln_2)?,
            c_fc: linear(&at.c_fc)?,
            mlp_proj: linear(&at.mlp_proj)?,
        });
    }
    let ln_f = norm(&layout.ln_f)?;
    let lm_head = layout.lm_head.as_ref().map(|at| matrix(at, (c, v))).transpose()?;
    let dtype = stored_dtype(source)?;
    Ok(Gpt2 { config, dev, weights: Weights { wte, wpe, h, ln_f, lm_head }, dtype })
}
