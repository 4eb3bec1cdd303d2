//! What can go wrong between a request and its text.

/// Why a text could not be continued.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
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
}
