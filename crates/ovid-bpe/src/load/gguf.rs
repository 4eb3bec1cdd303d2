//! The vocabulary inside a GGUF, by llama.cpp's keys `tokenizer.ggml.*`: reading it, and the keys and values for writing one.

use ovid_io::gguf::{Gguf, Kind, Value, ValueRef};

use super::{bad, merge, placed};
use crate::alphabet::{characters, write};
use crate::special::AddedToken;
use crate::vocabulary::{END_OF_TEXT, Entry, Parts, Set};
use crate::{Error, Tokenizer};

const MODEL: &str = "tokenizer.ggml.model";
const PRE: &str = "tokenizer.ggml.pre";
const TOKENS: &str = "tokenizer.ggml.tokens";
const TYPES: &str = "tokenizer.ggml.token_type";
const MERGES: &str = "tokenizer.ggml.merges";
const BEGIN: &str = "tokenizer.ggml.bos_token_id";
const END: &str = "tokenizer.ggml.eos_token_id";

/// llama.cpp's `LLAMA_TOKEN_TYPE_*`.
mod kind {
    pub(super) const NORMAL: i32 = 1;
    pub(super) const UNKNOWN: i32 = 2;
    pub(super) const CONTROL: i32 = 3;
    pub(super) const USER_DEFINED: i32 = 4;
    pub(super) const UNUSED: i32 = 5;
}

impl Tokenizer {
    /// The tokenizer that a GGUF describes.
    ///
    /// # Errors
    /// If it is of another kind than GPT-2's, or its keys are missing or contradict one another.
    pub fn from_gguf(file: &Gguf) -> Result<Self, Error> {
        let path = file.path();
        let refuse = |cause| Err(Error::Unsupported { path: path.to_owned(), cause });
        match file.text(MODEL)? {
            Some("gpt2") => {}
            Some(other) => return refuse(format!("{MODEL} is {other:?}")),
            None => return Err(bad(path, MODEL, "the key is missing")),
        }
        // Files from before 2024 have no such key; what was written as "gpt2" then was split by GPT-2's pattern.
        if let Some(pre) = file.text(PRE)?.filter(|pre| *pre != "gpt-2") {
            return refuse(format!("{PRE} is {pre:?}"));
        }
        let Some(tokens) = file.array(TOKENS, Kind::String)? else { return Err(bad(path, TOKENS, "the key is missing")) };
        let Some(merges) = file.array(MERGES, Kind::String)? else { return Err(bad(path, MERGES, "the key is missing")) };
        let types: Option<Vec<i32>> = file.array(TYPES, Kind::I32)?.map(|types| {
            let number = |value| if let ValueRef::I32(number) = value { number } else { kind::NORMAL };
            types.iter().map(number).collect()
        });
        let n = tokens.len();
        if let Some(types) = types.as_ref().filter(|types| types.len() != n) {
            return Err(bad(path, TYPES, format!("{} types for {n} tokens", types.len())));
        }
        let mut added = Vec::new();
        let mut entries = Vec::with_capacity(n);
        for (id, text) in (0..).zip(tokens.texts()) {
            let kind = types.as_ref().map_or(kind::NORMAL, |types| types[id as usize]);
            let matched = kind == kind::CONTROL || kind == kind::USER_DEFINED || text == END_OF_TEXT;
            if matched {
                added.push(AddedToken { id, text: text.to_owned(), special: kind != kind::USER_DEFINED });
            }
            entries.push(Entry { spelling: text.into(), id, literal: matched || kind == kind::UNUSED || kind == kind::UNKNOWN });
        }
        let end_of_text = match file.count(END)? {
            Some(id) if id >= n as u64 => return Err(bad(path, END, format!("{id} is outside the vocabulary of {n} tokens"))),
            Some(id) => Some(id as u32),
            None => added.iter().find(|a| a.text == END_OF_TEXT).map(|a| a.id),
        };
        let place = |rank: usize| format!("{MERGES}[{rank}]");
        let read = |(rank, line)| merge(line).map_err(|cause| bad(path, place(rank), cause));
        let merges = merges.texts().enumerate().map(read).collect::<Result<_, _>>()?;
        let parts = Parts { entries, merges, added, end_of_text };
        parts.build().map_err(|defect| placed(defect, (path, TOKENS), path, place))
    }

    /// The keys and values that describe this tokenizer in a GGUF, as llama.cpp reads them.
    pub fn gguf_metadata(&self) -> Vec<(String, Value)> {
        let alphabet = characters();
        let ids = 0..self.vocab_size() as u32;
        let controls: Set<u32> = self.added_tokens().iter().filter(|a| a.special).map(|a| a.id).collect();
        let others: Set<u32> = self.added_tokens().iter().filter(|a| !a.special).map(|a| a.id).collect();
        let kind = |id| match id {
            id if controls.contains(&id) => kind::CONTROL,
            id if others.contains(&id) => kind::USER_DEFINED,
            _ => kind::NORMAL,
        };
        let text = |text: &str| Value::String(text.to_owned());
        let mut pairs = vec![
            (MODEL.to_owned(), text("gpt2")),
            (PRE.to_owned(), text("gpt-2")),
            (TOKENS.to_owned(), Value::Array(Kind::String, self.spellings(&alphabet).into_iter().map(Value::String).collect())),
            (TYPES.to_owned(), Value::Array(Kind::I32, ids.map(|id| Value::I32(kind(id))).collect())),
            (MERGES.to_owned(), Value::Array(Kind::String, self.merge_lines(&alphabet).into_iter().map(Value::String).collect())),
        ];
        if let Some(id) = self.end_of_text() {
            pairs.push((BEGIN.to_owned(), Value::U32(id)));
            pairs.push((END.to_owned(), Value::U32(id)));
        }
        pairs
    }

    /// The tokens as vocabulary files write them, in the order of ids.
    pub(crate) fn spellings(&self, alphabet: &[char; 256]) -> Vec<String> {
        let mut all: Vec<String> =
            (0..self.vocab_size() as u32).map(|id| write(self.token_bytes(id).unwrap_or_default(), alphabet)).collect();
        for token in self.added_tokens() {
            all[token.id as usize].clone_from(&token.text);
        }
        all
    }

    /// The merges as files write them.
    pub(crate) fn merge_lines(&self, alphabet: &[char; 256]) -> Vec<String> {
        let written = |id| write(self.token_bytes(id).unwrap_or_default(), alphabet);
        self.merges().list().iter().map(|&(left, right, _)| format!("{} {}", written(left), written(right))).collect()
    }
}
