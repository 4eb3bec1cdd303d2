//! Pages to clean documents to token shards, with every choice recorded.
//!
//! In: lists of links with scores, saved pages, texts. Out: documents with their provenance, a row for every document that was left out, token shards split so that no near-copy crosses.
//! It rebuilds how GPT-2's training text was made (Radford et al. 2019, section 2.1): outbound links with a score of 3 or more, main text, no Wikipedia, no duplicates. It knows no model.
//! May import ovid-io, ovid-bpe and ovid-figures alone.

#[cfg(feature = "arrow")]
pub mod arrow;
pub mod build;
pub mod clean;
pub mod config;
pub mod decode;
mod document;
mod error;
pub mod extract;
pub mod fetch;
mod files;
mod hash;
pub mod links;
pub mod near;
mod parquet_file;
pub mod read;
pub mod remove;
pub mod report;
pub mod web;

pub use document::{Document, Name, Outcome, Page, Place, Record, Row, Touch};
pub use error::Error;
