//! Folders: `tokenizer.json`; `vocab.json` + `merges.txt` (Hugging Face); `encoder.json` + `vocab.bpe` (OpenAI).

use std::path::Path;

use serde_json::Value;

use super::tokenizer_json::Vocab;
use super::{bad, bad_json, by_id, placed, read, read_merge, tokenizer_json};
use crate::alphabet::Reader;
use crate::special::AddedToken;
use crate::vocabulary::{END_OF_TEXT, Parts};
use crate::{Error, Tokenizer};

pub(super) fn load(dir: &Path) -> Result<Tokenizer, Error> {
    let whole = dir.join("tokenizer.json");
    if whole.is_file() {
        return tokenizer_json::load(&whole);
    }
    for (vocab, merges) in [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")] {
        let (vocab, merges) = (dir.join(vocab), dir.join(merges));
        if vocab.is_file() && merges.is_file() {
            return load_pair(dir, &vocab, &merges);
        }
    }
    Err(Error::NoVocabulary { path: dir.to_owned() })
}

fn load_pair(dir: &Path, vocab: &Path, merges: &Path) -> Result<Tokenizer, Error> {
    let Vocab(mut entries) = serde_json::from_str(&read(vocab)?).map_err(|e| bad_json(vocab, &e))?;
    // Hugging Face's older folders keep what was added after training in a file of its own.
    let more = dir.join("added_tokens.json");
    let mut added = Vec::new();
    if more.is_file() {
        let Vocab(found) = serde_json::from_str(&read(&more)?).map_err(|e| bad_json(&more, &e))?;
        added.extend(found.iter().map(|(text, id)| AddedToken { id: *id, text: text.clone(), special: true }));
        entries.extend(found.into_iter().filter(|entry| !entries.contains(entry)).collect::<Vec<_>>());
    }
    let map = named_specials(dir)?;
    for text in map.named.iter().map(String::as_str).chain([END_OF_TEXT]) {
        if let Some((_, id)) = entries.iter().find(|(token, _)| token == text)
            && added.iter().all(|a| a.id != *id)
        {
            added.push(AddedToken { id: *id, text: text.to_owned(), special: true });
        }
    }
    let end = map.end_of_text.as_deref().unwrap_or(END_OF_TEXT);
    let end_of_text = added.iter().find(|a| a.text == end).map(|a| a.id);
    let tokens = by_id(entries, |id| added.iter().any(|a| a.id == id)).map_err(|cause| bad(vocab, "tokens", cause))?;
    let (merge_list, lines) = read_merges(merges)?;
    let parts = Parts { tokens, merges: merge_list, added, end_of_text };
    parts.build().map_err(|defect| placed(defect, (vocab, "tokens"), merges, |rank| format!("line {}", lines[rank])))
}

type MergeList = Vec<(Vec<u8>, Vec<u8>)>;

/// The merges and the line of each.
fn read_merges(path: &Path) -> Result<(MergeList, Vec<usize>), Error> {
    let text = read(path)?;
    let reader = Reader::new();
    let (mut list, mut lines) = (Vec::new(), Vec::new());
    for (i, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() || line.starts_with("#version") {
            continue;
        }
        list.push(read_merge(&reader, line).map_err(|cause| bad(path, format!("line {}", i + 1), cause))?);
        lines.push(i + 1);
    }
    Ok((list, lines))
}

/// What `special_tokens_map.json` says, where there is one.
#[derive(Default)]
struct SpecialMap {
    named: Vec<String>,
    end_of_text: Option<String>,
}

fn named_specials(dir: &Path) -> Result<SpecialMap, Error> {
    let path = dir.join("special_tokens_map.json");
    if !path.is_file() {
        return Ok(SpecialMap::default());
    }
    let value: Value = serde_json::from_str(&read(&path)?).map_err(|e| bad_json(&path, &e))?;
    let Value::Object(entries) = value else { return Err(bad(&path, "file", "no JSON object")) };
    let text_of = |value: &Value| value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned);
    let named = entries.values().flat_map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice)).filter_map(text_of).collect();
    Ok(SpecialMap { named, end_of_text: entries.get("eos_token").and_then(text_of) })
}
