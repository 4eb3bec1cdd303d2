//! What can go wrong with samples and the files that hold them.

use std::path::{Path, PathBuf};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written, or is not what it should be.
    #[error(transparent)]
    Files(#[from] ovid_io::Error),
    /// The database behind a ledger refused.
    #[error("ledger '{}': {cause}", path.display())]
    Database {
        /// The ledger.
        path: PathBuf,
        /// What `SQLite` said.
        cause: rusqlite::Error,
    },
    /// The ledger is damaged, or was changed by something else than Ovid.
    #[error("ledger '{}', entry {entry}: {cause}", path.display())]
    Broken {
        /// The ledger.
        path: PathBuf,
        /// The entry, from 1; 0 is the ledger's own header.
        entry: u64,
        /// What does not hold.
        cause: String,
    },
    /// The file is no ledger.
    #[error("'{}' is no ledger: {cause}", path.display())]
    NoLedger {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: String,
    },
    /// A text could not be continued.
    #[error(transparent)]
    Generate(#[from] ovid_generate::Error),
    /// A text could not be scored.
    #[error(transparent)]
    Score(#[from] ovid_eval::Error),
    /// A figure could not be drawn.
    #[error(transparent)]
    Figure(#[from] ovid_figures::Error),
    /// What was asked for does not go together.
    #[error("{0}")]
    Asked(String),
    /// The observer asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl Error {
    /// True where the fault lies in what was given (exit status 2), false where the machine failed (exit status 3).
    pub fn is_bad_input(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase};
        match self {
            Self::Files(e) => e.is_bad_input(),
            Self::Database { cause, .. } => {
                matches!(cause.sqlite_error_code(), Some(CannotOpen | DatabaseCorrupt | NotADatabase))
            }
            Self::Generate(ovid_generate::Error::Model(_))
            | Self::Score(ovid_eval::Error::Model(_))
            | Self::Figure(_)
            | Self::Cancelled => false,
            Self::Broken { .. } | Self::NoLedger { .. } | Self::Generate(_) | Self::Score(_) | Self::Asked(_) => true,
        }
    }

    /// True where the observer asked to stop.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Files(ovid_io::Error::Cancelled) | Self::Score(ovid_eval::Error::Cancelled))
    }

    pub(crate) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        move |cause| Self::Database { path: path.to_owned(), cause }
    }

    pub(crate) fn broken(path: &Path, entry: u64, cause: impl Into<String>) -> Self {
        Self::Broken { path: path.to_owned(), entry, cause: cause.into() }
    }
}
