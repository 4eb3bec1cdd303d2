//! Which model evidence is about: by its files, by its numbers, by its tokenizer.

use std::path::Path;

use ovid_bpe::Tokenizer;
use ovid_io::{Observer, digest};
use ovid_model::{Params, load_params};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// What names a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// SHA-256 of the file, or of a folder's sorted lines of name and digest: what every output of Ovid calls the model's digest.
    pub sha256: String,
    /// SHA-256 of the parameters as little-endian f32 in the order of the layout: the same for every file that holds the same numbers.
    pub values_sha256: String,
    /// See [`ovid_samples::tokenizer_sha256`].
    pub tokenizer_sha256: String,
    /// Parameters.
    pub n_params: u64,
}

impl Identity {
    /// Reads the model and its tokenizer.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn of(model: &Path, tokenizer: Option<&Path>, observer: &dyn Observer) -> Result<Self, Error> {
        let sha256 = digest::sha256_tree(model, observer)?;
        let params = load_params(model, observer)?;
        let tokenizer = Tokenizer::load(tokenizer.unwrap_or(model))?;
        Ok(Self {
            sha256,
            values_sha256: values_sha256(&params),
            tokenizer_sha256: ovid_samples::tokenizer_sha256(&tokenizer),
            n_params: params.values.len() as u64,
        })
    }
}

/// The digest of the numbers alone.
pub(crate) fn values_sha256(params: &Params) -> String {
    let mut hasher = Sha256::new();
    for chunk in params.values.chunks(1 << 16) {
        let bytes: Vec<u8> = chunk.iter().flat_map(|x| x.to_le_bytes()).collect();
        hasher.update(&bytes);
    }
    crate::keys::hex(&hasher.finalize())
}
