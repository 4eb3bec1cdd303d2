//! Writing models: Hugging Face folders that transformers loads, and GGUF files that llama.cpp loads.

use crate::load::{Params, gguf_name, is_embedding, is_finite};
use crate::{Activation, Error, Layout};
use ovid_io::gguf::{GgufWriter, Value};
use ovid_io::safetensors::SafeTensorsWriter;
use ovid_io::{Dtype, Observer, Place, Progress, TensorSpec};
use ovid_kernels::quant;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What `ovid convert --json` prints of a model that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converted {
    /// The folder or file.
    pub path: PathBuf,
    /// Parameters, each counted once.
    pub n_params: u64,
    /// The type that was asked for; vectors and what does not fit its blocks are stored otherwise.
    pub dtype: Dtype,
}

/// Writes `config.json` and `model.safetensors` (F32, F16 or BF16) into a folder, which is made. Tokenizer files are the tokenizer's to write.
///
/// # Errors
/// If a file cannot be written, or a value does not fit into the type.
pub fn save_hf(folder: &Path, params: &Params, dtype: Dtype, observer: &dyn Observer) -> Result<(), Error> {
    check(folder, params, dtype, &[Dtype::F32, Dtype::F16, Dtype::BF16])?;
    std::fs::create_dir_all(folder).map_err(|e| ovid_io::Error::io(folder, "make the folder", e))?;
    let layout = Layout::new(&params.config);
    let mut tensors: Vec<(String, Vec<usize>, Option<std::ops::Range<usize>>)> = Vec::new();
    for p in layout.parameters() {
        let prefix = if p.name == "lm_head.weight" { "" } else { "transformer." };
        tensors.push((format!("{prefix}{}", p.name), p.shape.clone(), Some(p.range.clone())));
        if !params.config.bias && (p.name.contains("ln_") || p.name.contains(".c_")) {
            let name = format!("{prefix}{}", p.name.replace(".weight", ".bias"));
            tensors.push((name, vec![p.shape[p.shape.len() - 1]], None));
        }
    }
    let specs: Vec<TensorSpec> = tensors.iter().map(|(name, shape, _)| TensorSpec::new(name.clone(), dtype, shape.clone())).collect();
    let mut out = SafeTensorsWriter::create(&folder.join("model.safetensors"), &[("format", "pt")], &specs)?;
    for (i, (name, shape, range)) in tensors.iter().enumerate() {
        let mut bytes = Vec::new();
        match range {
            Some(range) => {
                let values = &params.values[range.clone()];
                quant::quantise(dtype, values, &mut bytes);
                check_fit(folder, name, values, dtype, &bytes)?;
            }
            None => bytes.resize(shape[0] * dtype.block_bytes(), 0),
        }
        out.append(name, &bytes)?;
        report(observer, i, tensors.len())?;
    }
    out.finish()?;
    ovid_io::atomic::write_atomic(&folder.join("config.json"), |f| std::io::Write::write_all(f, params.config.to_json(dtype).as_bytes()))?;
    Ok(())
}

/// Writes a GGUF file. Matrices take `dtype` (F32, F16, BF16, `Q8_0`, `Q4_0`) where their rows are whole blocks, else F16; with `Q4_0` the token embedding, which is the head
/// too, is `Q8_0`. Vectors and positions stay F32. `tokenizer` holds the tokenizer's keys.
///
/// # Errors
/// If the file cannot be written, a value does not fit into the type, or llama.cpp's GPT-2 could not compute the model.
pub fn save_gguf(path: &Path, params: &Params, dtype: Dtype, tokenizer: &[(String, Value)], observer: &dyn Observer) -> Result<(), Error> {
    let config = &params.config;
    check(path, params, dtype, &[Dtype::F32, Dtype::F16, Dtype::BF16, Dtype::Q8_0, Dtype::Q4_0])?;
    let unlike = |key: &str| Error::Config {
        path: path.to_owned(),
        key: key.to_owned(),
        cause: "GGUF's GPT-2 cannot say it; write a Hugging Face folder".to_owned(),
    };
    if config.activation != Activation::GeluNew {
        return Err(unlike("activation_function"));
    }
    if !config.scale_attn_weights {
        return Err(unlike("scale_attn_weights"));
    }
    if config.scale_attn_by_inverse_layer_idx {
        return Err(unlike("scale_attn_by_inverse_layer_idx"));
    }
    let layout = Layout::new(config);
    let mut metadata: Vec<(String, Value)> = vec![
        ("general.architecture".to_owned(), Value::String("gpt2".to_owned())),
        ("general.file_type".to_owned(), Value::U32(file_type(dtype))),
        ("general.quantization_version".to_owned(), Value::U32(2)),
    ];
    for (key, n) in [
        ("context_length", config.n_ctx),
        ("embedding_length", config.n_embd),
        ("feed_forward_length", config.n_inner),
        ("block_count", config.n_layer),
        ("attention.head_count", config.n_head),
    ] {
        metadata.push((format!("gpt2.{key}"), Value::U32(n as u32)));
    }
    metadata.push(("gpt2.attention.layer_norm_epsilon".to_owned(), Value::F32(config.layer_norm_epsilon)));
    metadata.extend_from_slice(tokenizer);

    // llama.cpp asks for every bias.
    let full = Layout::new(&crate::Config { bias: true, ..config.clone() });
    let parameters = full.parameters();
    let stored = |p: &crate::Parameter| {
        let embedding = is_embedding(&p.name);
        let row = if embedding { p.shape[p.shape.len() - 1] } else { p.shape[0] };
        if p.shape.len() < 2 || p.name == "wpe.weight" {
            Dtype::F32
        } else if dtype == Dtype::Q4_0 && embedding && row.is_multiple_of(32) {
            Dtype::Q8_0
        } else if row.is_multiple_of(dtype.block_len()) {
            dtype
        } else {
            Dtype::F16
        }
    };
    let shape = |p: &crate::Parameter| {
        let turned = p.shape.len() == 2 && !is_embedding(&p.name);
        if turned { vec![p.shape[1], p.shape[0]] } else { p.shape.clone() }
    };
    let specs: Vec<TensorSpec> = parameters.iter().map(|p| TensorSpec::new(gguf_name(&p.name), stored(p), shape(p))).collect();
    let mut out = GgufWriter::create(path, &metadata, &specs)?;
    for (i, (p, spec)) in parameters.iter().zip(&specs).enumerate() {
        let values = match layout.get(&p.name) {
            Some(own) => &params.values[own.range.clone()],
            None => &vec![0f32; p.range.len()],
        };
        let mut bytes = Vec::new();
        if p.shape.len() < 2 || is_embedding(&p.name) {
            quant::quantise(spec.dtype, values, &mut bytes);
        } else {
            turn_and_quantise(spec.dtype, values, (p.shape[0], p.shape[1]), &mut bytes);
        }
        check_fit(path, &spec.name, values, spec.dtype, &bytes)?;
        out.append(&spec.name, &bytes)?;
        report(observer, i, parameters.len())?;
    }
    out.finish()?;
    Ok(())
}

fn check(path: &Path, params: &Params, dtype: Dtype, known: &[Dtype]) -> Result<(), Error> {
    let unwritable = |cause: String| Err(ovid_io::Error::unwritable(path, Place::Whole, cause).into());
    params.config.check(path)?;
    let (wanted, found) = (params.config.n_params(), params.values.len());
    if found != wanted {
        return unwritable(format!("{found} parameters, and the configuration asks for {wanted}"));
    }
    if !known.contains(&dtype) {
        return unwritable(format!("{dtype} is not written here"));
    }
    Ok(())
}

/// A file with NaN or infinity in it would be refused when it is read: better say so before it takes the place of a good one.
fn check_fit(path: &Path, tensor: &str, values: &[f32], dtype: Dtype, bytes: &[u8]) -> Result<(), Error> {
    let cause = match (values.iter().all(|x| x.is_finite()), is_finite(dtype, bytes)) {
        (true, true) => return Ok(()),
        (true, false) => format!("a value is too great for {dtype}"),
        (false, _) => "it holds NaN or infinity".to_owned(),
    };
    Err(Error::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), cause })
}

/// A (`n_in`, `n_out`) matrix as rows of outputs.
fn turn_and_quantise(dtype: Dtype, values: &[f32], (n_in, n_out): (usize, usize), out: &mut Vec<u8>) {
    let mut row = vec![0f32; n_in];
    for n in 0..n_out {
        for (k, x) in row.iter_mut().enumerate() {
            *x = values[k * n_out + n];
        }
        quant::quantise(dtype, &row, out);
    }
}

/// llama.cpp's `LLAMA_FTYPE_*`.
fn file_type(dtype: Dtype) -> u32 {
    match dtype {
        Dtype::F16 => 1,
        Dtype::Q4_0 => 2,
        Dtype::Q8_0 => 7,
        Dtype::BF16 => 32,
        _ => 0,
    }
}

fn report(observer: &dyn Observer, done: usize, total: usize) -> Result<(), Error> {
    observer.progress(Progress { stage: "writing", done: done as u64 + 1, total: Some(total as u64), unit: "tensors" });
    if observer.cancelled() { Err(ovid_io::Error::Cancelled.into()) } else { Ok(()) }
}
