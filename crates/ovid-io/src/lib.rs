//! Files: what every other crate reads and writes goes through here.
//!
//! In: paths and bytes that nobody vouches for. Out: checked tensors, arrays, documents and digests, or an error that names file, place and cause.
//! Formats followed: safetensors, GGUF v2/v3, TensorFlow checkpoint bundles, `NumPy` arrays, JSON Lines, the Hugging Face cache layout.

pub mod atomic;
pub mod digest;
pub mod documents;
mod error;
pub mod gguf;
pub mod hub;
mod mapped;
pub mod npy;
mod observe;
pub mod safetensors;
mod sequence;
pub mod shards;
mod tensor;
pub mod tf_bundle;

pub use error::{Error, Place};
pub use mapped::Mapped;
pub use observe::{Observer, Progress, Silent};
pub use tensor::{Dtype, TensorSpec, TensorView};
