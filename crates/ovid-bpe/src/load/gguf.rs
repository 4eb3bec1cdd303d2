//! The vocabulary inside a GGUF, by llama.cpp's keys `tokenizer.ggml.*`.

use std::path::Path;

use super::{bad, by_id, placed, read_merge};
use crate::alphabet::{Reader, characters, write};
use crate::special::AddedToken;
use crate::vocabulary::{END_OF_TEXT, Parts};
use crate::{Error, Tokenizer};

/// llama.cpp's `LLAMA_TOKEN_TYPE_*`.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// The keys of a GGUF that make its tokenizer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GgufVocabulary {
    /// `tokenizer.ggml.model`: `gpt2` for byte-level BPE.
    pub model: String,
    /// `tokenizer.ggml.pre`: `gpt-2` for GPT-2's pattern; old files have none.
    pub pre: Option<String>,
    /// `tokenizer.ggml.tokens`, in GPT-2's alphabet.
    pub tokens: Vec<String>,
    /// `tokenizer.ggml.merges`: two tokens with a space between.
    pub merges: Vec<String>,
    /// `tokenizer.ggml.token_type`: 1 ordinary, 3 control, 4 added by the user.
    pub token_types: Option<Vec<i32>>,
    /// `tokenizer.ggml.bos_token_id`.
    pub bos: Option<u32>,
    /// `tokenizer.ggml.eos_token_id`.
    pub eos: Option<u32>,
}

impl Tokenizer {
    /// The tokenizer that a GGUF's keys describe. `path` is the file they came from, for errors.
    ///
    /// # Errors
    /// If it is of another kind than GPT-2's, or its keys contradict one another.
    pub fn from_gguf(vocabulary: GgufVocabulary, path: &Path) -> Result<Self, Error> {
        let refuse = |cause| Err(Error::Unsupported { path: path.to_owned(), cause });
        if vocabulary.model != "gpt2" {
            return refuse(format!("tokenizer.ggml.model is {:?}", vocabulary.model));
        }
        if let Some(pre) = vocabulary.pre.filter(|pre| pre != "gpt-2") {
            return refuse(format!("tokenizer.ggml.pre is {pre:?}"));
        }
        let n = vocabulary.tokens.len();
        let types = vocabulary.token_types.unwrap_or_default();
        if !types.is_empty() && types.len() != n {
            return Err(bad(path, "tokenizer.ggml.token_type", format!("{} types for {n} tokens", types.len())));
        }
        let mut added = Vec::new();
        for (id, text) in vocabulary.tokens.iter().enumerate() {
            let kind = types.get(id).copied().unwrap_or(NORMAL);
            if kind == CONTROL || kind == USER_DEFINED || text == END_OF_TEXT {
                added.push(AddedToken { id: id as u32, text: text.clone(), special: kind != USER_DEFINED });
            }
        }
        if let Some(eos) = vocabulary.eos.filter(|&id| id as usize >= n) {
            return Err(bad(path, "tokenizer.ggml.eos_token_id", format!("{eos} is outside the vocabulary of {n} tokens")));
        }
        let end_of_text = vocabulary.eos.or_else(|| added.iter().find(|a| a.text == END_OF_TEXT).map(|a| a.id));
        let literal: std::collections::HashSet<u32> = added.iter().map(|a| a.id).collect();
        let entries = vocabulary.tokens.into_iter().zip(0..).collect();
        let tokens = by_id(entries, |id| literal.contains(&id)).map_err(|cause| bad(path, "tokenizer.ggml.tokens", cause))?;
        let reader = Reader::new();
        let place = |rank: usize| format!("tokenizer.ggml.merges[{rank}]");
        let merge = |(rank, line): (usize, &String)| read_merge(&reader, line).map_err(|cause| bad(path, place(rank), cause));
        let merges = vocabulary.merges.iter().enumerate().map(merge).collect::<Result<_, _>>()?;
        let parts = Parts { tokens, merges, added, end_of_text };
        parts.build().map_err(|defect| placed(defect, (path, "tokenizer.ggml.tokens"), path, place))
    }

    /// The keys that describe this tokenizer in a GGUF, as llama.cpp reads them.
    pub fn to_gguf(&self) -> GgufVocabulary {
        let alphabet = characters();
        let kind =
            |id: u32| self.added_tokens().iter().find(|a| a.id == id).map_or(NORMAL, |a| if a.special { CONTROL } else { USER_DEFINED });
        let ids = 0..self.vocab_size() as u32;
        GgufVocabulary {
            model: "gpt2".into(),
            pre: Some("gpt-2".into()),
            tokens: ids.clone().map(|id| self.spelling(id, &alphabet)).collect(),
            merges: self.merge_lines(&alphabet).collect(),
            token_types: Some(ids.map(kind).collect()),
            bos: self.end_of_text(),
            eos: self.end_of_text(),
        }
    }

    /// A token as vocabulary files write it.
    pub(crate) fn spelling(&self, id: u32, alphabet: &[char; 256]) -> String {
        match self.added_tokens().iter().find(|a| a.id == id) {
            Some(added) => added.text.clone(),
            None => write(self.token_bytes(id).unwrap_or_default(), alphabet),
        }
    }

    /// The merges as files write them.
    pub(crate) fn merge_lines<'t>(&'t self, alphabet: &'t [char; 256]) -> impl Iterator<Item = String> + 't {
        let written = |id| write(self.token_bytes(id).unwrap_or_default(), alphabet);
        self.merges().list().iter().map(move |&(left, right, _)| format!("{} {}", written(left), written(right)))
    }
}
