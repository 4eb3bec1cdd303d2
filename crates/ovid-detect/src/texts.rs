//! Texts with what is known of them: where they come from, who wrote them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ovid_io::documents::{Documents, Form, Limits, Lines, list};
use serde::Deserialize;

use crate::Error;

/// A text to judge or to learn from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// What must not be on both sides of a split: the source document, or the prompt's document. `id` in JSON Lines, else file and line.
    pub group: String,
    /// Kind of text (`domain`, else `source`).
    pub domain: String,
    /// How a machine drew it (`sampler`, else `source`).
    pub sampler: String,
    /// All fields of the object that are strings or numbers: what a campaign is divided by.
    pub fields: Arc<BTreeMap<String, String>>,
    /// The file.
    pub file: Option<String>,
    /// The line in it, from 1.
    pub line: Option<u64>,
}

impl Text {
    /// A text that nothing is known of.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

#[derive(Deserialize)]
struct Raw {
    text: String,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// All texts of files and folders: plain text, JSON Lines, each `.zst` or `.gz` too.
///
/// # Errors
/// If a file cannot be read or understood, at the place of the fault.
pub fn read(paths: &[PathBuf]) -> Result<impl Iterator<Item = Result<Text, Error>> + use<>, Error> {
    let files = list(paths)?;
    Ok(files.into_iter().flat_map(|file| -> Box<dyn Iterator<Item = Result<Text, Error>>> {
        if Form::of(&file) == Form::Text {
            return match Documents::open(&[&file], Limits::default()) {
                Err(e) => Box::new(std::iter::once(Err(e.into()))),
                Ok(documents) => Box::new(documents.map(|document| {
                    let document = document?;
                    let file = document.file.display().to_string();
                    let (domain, sampler) = (document.source.clone(), document.source);
                    Ok(Text {
                        text: document.text,
                        group: document.id,
                        domain,
                        sampler,
                        fields: Arc::default(),
                        file: Some(file),
                        line: Some(document.line),
                    })
                })),
            };
        }
        let name = file.display().to_string();
        let mut lines = match Lines::open(&file, Limits::default()) {
            Err(e) => return Box::new(std::iter::once(Err(e.into()))),
            Ok(lines) => Some(lines),
        };
        Box::new(std::iter::from_fn(move || {
            let reading = lines.as_mut()?;
            match reading.next_json::<Raw>() {
                Ok(Some(raw)) => Some(Ok(labelled(raw, &name, reading.line()))),
                Ok(None) => None,
                Err(e) => {
                    lines = None;
                    Some(Err(e.into()))
                }
            }
        }))
    }))
}

fn labelled(raw: Raw, file: &str, line: u64) -> Text {
    let word = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fields: BTreeMap<String, String> = raw.rest.iter().filter_map(|(key, value)| Some((key.clone(), word(value)?))).collect();
    let first = |keys: &[&str]| keys.iter().find_map(|key| fields.get(*key).cloned());
    Text {
        text: raw.text,
        group: first(&["group", "id"]).unwrap_or_else(|| format!("{file}:{line}")),
        domain: first(&["domain", "source"]).unwrap_or_default(),
        sampler: first(&["sampler", "source"]).unwrap_or_default(),
        fields: Arc::new(fields),
        file: Some(file.to_owned()),
        line: Some(line),
    }
}
