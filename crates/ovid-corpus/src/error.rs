//! What ends a run. What is wrong with one document does not: it is a [`crate::Row`].

use std::path::{Path, PathBuf};

/// Why the pipeline could not begin, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key of the configuration is absent, unknown or out of its range.
    #[error("'{}': {cause}", path.display())]
    Config {
        /// The configuration's file.
        path: PathBuf,
        /// Which key, and what is wrong with it.
        cause: String,
    },
    /// A folder or file is not what it should be.
    #[error("'{}': {cause}", path.display())]
    Data {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The tokenizer refused.
    #[error(transparent)]
    Tokenizer(#[from] ovid_bpe::Error),
    /// A file could not be read or written, or the observer cancelled.
    #[error(transparent)]
    Files(#[from] ovid_io::Error),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] ovid_figures::Error),
}

impl Error {
    pub(crate) fn config(path: &Path, cause: impl Into<String>) -> Self {
        Self::Config { path: path.to_owned(), cause: cause.into() }
    }

    pub(crate) fn data(path: &Path, cause: impl Into<String>) -> Self {
        Self::Data { path: path.to_owned(), cause: cause.into() }
    }

    /// True where the fault lies in what was given (exit status 2), false where something could not be done (exit status 3).
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Config { .. } | Self::Data { .. } => true,
            Self::Tokenizer(ovid_bpe::Error::File(error)) | Self::Files(error) => error.is_bad_input(),
            Self::Tokenizer(error) => !matches!(error, ovid_bpe::Error::Cancelled),
            Self::Figure(_) => false,
        }
    }
}
