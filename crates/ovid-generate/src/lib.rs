//! Sampling, and the engine that continues many texts at once.
//!
//! In: prompts as token ids, [`Settings`], seeds, a model. Out: tokens and text, as they come, the same to the bit whatever else runs beside.
//! Follows transformers' generation (5.23) in rules and order; random numbers are a function of (seed, position) alone.

pub mod engine;
mod error;
mod generation;
mod math;
mod recorder;
pub mod sampling;
mod stop;

pub use engine::{Completion, Engine, Event, FinishReason, Options, Request, RequestId, TokenLogprob, Window};
pub use error::Error;
pub use generation::{Draft, Generation, ModelId, Origin};
pub use recorder::Recorder;
pub use sampling::{Sampler, Settings};
