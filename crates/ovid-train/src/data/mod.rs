//! From files to rows of tokens.
//!
//! In: folders of token shards (or texts, tokenised once into such folders). Out: for every row number of the run its tokens, as a pure function of
//! (data, seed, row number): nothing has to be remembered to go on with a run, and ranks need not speak to each other.

mod corpus;
mod loader;
mod pieces;
mod prepare;

pub use corpus::{Corpus, Entry, Tokens};
pub use loader::Loader;
pub use pieces::{Piece, cut};
pub use prepare::{shard_texts, write_shards};
