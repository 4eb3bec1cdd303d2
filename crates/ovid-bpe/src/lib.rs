//! Byte-level BPE: text to tokens and back, and training of vocabularies.
//!
//! In: bytes, and the vocabulary files of OpenAI, Hugging Face and GGUF. Out: the ids that GPT-2's own encoder gives, and back. It knows no model.
//! Follows Radford et al. 2019 (section 2.2, input representation) and the encoder that was published with it; merges as in Sennrich et al. 2016.
//!
//! Any byte string is accepted and comes back: `decode(encode(x)) == x`. Where a text is no UTF-8, each byte that is not part of a well-formed character
//! counts as a symbol, as the replacement character U+FFFD would; only the borders of words depend on that.
//!
//! ```
//! # let dir = tempfile::tempdir().unwrap();
//! use ovid_bpe::{SpecialPolicy, Tokenizer};
//!
//! let trained = ovid_bpe::train(["so it goes, so it goes"].iter(), 300, 2, &ovid_io::Silent)?;
//! trained.save_hf(dir.path())?;
//!
//! let tokenizer = Tokenizer::load(dir.path())?;
//! let ids = tokenizer.encode(b"so it goes<|endoftext|>");
//! assert_eq!(tokenizer.decode(&ids)?, b"so it goes<|endoftext|>");
//! let ids = tokenizer.encode_with(b"so it goes<|endoftext|>", SpecialPolicy::Allow)?;
//! assert_eq!(ids.last().copied(), tokenizer.end_of_text());
//! # Ok::<(), ovid_bpe::Error>(())
//! ```

mod alphabet;
mod batch;
mod cache;
mod error;
mod load;
mod merge;
mod save;
mod special;
mod split;
mod stream;
mod tokenizer;
mod train;
mod unicode;
mod vocabulary;

pub use error::Error;
pub use special::{AddedToken, SpecialPolicy};
pub use split::words;
pub use stream::{StreamDecoder, Utf8Stream};
pub use tokenizer::{Decoded, Encoding, Tokenizer, Trained};
pub use train::train;
pub use unicode::{Class, class_of};
