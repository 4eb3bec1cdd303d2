//! What can go wrong while training.

use std::path::{Path, PathBuf};

/// Why training could not begin, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key of the configuration is absent, unknown or out of its range.
    #[error("configuration{}: {cause}", key.as_deref().map(|k| format!(" key '{k}'")).unwrap_or_default())]
    Config {
        /// The key, where one is to blame.
        key: Option<String>,
        /// What is wrong with it.
        cause: String,
    },
    /// The folder holds a run that was made with other settings or data.
    #[error("'{}' holds a run with another {what}\nhint: choose another folder with --out, or give the old value", path.display())]
    OtherRun {
        /// The run's folder.
        path: PathBuf,
        /// What differs, with both values.
        what: String,
    },
    /// Another process trains in the folder.
    #[error("'{}' is in use by another process", path.display())]
    Busy {
        /// The run's folder.
        path: PathBuf,
    },
    /// The data cannot be trained on.
    #[error("'{}': {cause}", path.display())]
    Data {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A checkpoint is not what it says it is.
    #[error("checkpoint '{}': {cause}", path.display())]
    Checkpoint {
        /// The checkpoint's file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Too many steps in a row were skipped.
    #[error(
        "stopped at step {step}: {n_skipped} steps in a row were skipped, the last because {cause}; the last checkpoint is kept\nhint: a lower learning_rate, a longer warmup_steps or a tighter clip_norm"
    )]
    Diverged {
        /// The step at which training stopped.
        step: u64,
        /// Steps skipped in a row.
        n_skipped: u64,
        /// Why the last one was skipped.
        cause: String,
    },
    /// The model refused.
    #[error(transparent)]
    Model(#[from] ovid_model::Error),
    /// The tokenizer refused.
    #[error(transparent)]
    Tokenizer(#[from] ovid_bpe::Error),
    /// A sample could not be drawn.
    #[error("a sample could not be drawn: {0}")]
    Sample(#[from] ovid_generate::Error),
    /// The device refused.
    #[error(transparent)]
    Device(#[from] ovid_kernels::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    Files(#[from] ovid_io::Error),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] ovid_figures::Error),
}

impl Error {
    pub(crate) fn config(key: &str, cause: impl Into<String>) -> Self {
        Self::Config { key: Some(key.to_owned()), cause: cause.into() }
    }

    pub(crate) fn data(path: &Path, cause: impl Into<String>) -> Self {
        Self::Data { path: path.to_owned(), cause: cause.into() }
    }

    pub(crate) fn checkpoint(path: &Path, cause: impl Into<String>) -> Self {
        Self::Checkpoint { path: path.to_owned(), cause: cause.into() }
    }

    /// True where the fault lies in what was given (exit status 2), false where something could not be done (exit status 3).
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Config { .. } | Self::OtherRun { .. } | Self::Data { .. } | Self::Checkpoint { .. } => true,
            Self::Files(error) => error.is_bad_input(),
            _ => false,
        }
    }
}
