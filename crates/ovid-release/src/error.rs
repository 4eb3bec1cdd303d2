//! What can go wrong. That a check finds something missing is no error: it is its answer.

use std::path::{Path, PathBuf};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] ovid_io::Error),
    /// The model could not be loaded, written or run.
    #[error(transparent)]
    Model(#[from] ovid_model::Error),
    /// The tokenizer could not be loaded or written.
    #[error(transparent)]
    Tokenizer(#[from] ovid_bpe::Error),
    /// Text could not be scored.
    #[error(transparent)]
    Score(#[from] ovid_eval::Error),
    /// Samples could not be made again.
    #[error(transparent)]
    Samples(#[from] ovid_samples::Error),
    /// The training text could not be indexed.
    #[error(transparent)]
    Overlap(#[from] ovid_overlap::Error),
    /// A key cannot be used.
    #[error("key '{}': {cause}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// What was asked cannot be.
    #[error("{0}")]
    Asked(String),
}

impl Error {
    pub(crate) fn key(path: &Path, cause: impl Into<String>) -> Self {
        Self::Key { path: path.to_owned(), cause: cause.into() }
    }

    /// True where the fault lies in what was given (exit status 2), false where the machine failed (exit status 3).
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::File(e) | Self::Model(ovid_model::Error::Io(e)) | Self::Tokenizer(ovid_bpe::Error::File(e)) => e.is_bad_input(),
            Self::Samples(e) => e.is_bad_input(),
            Self::Overlap(e) => e.is_bad_input(),
            Self::Model(ovid_model::Error::Kernel(_)) => false,
            Self::Model(_) | Self::Tokenizer(_) | Self::Score(_) | Self::Key { .. } | Self::Asked(_) => true,
        }
    }

    /// Whether the observer asked to stop.
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::File(e) | Self::Model(ovid_model::Error::Io(e)) => matches!(e, ovid_io::Error::Cancelled),
            Self::Score(e) => matches!(e, ovid_eval::Error::Cancelled),
            Self::Samples(e) => e.is_cancelled(),
            Self::Overlap(e) => e.is_cancelled(),
            Self::Tokenizer(e) => matches!(e, ovid_bpe::Error::Cancelled),
            _ => false,
        }
    }
}
