//! What flows through the pipeline: documents that carry where they come from, and rows for those that were left out.

use serde::{Deserialize, Serialize};

/// A text with its provenance; one line of JSON Lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The text.
    pub text: String,
    /// The collection it belongs to.
    pub source: String,
    /// Its name within the source.
    pub id: String,
    /// A title, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The address it was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The score of the link that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// When it was written or fetched, as its source says it (ISO 8601 where the source allows).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Its licence, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Its language as ISO 639-3, once the language filter has seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The file it was read from, and where in it.
    #[serde(default)]
    pub place: Place,
    /// The stages that changed it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<Touch>,
    /// The first document of its cluster of near-duplicates, where that is another one: the split goes by that one's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Name>,
}

/// What names a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// The collection.
    pub source: String,
    /// The name within it.
    pub id: String,
}

/// Where a document was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file's path as it was given.
    pub file: String,
    /// Which record of the file, from 1 (the line, for JSON Lines; 1 for a file that is one document).
    pub record: u64,
}

/// What a stage did to a document that it kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// The stage's name.
    pub stage: String,
    /// What it did: "3 lines removed".
    pub what: String,
}

/// A saved page or file whose text is still to be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The provenance; its `text` is empty.
    pub document: Document,
    /// The bytes as they were served.
    pub bytes: Vec<u8>,
    /// The `Content-Type` they were served with, where known: `text/html; charset=windows-1252`.
    pub content_type: Option<String>,
}

/// What a reader gives. A reader goes on behind what it cannot read, and says so with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A text.
    Document(Document),
    /// A page that goes through extraction first.
    Page(Page),
    /// What could not be read.
    Dropped(Row),
}

/// What a stage makes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes on, changed or not.
    Kept(Document),
    /// It ends here.
    Dropped(Row),
}

/// Why a document was left out; one line of `dropped.jsonl.zst`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The stage that left it out: `read`, `extract`, `quality`, ...
    pub stage: String,
    /// Why, one of few words that are counted: `crashed`, `timeout`, `few-words`.
    pub reason: String,
    /// The particulars: "12 words, fewer than 50".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The collection it belonged to.
    pub source: String,
    /// Its name within the source.
    pub id: String,
    /// The address it was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The score of the link that led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<i64>,
    /// The file it was read from, and where in it.
    #[serde(default)]
    pub place: Place,
    /// Bytes of its text (of the page, where no text was found).
    pub n_bytes: u64,
}

impl Document {
    /// Its name.
    pub fn name(&self) -> Name {
        Name { source: self.source.clone(), id: self.id.clone() }
    }

    /// The row that says why this document ends here.
    pub fn row(&self, stage: &str, reason: &str, detail: impl Into<String>) -> Row {
        Row {
            stage: stage.to_owned(),
            reason: reason.to_owned(),
            detail: detail.into(),
            source: self.source.clone(),
            id: self.id.clone(),
            url: self.url.clone(),
            score: self.score,
            place: self.place.clone(),
            n_bytes: self.text.len() as u64,
        }
    }

    /// Notes that a stage changed this document.
    pub fn touch(&mut self, stage: &str, what: impl Into<String>) {
        self.touched.push(Touch { stage: stage.to_owned(), what: what.into() });
    }
}

impl Page {
    /// The row that says why this page ends here.
    pub fn row(&self, stage: &str, reason: &str, detail: impl Into<String>) -> Row {
        Row { n_bytes: self.bytes.len() as u64, ..self.document.row(stage, reason, detail) }
    }
}
