//! Pages to clean documents to token shards, with every choice recorded.
//!
//! In: lists of links with scores, saved pages, texts. Out: documents with their provenance, a row for every document that was left out, token shards split so that no near-copy crosses.
//! It rebuilds how GPT-2's training text was made (Radford et al. 2019, section 2.1): outbound links with a score of 3 or more, main text, no Wikipedia, no duplicates. It knows no model.
//! May import ovid-io, ovid-bpe and ovid-figures alone.

pub mod decode;
mod document;
mod error;
pub mod extract;
pub mod fetch;
pub mod read;

pub use document::{Document, Name, Outcome, Page, Place, Record, Row, Touch};
pub use error::Error;
