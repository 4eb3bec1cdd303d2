//! What can go wrong, with file, place and cause.

use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] ovid_io::Error),
    /// A vocabulary file says something that cannot be.
    #[error("{}: {place}: {cause}", path.display())]
    Vocabulary {
        /// The file.
        path: PathBuf,
        /// Line, entry or key.
        place: String,
        /// What is wrong there.
        cause: String,
    },
    /// The tokenizer in the file is of another kind.
    #[error("{}: not a byte-level BPE like GPT-2's: {cause}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The setting by name.
        cause: String,
    },
    /// A folder without any known set of vocabulary files.
    #[error("{}: no tokenizer.json, no vocab.json with merges.txt and no encoder.json with vocab.bpe in this folder", path.display())]
    NoVocabulary {
        /// The folder.
        path: PathBuf,
    },
    /// A token id outside the vocabulary.
    #[error("token {id} is outside the vocabulary of {vocab_size} tokens")]
    UnknownToken {
        /// The id.
        id: u32,
        /// Tokens in the vocabulary.
        vocab_size: usize,
    },
    /// Text with a special token in it, where that is refused.
    #[error("the text holds the special token '{token}' at byte {offset}")]
    SpecialToken {
        /// The token as written.
        token: String,
        /// Where it begins.
        offset: usize,
    },
    /// A vocabulary cannot be trained as asked.
    #[error("cannot train a vocabulary: {cause}")]
    Training {
        /// Why.
        cause: String,
    },
    /// The observer asked to stop.
    #[error("stopped on request")]
    Cancelled,
}
