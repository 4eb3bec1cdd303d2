//! What can go wrong when text is scored.

/// Why a text could not be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A token that the model does not know: tokenizer and model do not belong together.
    #[error("{place}: token {id} at position {position} is outside the model's vocabulary of {n_vocab} tokens")]
    Token {
        /// File and line.
        place: String,
        /// The token.
        id: u32,
        /// Its place in the document.
        position: usize,
        /// The model's vocabulary.
        n_vocab: usize,
    },
    /// A token that has no text.
    #[error("{place}: token {id} at position {position} is not in the tokenizer's vocabulary")]
    NoText {
        /// File and line.
        place: String,
        /// The token.
        id: u32,
        /// Its place in the document.
        position: usize,
    },
    /// A stride that leaves tokens out or never moves.
    #[error("stride is {stride}, but must be between 1 and the model's context of {context}")]
    Stride {
        /// What was given.
        stride: usize,
        /// The greatest allowed.
        context: usize,
    },
    /// The model gave scores that are no numbers.
    #[error("{place}: the model's scores at position {position} are no numbers; its weights may be damaged")]
    Scores {
        /// File and line.
        place: String,
        /// Place of the token in the document.
        position: usize,
    },
    /// A text that has nothing to recite.
    #[error("the text has {n_words} words, but {needed} are needed: those that are given, and at least one to be recited")]
    TooShort {
        /// Its words.
        n_words: usize,
        /// How many it should have.
        needed: usize,
    },
    /// The model could not be asked to write.
    #[error(transparent)]
    Generate(#[from] ovid_generate::Error),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ovid_model::Error),
    /// The observer asked to stop.
    #[error("stopped on request")]
    Cancelled,
}
