//! Reading: files and folders of any form to one stream of records.
//!
//! | file | what it becomes |
//! | --- | --- |
//! | `.warc`, also packed record by record (`.warc.gz`) | pages; `conversion` records and plain text are documents |
//! | `.html`, `.htm`, `.xhtml` | one page |
//! | `.jsonl`, `.ndjson` | a document a line, or a page where the line has `html` and no `text` |
//! | `.parquet` | the same, by column |
//! | `.md`, `.txt` and all others | one document |
//!
//! `.gz` and `.zst` after any of these are unpacked. What cannot be read is a row, and the rest goes on: a reader never ends a run.

mod fields;
mod http;
pub(crate) mod input;
mod json_lines;
mod parquet;
mod warc;
mod whole;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Place, Record, Row};

pub(crate) use fields::charset;
pub use http::{Body, Response};

/// The stage's name in rows.
pub(crate) const STAGE: &str = "read";

/// What one record may cost in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest page or text, unpacked, in bytes; what is longer becomes a row `too-large`.
    pub record_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { record_bytes: 64 << 20 }
    }
}

/// The records of files and folders, in the order of their names; see the module's doc.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// std::fs::write(folder.path().join("a.html"), "<p>Hello.</p>").unwrap();
/// std::fs::write(folder.path().join("b.txt"), "").unwrap();
/// let records: Vec<_> = ovid_corpus::read::Records::open(&[folder.path()], Default::default()).unwrap().collect();
/// assert!(matches!(&records[..], [ovid_corpus::Record::Page(_), ovid_corpus::Record::Dropped(row)] if row.reason == "empty"));
/// ```
pub struct Records {
    waiting: VecDeque<Found>,
    current: Option<Box<dyn Iterator<Item = Record> + Send>>,
    limits: Limits,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

/// A file, and what names its documents where they have no names of their own.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub path: PathBuf,
    pub source: String,
    pub id: String,
}

impl Found {
    pub fn row(&self, record: u64, reason: &str, detail: impl Into<String>) -> Row {
        Row {
            stage: STAGE.into(),
            reason: reason.into(),
            detail: detail.into(),
            source: self.source.clone(),
            id: self.id.clone(),
            place: self.place(record),
            ..Row::default()
        }
    }

    pub fn place(&self, record: u64) -> Place {
        Place { file: self.path.to_string_lossy().into_owned(), record }
    }
}

impl Records {
    /// Lists the files; nothing is read yet.
    ///
    /// # Errors
    /// If a path is absent or a folder cannot be listed.
    pub fn open(paths: &[impl AsRef<Path>], limits: Limits) -> Result<Self, Error> {
        let mut waiting = VecDeque::new();
        let mut bytes_total = 0;
        for path in paths {
            let path = path.as_ref();
            for file in ovid_io::documents::list(&[path])? {
                bytes_total += std::fs::metadata(&file).map_or(0, |about| about.len());
                // Below a folder, the folder is the collection and the path within it the name.
                let (source, id) = match file.strip_prefix(path) {
                    Ok(inner) if inner != Path::new("") => (name(path), inner.to_string_lossy().into_owned()),
                    _ => (stem(&name(&file)).to_owned(), name(&file)),
                };
                waiting.push_back(Found { path: file, source, id });
            }
        }
        Ok(Self { waiting, current: None, limits, bytes_read: Arc::default(), bytes_total })
    }

    /// Bytes of files, as they lie, read so far: the progress through [`Records::bytes_total`].
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// The counter behind [`Records::bytes_read`], for who hands the records on and still wants to show progress.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    /// Bytes of all files together.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    fn reader(&self, found: Found) -> Box<dyn Iterator<Item = Record> + Send> {
        let limit = self.limits.record_bytes;
        let form = Form::of(&found.path);
        if form == Form::Parquet {
            return parquet::records(found, limit, Arc::clone(&self.bytes_read));
        }
        let input = match input::Input::open(&found.path, Arc::clone(&self.bytes_read)) {
            Ok(input) => input,
            Err(refused) => return Box::new(std::iter::once(Record::Dropped(found.row(1, refused.reason, refused.detail)))),
        };
        match form {
            Form::Warc => Box::new(warc::Warc::new(found, input, limit)),
            Form::JsonLines => Box::new(json_lines::JsonLines::new(found, input, limit)),
            form => Box::new(std::iter::once_with(move || whole::record(&found, input, form == Form::Html, limit))),
        }
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.current.as_mut().and_then(Iterator::next) {
                return Some(record);
            }
            let found = self.waiting.pop_front()?;
            self.current = Some(self.reader(found));
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Warc,
    Html,
    JsonLines,
    Parquet,
    Text,
}

impl Form {
    fn of(path: &Path) -> Self {
        let name = name(path).to_ascii_lowercase();
        match Path::new(unpacked(&name)).extension().and_then(|e| e.to_str()) {
            Some("warc" | "wet") => Self::Warc,
            Some("html" | "htm" | "xhtml") => Self::Html,
            Some("jsonl" | "ndjson") => Self::JsonLines,
            Some("parquet") => Self::Parquet,
            _ => Self::Text,
        }
    }
}

fn name(path: &Path) -> String {
    // `.` and `..` have no name of their own; who they are is asked of the system.
    let whole = if path.file_name().is_none() { path.canonicalize().unwrap_or_default() } else { path.to_owned() };
    whole.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn unpacked(name: &str) -> &str {
    name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(name)
}

fn stem(name: &str) -> &str {
    let name = unpacked(name);
    match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    }
}
