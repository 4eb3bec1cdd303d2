//! The index as a file: safetensors, checked when it is opened.
//!
//! Metadata: `format`, `version`, `summary` (JSON: what was indexed and how), `ovid`. Tensors, numbers little-endian:
//! - `segments` U64 (s + 1, 2): where each segment begins in `filter` and in `entries`, and where the last one ends. s is a power of two; a hash's top bits are the number of its segment.
//! - `filter` U64: the bits of the segments, see [`Segment`].
//! - `entries` U64 (o, 2): hash and position of every n-gram of the corpus, in rising order. A position is the document's number (upper 32 bits) and that of its first word.
//! - `document_starts` U64 (d + 1), `documents` U8: a JSON object a document, and where each begins.

use std::path::Path;

use bytemuck::{Pod, Zeroable};
use ovid_io::safetensors::SafeTensors;
use ovid_io::{Error, Place};
use serde::{Deserialize, Serialize};

use crate::filter::Segment;
use crate::report::IndexSummary;

#[cfg(target_endian = "big")]
compile_error!("the index is read where it lies, as little-endian numbers");

pub(crate) const FORMAT: &str = "ovid-overlap-index";
pub(crate) const VERSION: &str = "1";

/// One n-gram of the corpus at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Record {
    pub(crate) hash: u64,
    pub(crate) position: u64,
}

/// A word of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The document's number.
    pub document: u32,
    /// The word's number in it, from 0.
    pub word: u32,
}

impl From<Position> for u64 {
    fn from(p: Position) -> Self {
        Self::from(p.document) << 32 | Self::from(p.word)
    }
}

impl From<u64> for Position {
    fn from(p: u64) -> Self {
        Self { document: (p >> 32) as u32, word: p as u32 }
    }
}

/// The metadata's `summary`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) n: u32,
    pub(crate) n_probes: u32,
    pub(crate) normalisation: String,
    pub(crate) hash: String,
    pub(crate) index: IndexSummary,
}

/// A training document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentEntry {
    /// The collection that it belongs to.
    pub source: String,
    /// Its name within the source.
    pub id: String,
    /// Its title, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The file that it was read from, as it was called then.
    pub file: String,
    /// The line in that file, from 1.
    pub line: u64,
    /// Words.
    pub n_words: u64,
}

/// An open index.
#[derive(Debug)]
pub struct Index {
    file: SafeTensors,
    summary: Summary,
    n_segments: usize,
}

/// The segment of a hash, where there are `n_segments`, a power of two above 1.
pub(crate) fn segment_of(hash: u64, n_segments: usize) -> usize {
    (hash >> (64 - n_segments.trailing_zeros())) as usize
}

impl Index {
    /// Opens an index and checks that it is whole.
    ///
    /// # Errors
    /// If the file cannot be read, is no index, is cut short, or was made by another version.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = SafeTensors::open(path)?;
        let summary = summary(&file)?;
        let mut index = Self { file, summary, n_segments: 0 };
        index.check()?;
        Ok(index)
    }

    fn check(&mut self) -> Result<(), Error> {
        let path = self.file.path().to_owned();
        let wrong = |name: &str, cause: &str| Err(Error::malformed(&path, Place::Key(name.to_owned()), cause));
        for (name, dtype, width) in
            [("segments", "U64", 2), ("filter", "U64", 1), ("entries", "U64", 2), ("document_starts", "U64", 1), ("documents", "U8", 1)]
        {
            let Some(tensor) = self.file.raw(name) else { return wrong(name, "the tensor is absent") };
            if tensor.dtype != dtype || tensor.shape.len() != width || (width == 2 && tensor.shape[1] != 2) {
                return wrong(name, "the tensor has another type or shape than an index has");
            }
            if dtype == "U64" && bytemuck::try_cast_slice::<u8, u64>(tensor.data).is_err() {
                return wrong(name, "the tensor does not lie at a multiple of 8 bytes");
            }
        }
        self.n_segments = self.segments().len().saturating_sub(1);
        if !self.n_segments.is_power_of_two() || self.n_segments < 2 {
            return wrong("segments", "the number of segments is no power of two above 1");
        }
        let segments = self.segments();
        let rises = segments.windows(2).all(|w| w[0][0] <= w[1][0] && w[0][1] <= w[1][1]);
        let ends = [self.numbers("filter").len() as u64, self.entries().len() as u64];
        if !rises || segments[0] != [0, 0] || segments[self.n_segments] != ends {
            return wrong("segments", "the segments do not follow one another to the ends of filter and entries");
        }
        let starts = self.numbers("document_starts");
        let n_bytes = self.bytes("documents").len() as u64;
        if !starts.is_sorted() || starts.first() != Some(&0) || starts.last() != Some(&n_bytes) {
            return wrong("document_starts", "the documents do not follow one another to the end");
        }
        if !(1..=1000).contains(&self.summary.n) || !(1..=64).contains(&self.summary.n_probes) {
            return wrong("summary", "n or n_probes is outside of what an index has");
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Words in an n-gram.
    pub fn n(&self) -> usize {
        self.summary.n as usize
    }

    /// What was indexed.
    pub fn summary(&self) -> &IndexSummary {
        &self.summary.index
    }

    /// Number of training documents.
    pub fn n_documents(&self) -> usize {
        self.numbers("document_starts").len() - 1
    }

    /// A training document by its number; `None` where the index does not know it.
    pub fn document(&self, number: u32) -> Option<DocumentEntry> {
        let starts = self.numbers("document_starts");
        let (from, to) = (*starts.get(number as usize)?, *starts.get(number as usize + 1)?);
        serde_json::from_slice(&self.bytes("documents")[from as usize..to as usize]).ok()
    }

    pub(crate) fn n_segments(&self) -> usize {
        self.n_segments
    }

    pub(crate) fn segments(&self) -> &[[u64; 2]] {
        bytemuck::cast_slice(self.bytes("segments"))
    }

    pub(crate) fn entries(&self) -> &[Record] {
        bytemuck::cast_slice(self.bytes("entries"))
    }

    /// The filter's segment of that number.
    pub fn segment(&self, number: usize) -> Segment<'_> {
        let segments = self.segments();
        let words = &self.numbers("filter")[segments[number][0] as usize..segments[number + 1][0] as usize];
        Segment { words, n_probes: self.summary.n_probes }
    }

    fn numbers(&self, name: &str) -> &[u64] {
        bytemuck::cast_slice(self.bytes(name))
    }

    fn bytes(&self, name: &str) -> &[u8] {
        self.file.raw(name).map_or(&[], |tensor| tensor.data)
    }
}

fn summary(file: &SafeTensors) -> Result<Summary, Error> {
    let metadata = file.metadata();
    let wrong = |cause: String| Error::malformed(file.path(), Place::Key("__metadata__".to_owned()), cause);
    if metadata.get("format").is_none_or(|f| f != FORMAT) {
        return Err(wrong("this is no overlap index; make one with: ovid overlap index TRAIN -o INDEX".to_owned()));
    }
    let version = metadata.get("version").map_or("", String::as_str);
    if version != VERSION {
        let made_by = metadata.get("ovid").map_or("another program", String::as_str);
        return Err(wrong(format!(
            "the index has version {version:?} (made by ovid {made_by}), but this program reads version {VERSION}; index the text again"
        )));
    }
    let text = metadata.get("summary").ok_or_else(|| wrong("the summary is absent".to_owned()))?;
    let summary: Summary = serde_json::from_str(text).map_err(|e| wrong(format!("the summary cannot be read: {e}")))?;
    if summary.normalisation != crate::NORMALISATION || summary.hash != "xxh3-64" {
        let (rule, hash) = (&summary.normalisation, &summary.hash);
        return Err(wrong(format!("the index was made with the rule {rule:?} and the hash {hash:?}, which this program does not know")));
    }
    Ok(summary)
}
