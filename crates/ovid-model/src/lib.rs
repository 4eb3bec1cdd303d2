//! GPT-2 (Radford et al. 2019): configuration, weights, forward and backward.
//!
//! In: a checkpoint (Hugging Face folder, GGUF file, original TensorFlow folder) and tokens. Out: logits, scores, gradients.
//! `gpt2.rs` holds the forward pass as the paper reads, `backward.rs` its gradient; both call nothing but `ovid_kernels::Backend`. It samples nothing and trains nothing.

mod backward;
mod config;
mod error;
mod gpt2;
mod info;
mod kv;
mod layout;
mod load;
mod model;
mod save;
mod train;

pub use config::Config;
pub use error::Error;
pub use info::Info;
pub use kv::{KvPool, SequenceId};
pub use layout::{Layout, Parameter};
pub use load::{Params, load_params};
pub use model::{Gpt2, Output, Segment, Want};
pub use ovid_kernels::backend::Score;
pub use ovid_kernels::{Activation, Cpu, Unit};
pub use save::{Converted, save_gguf, save_hf};
pub use train::{DropoutKey, TrainModel};
