//! What can go wrong in an audit.

use std::path::PathBuf;

/// Why an index could not be made or read, or a set not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file.
    #[error(transparent)]
    Files(#[from] ovid_io::Error),
    /// The figure.
    #[error(transparent)]
    Figure(#[from] ovid_figures::Error),
    /// A setting outside of what can be.
    #[error("{name} is {value}, but must be {must}")]
    Setting {
        /// Which.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        must: &'static str,
    },
    /// Nothing to index or to measure.
    #[error("{what} holds no document of {n} words or more")]
    Empty {
        /// The set or the files.
        what: String,
        /// Words of an n-gram.
        n: u32,
    },
    /// One set with samples of two models.
    #[error("'{}' line {line}: a sample of model {second}, but the lines before are of model {first}; give each model a set of its own", path.display())]
    TwoModels {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// SHA-256 of the model before.
        first: String,
        /// SHA-256 of the model here.
        second: String,
    },
    /// A report that is there already and is not to be replaced.
    #[error("'{}' is there already and not empty", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Threads could not be started.
    #[error("threads cannot be started: {0}")]
    Threads(String),
}

impl Error {
    /// True where the fault lies in what was given (exit status 2), false where the machine failed (exit status 3).
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Files(e) | Self::Figure(ovid_figures::Error::Write(e)) => e.is_bad_input(),
            Self::Figure(_) | Self::Threads(_) => false,
            Self::Setting { .. } | Self::Empty { .. } | Self::TwoModels { .. } | Self::Exists { .. } => true,
        }
    }

    /// True where the observer asked to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Files(ovid_io::Error::Cancelled))
    }
}
