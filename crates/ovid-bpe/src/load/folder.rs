//! Folders: `tokenizer.json`; `vocab.json` + `merges.txt` (Hugging Face); `encoder.json` + `vocab.bpe` (OpenAI).

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json::{Vocab, parse};
use super::{bad, merge, placed, read, tokenizer_json};
use crate::special::AddedToken;
use crate::vocabulary::{END_OF_TEXT, Entry, Map, Parts, Set};
use crate::{Error, Tokenizer};

/// The files of a folder without `tokenizer.json`, each with its name for errors.
pub(super) struct Files<'a> {
    pub(super) vocab: (&'a Path, &'a str),
    pub(super) merges: (&'a Path, &'a str),
    /// `added_tokens.json`: Hugging Face's older folders keep what was added after training in a file of its own.
    pub(super) added: Option<(&'a Path, &'a str)>,
    /// `special_tokens_map.json`.
    pub(super) specials: Option<(&'a Path, &'a str)>,
}

pub(super) fn load(dir: &Path) -> Result<Tokenizer, Error> {
    let whole = dir.join("tokenizer.json");
    if whole.is_file() {
        return tokenizer_json::load(&whole, &read(&whole)?);
    }
    for (vocab, merges) in [("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe")] {
        let (vocab, merges) = (dir.join(vocab), dir.join(merges));
        if vocab.is_file() && merges.is_file() {
            let (added, specials) = (optional(dir.join("added_tokens.json"))?, optional(dir.join("special_tokens_map.json"))?);
            let files = Files {
                vocab: (&vocab, &read(&vocab)?),
                merges: (&merges, &read(&merges)?),
                added: added.as_ref().map(|(path, text)| (path.as_path(), text.as_str())),
                specials: specials.as_ref().map(|(path, text)| (path.as_path(), text.as_str())),
            };
            return files.load();
        }
    }
    Err(Error::NoVocabulary { path: dir.to_owned() })
}

fn optional(path: PathBuf) -> Result<Option<(PathBuf, String)>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let text = read(&path)?;
    Ok(Some((path, text)))
}

impl Files<'_> {
    pub(super) fn load(self) -> Result<Tokenizer, Error> {
        let (vocab, text) = self.vocab;
        let Vocab(mut tokens) = parse(vocab, text)?;
        let mut added = Vec::new();
        if let Some((more, text)) = self.added {
            let Vocab(found) = parse(more, text)?;
            let known: Map<&str, u32> = tokens.iter().map(|(token, id)| (token.as_ref(), *id)).collect();
            let mut new = Vec::new();
            for (token, id) in found {
                match known.get(token.as_ref()) {
                    Some(&other) if other != id => {
                        return Err(bad(more, format!("token {token:?}"), format!("id {id}, but {other} in {}", vocab.display())));
                    }
                    Some(_) => {}
                    None => new.push((token.clone(), id)),
                }
                added.push(AddedToken { id, text: token.into_owned(), special: true });
            }
            tokens.extend(new);
        }
        let specials = self.specials.map(|(path, text)| Specials::of(path, text)).transpose()?.unwrap_or_default();
        let mut literal: Set<u32> = added.iter().map(|a| a.id).collect();
        for (token, id) in &tokens {
            if (token == END_OF_TEXT || specials.named.contains(token.as_ref())) && literal.insert(*id) {
                added.push(AddedToken { id: *id, text: token.clone().into_owned(), special: true });
            }
        }
        let end = specials.end_of_text.as_deref().unwrap_or(END_OF_TEXT);
        let end_of_text = added.iter().find(|a| a.text == end).map(|a| a.id);
        let entries = tokens.into_iter().map(|(spelling, id)| Entry { spelling, id, literal: literal.contains(&id) }).collect();

        let (merges, text) = self.merges;
        let (mut list, mut lines) = (Vec::new(), Vec::new());
        for (number, line) in (1..).zip(text.split('\n')) {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !line.is_empty() && !line.starts_with("#version") {
                list.push(merge(line).map_err(|cause| bad(merges, format!("line {number}"), cause))?);
                lines.push(number);
            }
        }
        let parts = Parts { entries, merges: list, added, end_of_text };
        parts.build().map_err(|defect| placed(defect, (vocab, "tokens"), merges, |rank| format!("line {}", lines[rank])))
    }
}

/// What `special_tokens_map.json` says, where there is one.
#[derive(Default)]
struct Specials {
    named: Set<String>,
    end_of_text: Option<String>,
}

impl Specials {
    fn of(path: &Path, text: &str) -> Result<Self, Error> {
        let Value::Object(entries) = parse(path, text)? else { return Err(bad(path, "file", "no JSON object")) };
        let text_of = |value: &Value| value.as_str().or_else(|| value.get("content")?.as_str()).map(str::to_owned);
        let named =
            entries.values().flat_map(|v| v.as_array().map_or(std::slice::from_ref(v), Vec::as_slice)).filter_map(text_of).collect();
        Ok(Self { named, end_of_text: entries.get("eos_token").and_then(text_of) })
    }
}
