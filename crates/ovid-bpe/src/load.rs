//! Reading vocabularies: Hugging Face's and OpenAI's files, and what stands in a GGUF.
//!
//! Every file is untrusted: its size is checked before it is read, and what is wrong is said with file and place.

mod folder;
mod gguf;
mod tokenizer_json;

use std::fs;
use std::path::Path;

pub use gguf::GgufVocabulary;

use crate::alphabet::Reader;
use crate::vocabulary::{Defect, MAX_TOKENS, shown};
use crate::{Error, Tokenizer};

/// Larger vocabulary files are refused: GPT-2's largest has 3.6 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;

impl Tokenizer {
    /// Reads the vocabulary at `path`: a `tokenizer.json`, or a folder with `tokenizer.json`, with `vocab.json` and `merges.txt`, or with `encoder.json`
    /// and `vocab.bpe` (the first of them that is there).
    ///
    /// # Errors
    /// If a file is absent, too large, malformed, contradicts itself, or describes another kind of tokenizer.
    pub fn load(path: &Path) -> Result<Self, Error> {
        if path.is_dir() { folder::load(path) } else { tokenizer_json::load(path) }
    }
}

/// The whole file as text.
fn read(path: &Path) -> Result<String, Error> {
    let failed = |cause| ovid_io::Error::io(path, "read", cause);
    let n_bytes = fs::metadata(path).map_err(failed)?.len();
    if n_bytes > MAX_FILE_BYTES {
        return Err(bad(path, "file", format!("{n_bytes} bytes, more than the {MAX_FILE_BYTES} that are read")));
    }
    Ok(fs::read_to_string(path).map_err(failed)?)
}

fn bad(path: &Path, place: impl Into<String>, cause: impl Into<String>) -> Error {
    Error::Vocabulary { path: path.to_owned(), place: place.into(), cause: cause.into() }
}

fn bad_json(path: &Path, error: &serde_json::Error) -> Error {
    bad(path, format!("line {} column {}", error.line(), error.column()), error.to_string())
}

/// Entries `token: id` as tokens by id. Spellings in `literal` are taken as they are written, all others are read in GPT-2's alphabet.
fn by_id(entries: Vec<(String, u32)>, literal: impl Fn(u32) -> bool) -> Result<Vec<Option<Vec<u8>>>, String> {
    if let Some((token, id)) = entries.iter().find(|(_, id)| *id as usize >= MAX_TOKENS) {
        return Err(format!("token {} has id {id}, more than the {MAX_TOKENS} that are read", shown(token.as_bytes())));
    }
    // An id far above the number of tokens would be a large table with nothing in it.
    let n = entries.iter().map(|&(_, id)| id as usize + 1).max().unwrap_or(0);
    if n > entries.len() * 2 + 1024 {
        return Err(format!("{} tokens have ids up to {}", entries.len(), n - 1));
    }
    let reader = Reader::new();
    let mut tokens: Vec<Option<Vec<u8>>> = vec![None; n];
    for (spelling, id) in entries {
        let bytes = if literal(id) {
            spelling.into_bytes()
        } else {
            read_token(&reader, &spelling).map_err(|cause| format!("id {id}: {cause}"))?
        };
        if let Some(earlier) = tokens[id as usize].replace(bytes) {
            let now = tokens[id as usize].as_deref().unwrap_or_default();
            return Err(format!("tokens {} and {} have the same id {id}", shown(&earlier), shown(now)));
        }
    }
    Ok(tokens)
}

fn read_token(reader: &Reader, spelling: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(spelling.len());
    reader.read(spelling, &mut bytes).map_err(|c| format!("token {} has {c:?}, which stands for no byte", shown(spelling.as_bytes())))?;
    Ok(bytes)
}

/// A merge as files write it: two tokens with a space between.
fn read_merge(reader: &Reader, line: &str) -> Result<(Vec<u8>, Vec<u8>), String> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((read_token(reader, left)?, read_token(reader, right)?))
        }
        _ => Err(format!("a merge is two tokens with one space between, not {}", shown(line.as_bytes()))),
    }
}

/// Puts a [`Defect`] to the file and place that it is about.
fn placed(defect: Defect, tokens: (&Path, &str), merges: &Path, merge_place: impl Fn(usize) -> String) -> Error {
    match defect {
        Defect::Tokens(cause) => bad(tokens.0, tokens.1, cause),
        Defect::Merge(rank, cause) => bad(merges, merge_place(rank), cause),
    }
}
