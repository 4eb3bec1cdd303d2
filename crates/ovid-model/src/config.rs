//! The shape of a GPT-2 and its switches: Hugging Face's `GPT2Config`, every field honoured or refused by name.

use crate::Error;
use ovid_io::Dtype;
use ovid_kernels::Activation;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Everything that decides what the model computes. Names are `GPT2Config`'s, but `n_ctx` for `n_positions`.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "they are GPT2Config's")]
pub struct Config {
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Positions in the context.
    pub n_ctx: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Layers.
    pub n_layer: usize,
    /// Heads; they divide `n_embd`.
    pub n_head: usize,
    /// Width of the feed-forward part.
    pub n_inner: usize,
    /// Its non-linearity.
    pub activation: Activation,
    /// Added to the variance in layer norm.
    pub layer_norm_epsilon: f32,
    /// Whether linear layers and layer norms have biases. Always true in published models; nanoGPT trains without.
    pub bias: bool,
    /// Whether the head is the token embedding.
    pub tie_word_embeddings: bool,
    /// Whether scores are divided by the root of the head size.
    pub scale_attn_weights: bool,
    /// Whether scores of layer i are divided by i + 1 as well.
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Dropout after the embeddings, in training.
    pub embd_pdrop: f32,
    /// Dropout on attention's probabilities, in training.
    pub attn_pdrop: f32,
    /// Dropout on what attention and feed-forward add, in training.
    pub resid_pdrop: f32,
    /// Standard deviation of initial weights.
    pub initializer_range: f32,
    /// Token that begins a text.
    pub bos_token_id: Option<u32>,
    /// Token that ends a text.
    pub eos_token_id: Option<u32>,
}

/// The greatest value of any dimension: far above every GPT-2, far below what overflows.
const MAX_DIMENSION: u64 = 1 << 24;
/// The most layers.
const MAX_LAYERS: u64 = 1 << 12;

impl Config {
    /// A configuration of the given shape with GPT-2's defaults.
    pub fn new(vocab_size: usize, n_ctx: usize, n_embd: usize, n_layer: usize, n_head: usize) -> Self {
        Self {
            vocab_size,
            n_ctx,
            n_embd,
            n_layer,
            n_head,
            n_inner: 4 * n_embd,
            activation: Activation::GeluNew,
            layer_norm_epsilon: 1e-5,
            bias: true,
            tie_word_embeddings: true,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            embd_pdrop: 0.1,
            attn_pdrop: 0.1,
            resid_pdrop: 0.1,
            initializer_range: 0.02,
            bos_token_id: None,
            eos_token_id: None,
        }
    }

    /// A released model by its name: `gpt2` (124M), `gpt2-medium` (355M), `gpt2-large` (774M), `gpt2-xl` (1558M) (Radford et al. 2019, table 2).
    pub fn preset(name: &str) -> Option<Self> {
        let (n_embd, n_layer, n_head) = match name {
            "gpt2" => (768, 12, 12),
            "gpt2-medium" => (1024, 24, 16),
            "gpt2-large" => (1280, 36, 20),
            "gpt2-xl" => (1600, 48, 25),
            _ => return None,
        };
        let end_of_text = Some(50_256);
        Some(Self { bos_token_id: end_of_text, eos_token_id: end_of_text, ..Self::new(50_257, 1024, n_embd, n_layer, n_head) })
    }

    /// Size of one head.
    pub fn head_size(&self) -> usize {
        self.n_embd / self.n_head
    }

    /// What the scores of layer `l` are multiplied with.
    pub(crate) fn attention_scale(&self, l: usize) -> f32 {
        let root = if self.scale_attn_weights { (self.head_size() as f32).sqrt() } else { 1.0 };
        let layer = if self.scale_attn_by_inverse_layer_idx { (l + 1) as f32 } else { 1.0 };
        1.0 / root / layer
    }

    /// Parameters, each counted once.
    pub fn n_params(&self) -> usize {
        crate::Layout::new(self).n_params()
    }

    /// Reads `config.json` of a Hugging Face folder.
    ///
    /// # Errors
    /// If the file cannot be read, is no GPT-2's, or asks for what Ovid does not do.
    pub fn from_hf(path: &Path) -> Result<Self, Error> {
        let map = ovid_io::Mapped::open(path)?;
        Self::from_json(&map, path)
    }

    /// Reads the text of a `config.json`; `path` is for messages.
    ///
    /// # Errors
    /// As [`Config::from_hf`].
    pub fn from_json(text: &[u8], path: &Path) -> Result<Self, Error> {
        let bad = |key: &str, cause: &str| Error::Config { path: path.to_owned(), key: key.to_owned(), cause: cause.to_owned() };
        if text.len() > 1 << 20 {
            return Err(bad("", "a configuration is no longer than 1 MiB"));
        }
        let fields: Map<String, Value> = serde_json::from_slice(text).map_err(|e| bad("", &e.to_string()))?;
        let fields = Fields { fields, path };
        if let Some(kind) = fields.text("model_type")?
            && kind != "gpt2"
        {
            return Err(bad("model_type", &format!("'{kind}' is not 'gpt2'")));
        }
        for key in ["add_cross_attention", "is_encoder_decoder"] {
            if fields.flag(key, false)? {
                return Err(bad(key, "Ovid's GPT-2 reads one text and no other input"));
            }
        }
        if fields.get("quantization_config").is_some() {
            return Err(bad("quantization_config", "weights are read as numbers or as GGUF's blocks, not in another program's packing"));
        }
        if fields.get("pruned_heads").is_some_and(|v| v.as_object().is_none_or(|heads| !heads.is_empty())) {
            return Err(bad("pruned_heads", "every layer has all of its heads here"));
        }
        let n_ctx = match fields.count("n_positions", None)? {
            Some(n) => Some(n),
            None => fields.count("n_ctx", None)?,
        };
        let need = |key: &str, n: Option<usize>| n.ok_or_else(|| bad(key, "missing"));
        let mut config = Self::new(
            need("vocab_size", fields.count("vocab_size", Some(MAX_DIMENSION))?)?,
            need("n_positions", n_ctx)?,
            need("n_embd", fields.count("n_embd", None)?)?,
            need("n_layer", fields.count("n_layer", Some(MAX_LAYERS))?)?,
            need("n_head", fields.count("n_head", None)?)?,
        );
        if let Some(n) = fields.count("n_inner", None)? {
            config.n_inner = n;
        }
        if let Some(name) = fields.text("activation_function")? {
            config.activation =
                activation(name).ok_or_else(|| bad("activation_function", &format!("no activation is called '{name}' here")))?;
        }
        config.layer_norm_epsilon = fields.number("layer_norm_epsilon", 1e-5, 1.0)?;
        config.bias = fields.flag("bias", true)?;
        config.tie_word_embeddings = fields.flag("tie_word_embeddings", true)?;
        config.scale_attn_weights = fields.flag("scale_attn_weights", true)?;
        config.scale_attn_by_inverse_layer_idx = fields.flag("scale_attn_by_inverse_layer_idx", false)?;
        config.embd_pdrop = fields.number("embd_pdrop", 0.1, 0.999)?;
        config.attn_pdrop = fields.number("attn_pdrop", 0.1, 0.999)?;
        config.resid_pdrop = fields.number("resid_pdrop", 0.1, 0.999)?;
        config.initializer_range = fields.number("initializer_range", 0.02, 1e3)?;
        config.bos_token_id = fields.token("bos_token_id")?;
        config.eos_token_id = fields.token("eos_token_id")?;
        // `reorder_and_upcast_attn` changes rounding in half precision only; scores are f32 here. `use_cache` and `summary_*` do not change a logit.
        config.check(path)?;
        Ok(config)
    }

    /// Refuses shapes that are no model.
    pub(crate) fn check(&self, path: &Path) -> Result<(), Error> {
        let bad = |key: &str, cause: String| Err(Error::Config { path: path.to_owned(), key: key.to_owned(), cause });
        for (key, n) in [
            ("vocab_size", self.vocab_size),
            ("n_positions", self.n_ctx),
            ("n_embd", self.n_embd),
            ("n_layer", self.n_layer),
            ("n_head", self.n_head),
            ("n_inner", self.n_inner),
        ] {
            if n == 0 || n as u64 > MAX_DIMENSION {
                return bad(key, format!("{n} is not between 1 and {MAX_DIMENSION}"));
            }
        }
        if self.n_layer as u64 > MAX_LAYERS {
            return bad("n_layer", format!("{} is over {MAX_LAYERS}", self.n_layer));
        }
        if !self.n_embd.is_multiple_of(self.n_head) {
            return bad("n_head", format!("{} heads do not divide n_embd = {}", self.n_head, self.n_embd));
        }
        if !(0.0..=1.0).contains(&self.layer_norm_epsilon) {
            return bad("layer_norm_epsilon", format!("{} is no number from 0 to 1", self.layer_norm_epsilon));
        }
        Ok(())
    }

    /// Refuses more layers than a file of `n_tensors` can hold, before a list of their parameters is made.
    pub(crate) fn check_layers(&self, n_tensors: usize, path: &Path, key: &str) -> Result<(), Error> {
        if self.n_layer <= n_tensors {
            return Ok(());
        }
        let cause = format!("{} layers, and there are {n_tensors} tensors", self.n_layer);
        Err(Error::Config { path: path.to_owned(), key: key.to_owned(), cause })
    }

    /// The text of a `config.json` that transformers reads, beside weights of type `stored`.
    pub fn to_json(&self, stored: Dtype) -> String {
        let mut fields = json!({
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "activation_function": activation_name(self.activation),
            "attn_pdrop": self.attn_pdrop,
            "bos_token_id": self.bos_token_id,
            "embd_pdrop": self.embd_pdrop,
            "eos_token_id": self.eos_token_id,
            "initializer_range": self.initializer_range,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "n_ctx": self.n_ctx,
            "n_embd": self.n_embd,
            "n_head": self.n_head,
            "n_inner": self.n_inner,
            "n_layer": self.n_layer,
            "n_positions": self.n_ctx,
            "resid_pdrop": self.resid_pdrop,
            "scale_attn_by_inverse_layer_idx": self.scale_attn_by_inverse_layer_idx,
            "scale_attn_weights": self.scale_attn_weights,
            "tie_word_embeddings": self.tie_word_embeddings,
            "torch_dtype": torch_name(stored),
            "vocab_size": self.vocab_size,
        });
        if !self.bias {
            // Ours: transformers keeps unknown fields, and its biases are written as zeros.
            fields["bias"] = json!(false);
        }
        format!("{fields:#}\n")
    }
}

/// PyTorch's name of a type; GGUF's blocks have none, and no configuration is written beside them.
fn torch_name(dtype: Dtype) -> Option<&'static str> {
    match dtype {
        Dtype::F32 => Some("float32"),
        Dtype::F16 => Some("float16"),
        Dtype::BF16 => Some("bfloat16"),
        _ => None,
    }
}

/// Hugging Face's names.
fn activation(name: &str) -> Option<Activation> {
    Some(match name {
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluNew,
        "gelu" | "gelu_python" => Activation::Gelu,
        "relu" => Activation::Relu,
        "silu" | "swish" => Activation::Silu,
        "tanh" => Activation::Tanh,
        _ => return None,
    })
}

fn activation_name(activation: Activation) -> &'static str {
    match activation {
        Activation::GeluNew => "gelu_new",
        Activation::Gelu => "gelu",
        Activation::Relu => "relu",
        Activation::Silu => "silu",
        Activation::Tanh => "tanh",
    }
}

struct Fields<'a> {
    fields: Map<String, Value>,
    path: &'a Path,
}

impl Fields<'_> {
    fn bad(&self, key: &str, cause: String) -> Error {
        Error::Config { path: self.path.to_owned(), key: key.to_owned(), cause }
    }

    /// The field, `None` where it is missing or null.
    fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|v| !v.is_null())
    }

    fn count(&self, key: &str, max: Option<u64>) -> Result<Option<usize>, Error> {
        let max = max.unwrap_or(MAX_DIMENSION);
        self.get(key)
            .map(|v| match v.as_u64() {
                Some(n) if n >= 1 && n <= max => Ok(n as usize),
                _ => Err(self.bad(key, format!("{v} is no whole number from 1 to {max}"))),
            })
            .transpose()
    }

    /// Held against the bound as the f32 that it becomes: what was read is written, and then read again.
    fn number(&self, key: &str, default: f32, max: f32) -> Result<f32, Error> {
        self.get(key).map_or(Ok(default), |v| match v.as_f64().map(|x| x as f32) {
            Some(x) if (0.0..=max).contains(&x) => Ok(x),
            _ => Err(self.bad(key, format!("{v} is no number from 0 to {max}"))),
        })
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, Error> {
        self.get(key).map_or(Ok(default), |v| v.as_bool().ok_or_else(|| self.bad(key, format!("{v} is neither true nor false"))))
    }

    fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        self.get(key).map(|v| v.as_str().ok_or_else(|| self.bad(key, format!("{v} is no text")))).transpose()
    }

    fn token(&self, key: &str) -> Result<Option<u32>, Error> {
        self.get(key)
            .map(|v| v.as_u64().and_then(|n| u32::try_from(n).ok()).ok_or_else(|| self.bad(key, format!("{v} is no token id"))))
            .transpose()
    }
}
