//! The list of targets. Each crate's lie in a file of their own.

mod bpe;
mod io;
mod model;

use crate::Target;

/// All of them.
pub fn all() -> Vec<Target> {
    vec![
        io::SAFETENSORS,
        io::GGUF,
        io::TF_INDEX,
        io::JSON_LINES,
        io::TOKEN_ARRAY,
        io::MANIFEST,
        model::CONFIGURATION,
        model::GGUF_MODEL,
        bpe::TOKENIZER_JSON,
        bpe::VOCAB_AND_MERGES,
        bpe::GGUF_VOCABULARY,
    ]
}
