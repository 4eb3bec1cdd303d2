//! Yardsticks: how fast Ovid is on a machine, and how much of the machine that is.
//!
//! In: a model, a number of threads. Out: [`Measurement`]s, one a test, with llama-bench's names (`pp512`, `tg128`), their spread over repetitions, and their share of the
//! bandwidth and the peak that the program measures in the same run. It times what other crates do and computes nothing itself.
//! May import every crate of a lower floor.

mod error;
mod inference;
mod measure;
mod tokenize;
mod train;

pub use error::Error;
pub use inference::{batch, decode, prefill};
pub use measure::{Measurement, ModelInfo, Spread, Yardstick};
pub use tokenize::{encode, vocabulary};
pub use train::train_step;
