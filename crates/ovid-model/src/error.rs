//! What can go wrong with a model.

use std::path::PathBuf;

/// An error of loading, saving or running a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] ovid_io::Error),
    /// The device refused.
    #[error(transparent)]
    Kernel(#[from] ovid_kernels::Error),
    /// A configuration that is no GPT-2, or asks for what Ovid does not do.
    #[error("'{}' {key}: {cause}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The field.
        key: String,
        /// Why it is refused.
        cause: String,
    },
    /// A checkpoint whose tensors are not those of its configuration.
    #[error("'{}' tensor '{tensor}': {cause}", path.display())]
    Tensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor, by the name that the file uses.
        tensor: String,
        /// Why it is refused.
        cause: String,
    },
    /// Not a checkpoint of any known layout.
    #[error("'{}' is no model: {cause}", path.display())]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// What was looked for.
        cause: String,
    },
    /// A batch that the model cannot take.
    #[error("bad batch: {0}")]
    Batch(String),
    /// The cache has no room.
    #[error("the cache holds {n_positions} positions and has no room for {wanted} more")]
    CacheFull {
        /// Positions in all.
        n_positions: usize,
        /// Positions asked for.
        wanted: usize,
    },
}
