//! What a vocabulary consists of, and the checks that make a tokenizer of it.

use std::collections::HashMap;

use crate::merge::Merges;
use crate::special::{Added, AddedToken};
use crate::tokenizer::Tokenizer;

/// More tokens than this are refused before anything is allocated for them.
pub(crate) const MAX_TOKENS: usize = 1 << 22;
/// GPT-2's one special token.
pub(crate) const END_OF_TEXT: &str = "<|endoftext|>";

/// A vocabulary as a reader found it: nothing in it is checked.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Bytes of each token in the order of ids; `None` where no token has the id.
    pub(crate) tokens: Vec<Option<Vec<u8>>>,
    /// Left and right token of each merge, as bytes.
    pub(crate) merges: Vec<(Vec<u8>, Vec<u8>)>,
    /// Tokens that are found in the text as they are written, before it is split into words.
    pub(crate) added: Vec<AddedToken>,
    /// The id that ends a text.
    pub(crate) end_of_text: Option<u32>,
}

/// What is wrong with [`Parts`], in terms that a reader can turn into a place of its file.
#[derive(Debug)]
pub(crate) enum Defect {
    /// Of the vocabulary as a whole or of one of its tokens.
    Tokens(String),
    /// Of the merge with this rank.
    Merge(usize, String),
}

/// Bytes for people: text where it is text.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().count() > 60 { format!("{:?}…", text.chars().take(60).collect::<String>()) } else { format!("{text:?}") }
}

impl Parts {
    pub(crate) fn build(self) -> Result<Tokenizer, Defect> {
        if self.tokens.len() > MAX_TOKENS {
            return Err(Defect::Tokens(format!("{} tokens, more than the {MAX_TOKENS} that are read", self.tokens.len())));
        }
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for (id, token) in self.tokens.into_iter().enumerate() {
            tokens.push(token.ok_or_else(|| Defect::Tokens(format!("no token has id {id}")))?);
        }
        // Added tokens are no text to merge: one that is spelled like an ordinary token shadows nothing.
        let mut ids: HashMap<&[u8], u32> = HashMap::with_capacity(tokens.len());
        for (id, token) in tokens.iter().enumerate() {
            if self.added.iter().any(|a| a.id as usize == id) {
                continue;
            }
            if token.is_empty() {
                return Err(Defect::Tokens(format!("token {id} is empty")));
            }
            if let Some(earlier) = ids.insert(token, id as u32) {
                return Err(Defect::Tokens(format!("token {} has two ids, {earlier} and {id}", shown(token))));
            }
        }
        let mut byte_ids = [0; 256];
        for byte in 0..=255_u8 {
            byte_ids[byte as usize] =
                *ids.get(&[byte][..]).ok_or_else(|| Defect::Tokens(format!("no token stands for byte {byte:#04x} alone")))?;
        }
        let mut list = Vec::with_capacity(self.merges.len());
        let mut joined = Vec::new();
        for (rank, (left, right)) in self.merges.iter().enumerate() {
            let id = |token: &[u8]| {
                ids.get(token).copied().ok_or_else(|| Defect::Merge(rank, format!("token {} is not in the vocabulary", shown(token))))
            };
            joined.clear();
            joined.extend_from_slice(left);
            joined.extend_from_slice(right);
            list.push((id(left)?, id(right)?, id(&joined)?));
        }
        let merges = Merges::new(list, &byte_ids).map_err(|(earlier, later)| {
            let (left, right) = &self.merges[later];
            Defect::Merge(later, format!("merge of {} and {} comes twice: it is number {} too", shown(left), shown(right), earlier + 1))
        })?;
        let added = Added::new(self.added);
        Ok(Tokenizer::new(&tokens, merges, added, self.end_of_text))
    }
}
