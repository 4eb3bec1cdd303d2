//! Back from a place in the index to the training text that stands there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use ovid_io::documents::{Documents, Limits};

use crate::{DocumentEntry, Index, Span, Words};

/// A piece of a training document around what was copied from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Text before.
    pub before: String,
    /// What was copied, as the training text has it.
    pub copied: String,
    /// Text after.
    pub after: String,
    /// Its words, in the index's normalisation.
    pub words: String,
}

/// Words shown on both sides.
const AROUND: usize = 25;

/// The training text of each span; `None` where the file is not there any more, or is another one by now. Each file is read once.
///
/// A file is looked for where it lay when it was indexed, and by its name alone in `folder`, where one is given.
pub fn passages(index: &Index, spans: &[Span], folder: Option<&Path>) -> Vec<Option<Passage>> {
    let mut entries: HashMap<u32, DocumentEntry> = HashMap::new();
    let mut wanted: BTreeMap<String, BTreeMap<u64, Vec<usize>>> = BTreeMap::new();
    for (i, span) in spans.iter().enumerate() {
        if let Some(entry) = index.document(span.place.document) {
            wanted.entry(entry.file.clone()).or_default().entry(entry.line).or_default().push(i);
            entries.insert(span.place.document, entry);
        }
    }
    let mut found = vec![None; spans.len()];
    for (file, mut lines) in wanted {
        let Some(path) = locate(&file, folder) else { continue };
        let Ok(documents) = Documents::open(&[path], Limits::default()) else { continue };
        for document in documents.map_while(Result::ok) {
            for i in lines.remove(&document.line).unwrap_or_default() {
                let entry = &entries[&spans[i].place.document];
                let words = Words::of(&document.text);
                if (&entry.source, &entry.id, entry.n_words) == (&document.source, &document.id, words.len() as u64) {
                    found[i] = passage(&document.text, &words, spans[i].place.word as usize, spans[i].n_words);
                }
            }
            if lines.is_empty() {
                break;
            }
        }
    }
    found
}

fn locate(file: &str, folder: Option<&Path>) -> Option<PathBuf> {
    let path = Path::new(file);
    if path.is_file() {
        return Some(path.to_owned());
    }
    let moved = folder?.join(path.file_name()?);
    moved.is_file().then_some(moved)
}

fn passage(text: &str, words: &Words, first: usize, n_words: usize) -> Option<Passage> {
    let last = first.checked_add(n_words)?.checked_sub(1).filter(|last| *last < words.len())?;
    let (begin, end) = (words.bytes_of(first).start, words.bytes_of(last).end);
    let from = words.bytes_of(first.saturating_sub(AROUND)).start;
    let to = words.bytes_of((last + AROUND).min(words.len() - 1)).end;
    Some(Passage {
        before: text[from..begin].to_owned(),
        copied: text[begin..end].to_owned(),
        after: text[end..to].to_owned(),
        words: words.slice(first, n_words).to_owned(),
    })
}
