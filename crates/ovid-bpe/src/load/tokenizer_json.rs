//! Hugging Face's `tokenizer.json`, as far as it describes GPT-2's kind of tokenizer. Every setting that would change an id is refused by its name.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::json::{Merge, Vocab, parse};
use super::{bad, merge, placed};
use crate::special::AddedToken;
use crate::vocabulary::{END_OF_TEXT, Entry, Map, Parts, Set};
use crate::{Error, Tokenizer};

#[derive(Deserialize)]
struct File<'a> {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    #[serde(borrow)]
    model: Model<'a>,
}

#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the format has these flags")]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
}

#[derive(Deserialize)]
struct Model<'a> {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    dropout: Option<f64>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
    #[serde(borrow)]
    vocab: Vocab<'a>,
    #[serde(borrow)]
    merges: Vec<Merge<'a>>,
}

pub(super) fn load(path: &Path, text: &str) -> Result<Tokenizer, Error> {
    let file: File<'_> = parse(path, text)?;
    if let Some(cause) = refusal(&file) {
        return Err(Error::Unsupported { path: path.to_owned(), cause });
    }
    let Vocab(mut tokens) = file.model.vocab;
    let added: Vec<AddedToken> =
        file.added_tokens.into_iter().map(|a| AddedToken { id: a.id, text: a.content, special: a.special }).collect();
    let known: Map<&str, u32> = tokens.iter().map(|(token, id)| (token.as_ref(), *id)).collect();
    let mut new = Vec::new();
    for AddedToken { id, text, .. } in &added {
        match known.get(text.as_str()) {
            Some(other) if other != id => {
                return Err(bad(path, "added_tokens", format!("token {text:?} has id {id} there and {other} in model.vocab")));
            }
            Some(_) => {}
            None => new.push((Cow::Owned(text.clone()), *id)),
        }
    }
    let end_of_text = known.get(END_OF_TEXT).copied().or_else(|| added.iter().find(|a| a.text == END_OF_TEXT).map(|a| a.id));
    tokens.extend(new);
    let literal: Set<u32> = added.iter().map(|a| a.id).collect();
    let entries = tokens.into_iter().map(|(spelling, id)| Entry { spelling, id, literal: literal.contains(&id) }).collect();
    let mut merges = Vec::with_capacity(file.model.merges.len());
    for (rank, entry) in file.model.merges.into_iter().enumerate() {
        merges.push(match entry {
            Merge::Pair(left, right) => (left, right),
            Merge::Line(Cow::Borrowed(line)) => merge(line).map_err(|cause| bad(path, merge_place(rank), cause))?,
            Merge::Line(Cow::Owned(line)) => {
                let (left, right) = merge(&line).map_err(|cause| bad(path, merge_place(rank), cause))?;
                (left.into_owned().into(), right.into_owned().into())
            }
        });
    }
    Parts { entries, merges, added, end_of_text }.build().map_err(|defect| placed(defect, (path, "model.vocab"), path, merge_place))
}

fn merge_place(rank: usize) -> String {
    format!("model.merges[{rank}]")
}

/// The first setting that GPT-2's tokenizer does not have.
fn refusal(file: &File<'_>) -> Option<String> {
    let model = &file.model;
    let given = |text: &Option<String>| text.as_ref().is_some_and(|t| !t.is_empty());
    let kind = |v: &Value| v.get("type").and_then(Value::as_str).unwrap_or("of no type").to_owned();
    if let Some(kind) = model.kind.as_ref().filter(|k| *k != "BPE") {
        return Some(format!("model.type is {kind}"));
    }
    if let Some(dropout) = model.dropout.filter(|&p| p != 0.0) {
        return Some(format!("model.dropout is {dropout}"));
    }
    for (name, set) in [
        ("continuing_subword_prefix", given(&model.continuing_subword_prefix)),
        ("end_of_word_suffix", given(&model.end_of_word_suffix)),
        ("byte_fallback", model.byte_fallback),
        ("ignore_merges", model.ignore_merges),
    ] {
        if set {
            return Some(format!("model.{name} is set"));
        }
    }
    if !file.normalizer.is_null() {
        return Some(format!("normalizer is {}", kind(&file.normalizer)));
    }
    if kind(&file.pre_tokenizer) != "ByteLevel" {
        return Some(format!("pre_tokenizer is {}", kind(&file.pre_tokenizer)));
    }
    if file.pre_tokenizer.get("add_prefix_space").and_then(Value::as_bool) == Some(true) {
        return Some("pre_tokenizer.add_prefix_space is set".into());
    }
    if file.pre_tokenizer.get("use_regex").and_then(Value::as_bool) == Some(false) {
        return Some("pre_tokenizer.use_regex is false".into());
    }
    for (name, part) in [("post_processor", &file.post_processor), ("decoder", &file.decoder)] {
        if !part.is_null() && kind(part) != "ByteLevel" {
            return Some(format!("{name} is {}", kind(part)));
        }
    }
    file.added_tokens
        .iter()
        .find(|a| a.single_word || a.lstrip || a.rstrip)
        .map(|a| format!("added token {:?} has single_word, lstrip or rstrip", a.content))
}
