//! The crate's one error: what went wrong, in which file, at which place, and why.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where in a file something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// A byte offset from the start of the file (of the compressed file, where it is compressed).
    Byte(u64),
    /// A line, counted from 1.
    Line(u64),
    /// A named entry: a tensor, a metadata key, a field.
    Key(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::Byte(offset) => write!(f, " at byte {offset}"),
            Self::Line(line) => write!(f, " line {line}"),
            // Keys come out of files that nobody vouches for: control characters are escaped, and a megabyte of name is cut.
            Self::Key(key) if key.chars().count() > 200 => write!(f, " key {:?}...", key.chars().take(200).collect::<String>()),
            Self::Key(key) => write!(f, " key {key:?}"),
        }
    }
}

/// Why a file could not be read, written or fetched. Every message names the file, the place and the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {doing} '{}': {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done: `"read"`, `"write"`, ...
        doing: &'static str,
        /// What the system said.
        cause: io::Error,
    },
    /// The file is not what its format asks for.
    #[error("'{}'{place}: {cause}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// What is wrong there.
        cause: String,
    },
    /// The file may be right, but Ovid does not read this part of its format.
    #[error("'{}'{place}: {what} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// The feature, by its name.
        what: String,
    },
    /// What a caller gave a writer cannot be written in this format.
    #[error("cannot write '{}'{place}: {cause}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        place: Place,
        /// Why not.
        cause: String,
    },
    /// A model's name that means nothing here.
    #[error("model {name:?}: {cause}")]
    Name {
        /// The name as given.
        name: String,
        /// Why not.
        cause: String,
    },
    /// Something could not be fetched over the network.
    #[error("cannot fetch {url}: {cause}")]
    Network {
        /// The address, without any secret.
        url: String,
        /// What went wrong.
        cause: String,
    },
    /// The observer asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: &Path, doing: &'static str, cause: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, cause }
    }

    /// An [`Error::Malformed`] for `path`.
    pub fn malformed(path: &Path, place: Place, cause: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), place, cause: cause.into() }
    }

    /// An [`Error::Unsupported`] for `path`.
    pub fn unsupported(path: &Path, place: Place, what: impl Into<String>) -> Self {
        Self::Unsupported { path: path.to_owned(), place, what: what.into() }
    }

    /// An [`Error::Unwritable`] for `path`.
    pub fn unwritable(path: &Path, place: Place, cause: impl Into<String>) -> Self {
        Self::Unwritable { path: path.to_owned(), place, cause: cause.into() }
    }

    /// True where the fault lies in what was given (exit status 2), false where the machine or the network failed (exit status 3).
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Io { cause, .. } => matches!(
                cause.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidInput
            ),
            Self::Malformed { .. } | Self::Unsupported { .. } | Self::Unwritable { .. } | Self::Name { .. } => true,
            Self::Network { .. } | Self::Cancelled => false,
        }
    }
}
