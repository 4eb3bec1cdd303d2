//! What can go wrong between a request and its text.

/// Why a text could not be continued.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
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
    /// The model gave scores that are no numbers.
    #[error("the model's scores at position {position} hold {found}; its weights may be damaged")]
    Scores {
        /// Absolute position of the token that was to be drawn.
        position: usize,
        /// The value found.
        found: &'static str,
    },
    /// The rules leave no token to draw.
    #[error("the settings leave no token that could stand at position {position}")]
    NothingLeft {
        /// Absolute position of the token that was to be drawn.
        position: usize,
    },
    /// Beam search ended with fewer texts than were asked for.
    #[error("beam search found {found} texts only, since the settings leave too few tokens")]
    FewBeams {
        /// Texts found.
        found: usize,
    },
    /// An id that has no text.
    #[error("token {id} is not in the tokenizer's vocabulary")]
    Token {
        /// The id.
        id: u32,
    },
    /// A prompt that the model cannot be given.
    #[error("the prompt's token {id} at position {position} is outside the model's vocabulary of {n_vocab} tokens")]
    Prompt {
        /// The id.
        id: u32,
        /// Its place in the prompt.
        position: usize,
        /// The model's vocabulary.
        n_vocab: usize,
    },
    /// Nothing to start from.
    #[error("the prompt is empty and the tokenizer has no end-of-text token to start from")]
    NoStart,
    /// More than the engine's memory could ever hold.
    #[error("the request needs {needed} positions of key-value cache, but the engine has {available}")]
    TooLarge {
        /// Positions needed.
        needed: usize,
        /// Positions in all.
        available: usize,
    },
    /// The model failed.
    #[error("{0}")]
    Model(#[source] std::sync::Arc<ovid_model::Error>),
}
