//! Hugging Face's `tokenizer.json`, as far as it describes GPT-2's kind of tokenizer. Every setting that would change an id is refused by its name.

use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{bad, bad_json, by_id, placed, read, read_merge, read_token};
use crate::alphabet::Reader;
use crate::special::AddedToken;
use crate::vocabulary::{END_OF_TEXT, MAX_TOKENS, Parts};
use crate::{Error, Tokenizer};

/// `{"token": id, …}` with its entries in the order of the file. A token that comes twice is an error, not an overwriting.
pub(super) struct Vocab(pub(super) Vec<(String, u32)>);

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vocab;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tokens with their ids")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
                let mut entries: Vec<(String, u32)> = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    if entries.len() == MAX_TOKENS {
                        return Err(serde::de::Error::custom(format_args!("more than the {MAX_TOKENS} tokens that are read")));
                    }
                    entries.push(entry);
                }
                Ok(Vocab(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[derive(Deserialize)]
struct File {
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
    model: Model,
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
struct Model {
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
    vocab: Vocab,
    merges: Vec<Merge>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Line(String),
    Pair(String, String),
}

pub(super) fn load(path: &Path) -> Result<Tokenizer, Error> {
    let file: File = serde_json::from_str(&read(path)?).map_err(|e| bad_json(path, &e))?;
    if let Some(cause) = refusal(&file) {
        return Err(Error::Unsupported { path: path.to_owned(), cause });
    }
    let Vocab(mut entries) = file.model.vocab;
    let added: Vec<AddedToken> =
        file.added_tokens.into_iter().map(|a| AddedToken { id: a.id, text: a.content, special: a.special }).collect();
    let known: std::collections::HashMap<String, u32> = entries.iter().cloned().collect();
    for token in &added {
        match known.get(&token.text) {
            None => entries.push((token.text.clone(), token.id)),
            Some(&id) if id == token.id => {}
            Some(id) => {
                let cause = format!("{:?} has id {} there and {id} in the vocabulary", token.text, token.id);
                return Err(bad(path, "added_tokens", cause));
            }
        }
    }
    let end_of_text = added.iter().find(|a| a.text == END_OF_TEXT).map(|a| a.id).or_else(|| known.get(END_OF_TEXT).copied());
    let literal: std::collections::HashSet<u32> = added.iter().map(|a| a.id).collect();
    let tokens = by_id(entries, |id| literal.contains(&id)).map_err(|cause| bad(path, "model.vocab", cause))?;
    let reader = Reader::new();
    let merge = |(rank, merge): (usize, Merge)| {
        let read = match merge {
            Merge::Line(line) => read_merge(&reader, &line),
            Merge::Pair(left, right) => read_token(&reader, &left).and_then(|l| Ok((l, read_token(&reader, &right)?))),
        };
        read.map_err(|cause| bad(path, merge_place(rank), cause))
    };
    let merges = file.model.merges.into_iter().enumerate().map(merge).collect::<Result<_, _>>()?;
    Parts { tokens, merges, added, end_of_text }.build().map_err(|defect| placed(defect, (path, "model.vocab"), path, merge_place))
}

fn merge_place(rank: usize) -> String {
    format!("model.merges[{rank}]")
}

/// The first setting that GPT-2's tokenizer does not have.
fn refusal(file: &File) -> Option<String> {
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
