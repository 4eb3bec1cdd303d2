//! Scoring of text: log-probabilities, ranks, perplexity, bits per byte.
//!
//! In: documents as text or token ids, a model. Out: for each token how probable the model finds it, and the sums over each document.
//! Perplexity by sliding windows as in the evaluations of Radford et al. 2019 (section 3) and Baevski and Auli 2019; the protocol stands at [`Options::stride`].

mod error;
mod extraction;
pub mod probes;
mod recite;
mod report;
mod scorer;
mod styles;
mod windows;

pub use error::Error;
pub use extraction::{Confirmed, Extraction, Judge, Metrics, extraction};
pub use recite::{Attempt, GETTYSBURG, Recital, ReciteOptions, recite};
pub use report::{Alternative, DocumentScore, TokenScore};
pub use scorer::{Options, Place, Scorer};
pub use styles::{StyleBits, bits_by_style};
