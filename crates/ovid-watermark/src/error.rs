//! What can be wrong with a key or a setting.

use std::path::PathBuf;

/// Why a watermark cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key file could not be read or written.
    #[error(transparent)]
    File(#[from] ovid_io::Error),
    /// A file that holds no key, or a damaged one.
    #[error("'{}' is no watermark key: {cause}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A key that is no secret.
    #[error("the key '{}' may be read by others (mode {mode:03o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A new key would take the place of another.
    #[error("'{}' is there already, and a key that is lost cannot be made again", path.display())]
    Occupied {
        /// The file.
        path: PathBuf,
    },
    /// A setting is out of range.
    #[error("{name} is {value}, but must be {must}")]
    Setting {
        /// The setting, as the command line calls it.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        must: &'static str,
    },
}

impl Error {
    /// Whether the input is at fault, not the machine.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::File(error) => error.is_bad_input(),
            _ => true,
        }
    }
}
