//! From gradients to the next parameters.
//!
//! In: flat buffers of parameters, gradients and moments in the order of the model. Out: the buffers after one step. Every element is computed on its own and sums run over
//! chunks of fixed size in their order, so that the bytes do not depend on the number of threads.

mod adamw;
mod norm;

pub use adamw::{AdamW, update};
pub use norm::global_norm;

/// Values that one task of a parallel phase takes: a quarter of a megabyte of each buffer.
pub(crate) const CHUNK: usize = 1 << 16;
