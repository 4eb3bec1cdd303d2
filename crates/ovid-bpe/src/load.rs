//! Reading vocabularies: Hugging Face's and OpenAI's files, and what stands in a GGUF.
//!
//! Every file is untrusted: its size is checked before it is read, and what is wrong is said with file and place.

mod folder;
mod gguf;
mod json;
mod tokenizer_json;

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use ovid_io::gguf::Gguf;

use crate::vocabulary::{Defect, shown};
use crate::{Error, Tokenizer};

/// Larger vocabulary files are refused: GPT-2's largest has 3.6 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;

impl Tokenizer {
    /// Reads the vocabulary at `path`: a `tokenizer.json`, a GGUF, or a folder with `tokenizer.json`, with `vocab.json` and `merges.txt`, or with
    /// `encoder.json` and `vocab.bpe` (the first of them that is there).
    ///
    /// # Errors
    /// If a file is absent, too large, malformed, contradicts itself, or describes another kind of tokenizer.
    pub fn load(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return folder::load(path);
        }
        let mut magic = Vec::new();
        File::open(path).and_then(|file| file.take(4).read_to_end(&mut magic)).map_err(|cause| ovid_io::Error::io(path, "read", cause))?;
        if magic == b"GGUF" { Self::from_gguf(&Gguf::open(path)?) } else { Self::from_tokenizer_json(path, &read(path)?) }
    }

    /// The tokenizer that the text of a `tokenizer.json` describes. `path` names the text in errors; nothing is read.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn from_tokenizer_json(path: &Path, text: &str) -> Result<Self, Error> {
        tokenizer_json::load(path, text)
    }

    /// The tokenizer that the texts of `vocab.json` and `merges.txt` (or `encoder.json` and `vocab.bpe`) describe. The paths name the texts in errors;
    /// nothing is read.
    ///
    /// # Errors
    /// As [`Tokenizer::load`].
    pub fn from_vocab_and_merges(vocab: (&Path, &str), merges: (&Path, &str)) -> Result<Self, Error> {
        folder::Files { vocab, merges, added: None, specials: None }.load()
    }
}

/// The whole file as text.
fn read(path: &Path) -> Result<String, Error> {
    let failed = |cause| ovid_io::Error::io(path, "read", cause);
    let n_bytes = fs::metadata(path).map_err(failed)?.len();
    if n_bytes > MAX_FILE_BYTES {
        return Err(bad(path, "file", format!("{n_bytes} bytes, more than the {MAX_FILE_BYTES} that are read")));
    }
    // The size that was checked may have changed since.
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_FILE_BYTES).read_to_string(&mut text)).map_err(failed)?;
    Ok(text)
}

fn bad(path: &Path, place: impl Into<String>, cause: impl Into<String>) -> Error {
    Error::Vocabulary { path: path.to_owned(), place: place.into(), cause: cause.into() }
}

/// A merge as files write it: two tokens with a space between.
fn merge(line: &str) -> Result<(Cow<'_, str>, Cow<'_, str>), String> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => Ok((left.into(), right.into())),
        _ => Err(format!("a merge is two tokens with one space between, not {}", shown(line))),
    }
}

/// Puts a [`Defect`] to the file and place that it is about.
fn placed(defect: Defect, tokens: (&Path, &str), merges: &Path, merge_place: impl Fn(usize) -> String) -> Error {
    match defect {
        Defect::Tokens(cause) => bad(tokens.0, tokens.1, cause),
        Defect::Merge(rank, cause) => bad(merges, merge_place(rank), cause),
    }
}
