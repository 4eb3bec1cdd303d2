//! The tokenizer itself: text to ids and back.

use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::cache::Cache;
use crate::merge::Merges;
use crate::special::{Added, AddedToken, SpecialPolicy};

/// A byte-level BPE with GPT-2's pre-tokeniser.
///
/// Immutable and shared by reference between threads; each call borrows one of its word caches. Every byte string can be encoded, and `decode(encode(x)) == x`.
#[derive(Debug)]
pub struct Tokenizer {
    /// All tokens' bytes, one after the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    merges: Merges,
    added: Added,
    end_of_text: Option<u32>,
    /// Caches that no call uses now: as many as calls have ever run at once.
    caches: Mutex<Vec<Cache>>,
}

/// Tokens with the bytes that each came from: what `ovid tokenize encode --json` prints of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoding {
    /// The tokens.
    pub ids: Vec<u32>,
    /// Start and end of each token in the text, in bytes. They follow on one another without gaps; a character may be cut by them.
    pub offsets: Vec<(usize, usize)>,
}

/// What `ovid tokenize decode --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decoded {
    /// The text; what is no UTF-8 in it stands as U+FFFD.
    pub text: String,
    /// Whether the bytes are UTF-8, so that `text` is all of them.
    pub utf8: bool,
}

impl From<Vec<u8>> for Decoded {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self { text, utf8: true },
            Err(e) => Self { text: String::from_utf8_lossy(e.as_bytes()).into_owned(), utf8: false },
        }
    }
}

/// What `ovid tokenize train --json` prints of a vocabulary that was trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trained {
    /// Where its files lie.
    pub folder: PathBuf,
    /// Tokens in it.
    pub vocab_size: usize,
}

impl Tokenizer {
    /// `bytes` are all tokens' bytes, one after the other, and `ends` where each ends.
    pub(crate) fn new(bytes: Vec<u8>, ends: Vec<usize>, merges: Merges, added: Added, end_of_text: Option<u32>) -> Self {
        Self { bytes, ends, merges, added, end_of_text, caches: Mutex::default() }
    }

    /// Number of tokens; ids are below it.
    pub fn vocab_size(&self) -> usize {
        self.ends.len()
    }

    /// The token that ends a text, where the vocabulary has one.
    pub fn end_of_text(&self) -> Option<u32> {
        self.end_of_text
    }

    /// Special tokens and others that are matched as they are written, by rising id.
    pub fn added_tokens(&self) -> &[AddedToken] {
        self.added.tokens()
    }

    /// The bytes of a token, or `None` outside the vocabulary. A token may be part of a character.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        let end = *self.ends.get(id as usize)?;
        let start = if id == 0 { 0 } else { self.ends[id as usize - 1] };
        Some(&self.bytes[start..end])
    }

    /// The tokens of a text. The spelling of a special token in it is text like any other.
    pub fn encode(&self, text: &[u8]) -> Vec<u32> {
        // Treating special tokens as text refuses nothing.
        self.encode_with(text, SpecialPolicy::Text).unwrap_or_default()
    }

    /// The tokens of a text, with special tokens treated by `policy`.
    ///
    /// # Errors
    /// [`Error::SpecialToken`] where the text holds one and the policy is to refuse.
    pub fn encode_with(&self, text: &[u8], policy: SpecialPolicy) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::with_capacity(text.len() / 4 + 8);
        self.encode_into(text, policy, &mut ids)?;
        Ok(ids)
    }

    /// Appends the tokens of a text to `ids`, as [`Tokenizer::encode_with`] finds them.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_with`]; tokens before the refused one may have been appended.
    pub fn encode_into(&self, text: &[u8], policy: SpecialPolicy, ids: &mut Vec<u32>) -> Result<(), Error> {
        let idle = self.caches.lock().map_or(None, |mut caches| caches.pop());
        let mut cache = idle.unwrap_or_else(Cache::new);
        let outcome = self.added.split(text, policy, |ordinary, token| {
            cache.encode(&self.merges, ordinary, ids);
            ids.extend(token);
        });
        if let Ok(mut caches) = self.caches.lock() {
            caches.push(cache);
        }
        outcome
    }

    /// The tokens of a text and where each came from.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_with`].
    pub fn encode_offsets(&self, text: &[u8], policy: SpecialPolicy) -> Result<Encoding, Error> {
        let ids = self.encode_with(text, policy)?;
        let mut at = 0;
        // Tokens are the text cut into pieces, so their lengths are their places.
        let offsets = ids
            .iter()
            .map(|&id| {
                let start = at;
                at += self.token_bytes(id).map_or(0, <[u8]>::len);
                (start, at)
            })
            .collect();
        Ok(Encoding { ids, offsets })
    }

    /// The bytes of tokens, special ones as they are written.
    ///
    /// # Errors
    /// [`Error::UnknownToken`] for an id outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            bytes.extend_from_slice(self.known(id)?);
        }
        Ok(bytes)
    }

    pub(crate) fn known(&self, id: u32) -> Result<&[u8], Error> {
        self.token_bytes(id).ok_or(Error::UnknownToken { id, vocab_size: self.vocab_size() })
    }

    pub(crate) fn merges(&self) -> &Merges {
        &self.merges
    }
}
