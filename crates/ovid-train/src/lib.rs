//! Training: data order, optimiser, schedule, checkpoints.
//!
//! In: a [`TrainConfig`], token shards or texts, a model with its gradient. Out: a folder with checkpoints, metrics, a loss curve and the newest model as a Hugging Face folder.
//! Follows GPT-2's recipe as nanoGPT reproduced it; forward and backward are ovid-model's. Every draw is a function of its place and every sum has a fixed order, so that a run
//! can be killed and gone on with, or shared by ranks, without changing a bit of its result.
//! May import every crate of a lower floor.

mod bytes;
pub mod checkpoint;
mod collective;
mod config;
pub mod data;
mod error;
mod guard;
mod launch;
pub mod metrics;
mod model;
pub mod optimiser;
mod peak;
mod run;
pub mod schedule;
mod validate;

pub use bytes::Bytes;
pub use collective::{Collective, OneRank};
pub use config::{Decay, Optimiser, Order, Precision, TrainConfig};
pub use error::Error;
pub use guard::Guard;
pub use launch::{launch, operations_per_token};
pub use model::{Model, NO_TARGET};
pub use peak::measure_peak;
pub use run::{Event, Hooks, NoHooks, Outcome, Run, train};
pub use validate::{Extent, validate};
