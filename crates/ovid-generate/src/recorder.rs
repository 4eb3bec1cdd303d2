//! Who keeps account of what is drawn, so that the tries behind a shown text can be counted.
//!
//! A driver of the engine calls [`Recorder::begin`] before it submits a request, and for each sample [`Recorder::complete`] or [`Recorder::abort`] once it ends.
//! The engine itself knows nothing of it: `ovid-samples` keeps a ledger, tests may keep a list.

use crate::{Completion, Origin, Request};

/// Takes samples down before they are drawn, and again when they end.
pub trait Recorder {
    /// Why something could not be taken down; nothing is shown then.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Takes down that every sample of `request` is about to be drawn, and returns the number of each, in order. Returns only once the record cannot be lost, so that
    /// no token is seen of a try that is not counted.
    ///
    /// # Errors
    /// If it cannot be taken down.
    fn begin(&mut self, prompt: &str, request: &Request, origin: &Origin) -> Result<Vec<u64>, Self::Error>;

    /// Takes down what came of a sample.
    ///
    /// # Errors
    /// If it cannot be taken down, or no sample of that number is under way.
    fn complete(&mut self, sample: u64, completion: &Completion) -> Result<(), Self::Error>;

    /// Takes down that a sample was cut short, with what there was of it.
    ///
    /// # Errors
    /// If it cannot be taken down, or no sample of that number is under way.
    fn abort(&mut self, sample: u64, so_far: Option<&Completion>) -> Result<(), Self::Error>;
}
