//! Samples that a stranger can check: how many tries there were, whether a text came from this model, whether it was generated here.
//!
//! In: a model, prompts, settings; or texts that somebody shows. Out: a ledger of every try, raw dumps in the layout of the 2019 release, published samples with their number of
//! tries, and answers to "is this text what that model makes?" to the bit. It judges no text and trains nothing. Files: `SQLite` for the ledger, JSON Lines and JSON for dumps,
//! safetensors for the look-up index, JSON for its calibration.

mod batch;
pub mod dump;
mod error;
mod ids;
pub mod ledger;
pub mod publish;
pub mod quiz;
pub mod stats;
pub mod trace;
pub mod verify;
mod words;

pub use batch::Batch;
pub use error::Error;
pub use ids::tokenizer_sha256;
pub use ledger::Ledger;
