//! The arithmetic of GPT-2, forward and backward.
//!
//! In: weights as they lie in files, rows of activations, tokens. Out: the same numbers on every machine (`exact-1`, see DESIGN.md "Arithmetic").
//! It knows layers and caches, not models; it may use ovid-io (types of stored tensors) and ovid-stats (random numbers), nothing else of Ovid.

mod aligned;
pub mod backend;
mod cpu;
mod error;
pub mod math;
mod pool;
pub mod quant;

pub use aligned::Aligned;
pub use backend::Backend;
pub use cpu::simd::Unit;
pub use cpu::{Cpu, KvLayer, Panels, packed_dtype};
pub use error::Error;
pub use math::Activation;
pub use pool::Pool;
