//! Detectors that learn from labelled text: the baseline of GPT-2's output dataset ([`TfIdf`]), and hashed n-grams of words and characters ([`Hashed`]).

mod hashed;
mod learn;
mod tfidf;

pub use hashed::{Hashed, HashedTrainer, N_BUCKETS};
pub use learn::{Kind, Learned, Matrix, is_test, matrix, train};
pub use tfidf::{TfIdf, TfIdfOptions};
