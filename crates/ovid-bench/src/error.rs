//! What can go wrong in a measurement.

/// A measurement that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model refused the batch, or memory is short.
    #[error(transparent)]
    Model(#[from] ovid_model::Error),
    /// Memory is short.
    #[error(transparent)]
    Kernels(#[from] ovid_kernels::Error),
    /// The optimiser could not take its step.
    #[error(transparent)]
    Train(#[from] ovid_train::Error),
    /// The vocabulary could not be trained.
    #[error(transparent)]
    Tokenizer(#[from] ovid_bpe::Error),
    /// The test does not fit the model.
    #[error("{0}")]
    Shape(String),
    /// Ctrl-C.
    #[error("cancelled")]
    Cancelled,
}
