//! GGUF files as llama.cpp writes GPT-2: its metadata keys and tensor names; matrices lie (outputs, inputs).

use super::source::Source;
use crate::{Config, Error, Layout};
use ovid_io::TensorView;
use ovid_io::gguf::Gguf;
use std::path::Path;

/// llama.cpp's name of a parameter.
pub fn gguf_name(name: &str) -> String {
    let (stem, kind) = name.rsplit_once('.').unwrap_or((name, ""));
    let top = match stem {
        "wte" => "token_embd",
        "wpe" => "position_embd",
        "ln_f" => "output_norm",
        "lm_head" => "output",
        _ => "",
    };
    if !top.is_empty() {
        return format!("{top}.{kind}");
    }
    let mut parts = stem.splitn(3, '.').skip(1);
    let (layer, part) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let part = match part {
        "ln_1" => "attn_norm",
        "attn.c_attn" => "attn_qkv",
        "attn.c_proj" => "attn_output",
        "ln_2" => "ffn_norm",
        "mlp.c_fc" => "ffn_up",
        "mlp.c_proj" => "ffn_down",
        other => other,
    };
    format!("blk.{layer}.{part}.{kind}")
}

/// A configuration from GGUF metadata.
fn config(file: &Gguf) -> Result<Config, Error> {
    let bad = |key: &str, cause: String| Error::Config { path: file.path().to_owned(), key: key.to_owned(), cause };
    match file.text("general.architecture")? {
        Some("gpt2") => {}
        other => return Err(bad("general.architecture", format!("{other:?} is not 'gpt2'"))),
    }
    let count = |key: &str| -> Result<usize, Error> {
        let n = file.count(key)?.ok_or_else(|| bad(key, "missing".to_owned()))?;
        if (1..1 << 24).contains(&n) { Ok(n as usize) } else { Err(bad(key, format!("{n} is no dimension"))) }
    };
    let embedding = file.tensor("token_embd.weight").filter(|t| t.shape.len() == 2);
    let vocab_size = embedding.ok_or_else(|| bad("token_embd.weight", "missing, or no matrix".to_owned()))?.shape[0];
    let mut config = Config::new(
        vocab_size,
        count("gpt2.context_length")?,
        count("gpt2.embedding_length")?,
        count("gpt2.block_count")?,
        count("gpt2.attention.head_count")?,
    );
    config.n_inner = count("gpt2.feed_forward_length")?;
    if let Some(eps) = file.number("gpt2.attention.layer_norm_epsilon")? {
        config.layer_norm_epsilon = eps as f32;
    }
    config.tie_word_embeddings = file.tensor("output.weight").is_none();
    let token = |key: &str| -> Result<Option<u32>, Error> {
        let id = |n| u32::try_from(n).map_err(|_| bad(key, format!("{n} is no token id")));
        file.count(key)?.map(id).transpose()
    };
    config.bos_token_id = token("tokenizer.ggml.bos_token_id")?;
    config.eos_token_id = token("tokenizer.ggml.eos_token_id")?;
    config.check(file.path())?;
    config.check_layers(file.tensors().count(), file.path(), "gpt2.block_count")?;
    if file.get("gpt2.attention.scale").is_some() {
        return Err(bad("gpt2.attention.scale", "it would change the scores; llama.cpp's GPT-2 has no such key".to_owned()));
    }
    Ok(config)
}

/// A GGUF file of its own.
pub struct GgufModel {
    file: Gguf,
    config: Config,
}

impl GgufModel {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = Gguf::open(path)?;
        let config = Borrowed::new(&file)?.config;
        Ok(Self { file, config })
    }
}

/// A GGUF file that somebody else holds.
pub struct Borrowed<'f> {
    file: &'f Gguf,
    config: Config,
}

impl<'f> Borrowed<'f> {
    pub fn new(file: &'f Gguf) -> Result<Self, Error> {
        let borrowed = Self { file, config: config(file)? };
        let layout = Layout::new(&borrowed.config);
        let names: std::collections::HashSet<String> = layout.parameters().iter().map(|p| gguf_name(&p.name)).collect();
        match file.tensors().find(|t| !names.contains(t.name)) {
            Some(view) => Err(borrowed.bad(view.name, "GPT-2 has no place for it")),
            None => Ok(borrowed),
        }
    }
}

fn find<'a>(source: &dyn Source, file: &'a Gguf, name: &str) -> Result<(TensorView<'a>, bool), Error> {
    let full = gguf_name(name);
    Ok((file.tensor(&full).ok_or_else(|| source.bad(&full, "missing"))?, true))
}

impl Source for Borrowed<'_> {
    fn config(&self) -> &Config {
        &self.config
    }

    fn view(&self, name: &str) -> Result<(TensorView<'_>, bool), Error> {
        find(self, self.file, name)
    }

    fn bad(&self, tensor: &str, cause: &str) -> Error {
        Error::Tensor { path: self.file.path().to_owned(), tensor: tensor.to_owned(), cause: cause.to_owned() }
    }
}

impl Source for GgufModel {
    fn config(&self) -> &Config {
        &self.config
    }

    fn view(&self, name: &str) -> Result<(TensorView<'_>, bool), Error> {
        find(self, &self.file, name)
    }

    fn release(&self, data: &[u8]) {
        self.file.release(data);
    }

    fn bad(&self, tensor: &str, cause: &str) -> Error {
        Error::Tensor { path: self.file.path().to_owned(), tensor: tensor.to_owned(), cause: cause.to_owned() }
    }
}
