//! What can go wrong between numbers and a figure.

/// Why a figure could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No point of any series can be drawn.
    #[error("figure '{title}' has no point to draw: every series is empty, not finite, or not above 0 on a logarithmic axis")]
    Empty {
        /// Title of the figure.
        title: String,
    },
    /// The drawing library refused.
    #[error("figure '{title}' could not be drawn: {cause}")]
    Draw {
        /// Title of the figure.
        title: String,
        /// What the library says.
        cause: String,
    },
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] ovid_io::Error),
}
