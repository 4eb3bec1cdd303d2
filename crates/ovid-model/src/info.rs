//! What a checkpoint says of itself, without its weights being read.

use std::path::{Path, PathBuf};

use ovid_io::Dtype;
use ovid_io::gguf::Gguf;
use serde::{Deserialize, Serialize};

use crate::load::{Source, from_open_gguf, open, stored_dtype};
use crate::{Error, Layout};

/// What `ovid info --json` prints of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// As the user called it.
    pub name: String,
    /// Where it lies; null for the model built into the program.
    pub path: Option<PathBuf>,
    /// SHA-256 of the file, or of a folder's sorted lines of digest and name, where asked for: all of it has to be read for that.
    pub sha256: Option<String>,
    /// Parameters, each counted once.
    pub n_params: u64,
    /// Layers.
    pub n_layer: usize,
    /// Heads of a layer.
    pub n_head: usize,
    /// Width of the residual stream.
    pub n_embd: usize,
    /// Positions in the context.
    pub n_ctx: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Whether linear layers and layer norms have biases.
    pub bias: bool,
    /// Whether the head is the token embedding.
    pub tied_head: bool,
    /// The type that most weights are stored in.
    pub dtype: Dtype,
    /// Tokens of the tokenizer beside it, where there is one.
    pub tokenizer_size: Option<usize>,
}

impl Info {
    /// Reads the headers of a checkpoint of any layout, and holds the tensors' names and shapes against them. The digest and the tokenizer are the caller's to add.
    ///
    /// # Errors
    /// If the files cannot be read or are no GPT-2.
    pub fn read(name: &str, path: &Path) -> Result<Self, Error> {
        Ok(Self { path: Some(path.to_owned()), ..Self::of(name, &*open(path)?)? })
    }

    /// As [`Info::read`] of a GGUF that is in memory already (the built-in model).
    ///
    /// # Errors
    /// As [`Info::read`].
    pub fn of_gguf(name: &str, file: &Gguf) -> Result<Self, Error> {
        Self::of(name, &from_open_gguf(file)?)
    }

    fn of(name: &str, source: &dyn Source) -> Result<Self, Error> {
        let config = source.config();
        let layout = Layout::new(config);
        for parameter in layout.parameters() {
            source.tensor(&parameter.name, &parameter.shape)?;
        }
        Ok(Self {
            name: name.to_owned(),
            path: None,
            sha256: None,
            n_params: layout.n_params() as u64,
            n_layer: config.n_layer,
            n_head: config.n_head,
            n_embd: config.n_embd,
            n_ctx: config.n_ctx,
            vocab_size: config.vocab_size,
            bias: config.bias,
            tied_head: config.tie_word_embeddings,
            dtype: stored_dtype(source)?,
            tokenizer_size: None,
        })
    }
}
