//! Documents: JSON Lines and plain text, compressed or not, as one stream with constant memory beyond the document in hand.
//!
//! - `.jsonl` and `.ndjson`: one object a line with at least `text`; `source`, `id` (a string or a number) and `title` where known. Lines end at `\n` and
//!   nowhere else: texts hold raw U+2028 and the like. Where they are absent, `source` is the file's name without extensions and `id` the line's number.
//! - any other extension: plain UTF-8 text, the whole file one document; `source` is the file's name without extensions, `id` its name.
//! - `.zst` and `.gz` after any of these: unpacked while reading.
//! - folders: all of the above in them, sorted by path, hidden entries left out.
//! - `-`: standard input, unpacked where it begins as zstd or gzip does; JSON Lines where it begins with `{"`, else one plain text.

mod lines;
mod write;

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

pub use lines::Lines;
pub use write::JsonLinesWriter;

use crate::{Error, Place};

/// What one document may cost in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest line of JSON Lines, and the longest plain text, in bytes.
    pub document_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { document_bytes: 256 << 20 }
    }
}

/// One text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The text.
    pub text: String,
    /// The collection it belongs to.
    pub source: String,
    /// Its name within the source.
    pub id: String,
    /// A title, where the file has one.
    pub title: Option<String>,
    /// The file it was read from.
    pub file: Arc<Path>,
    /// The line in that file, from 1 (1 for plain text).
    pub line: u64,
}

impl Document {
    /// Whether the document is held out from training: see [`is_validation`].
    pub fn is_validation(&self) -> bool {
        is_validation(&self.source, &self.id)
    }
}

/// The split between training and validation, the same everywhere: a document is held out where the first 8 bytes of sha256(source, one zero byte, id),
/// as a big-endian number, are 0 modulo 50.
///
/// ```
/// let held_out = (0..10_000).filter(|i| ovid_io::documents::is_validation("books", &i.to_string())).count();
/// assert!((150..250).contains(&held_out));
/// ```
pub fn is_validation(source: &str, id: &str) -> bool {
    let digest = Sha256::new().chain_update(source).chain_update([0]).chain_update(id).finalize();
    let first = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    first.is_multiple_of(50)
}

/// How the bytes of a file are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line.
    JsonLines,
    /// The whole file is one text.
    Text,
}

impl Form {
    /// The form that a file's name asks for.
    pub fn of(path: &Path) -> Self {
        let name = file_name(path);
        let inner = Path::new(name.strip_suffix(".zst").or(name.strip_suffix(".gz")).unwrap_or(&name));
        match inner.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl" | "ndjson") => Self::JsonLines,
            _ => Self::Text,
        }
    }
}

/// What errors and documents call standard input.
const STDIN: &str = "standard input";

/// Whether a path stands for standard input. It can be read once.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

/// A stream of documents out of files and folders, in the order given. It ends after the first error.
#[derive(Debug)]
pub struct Documents {
    waiting: VecDeque<PathBuf>,
    current: Option<Reading>,
    limits: Limits,
    bytes_read: Arc<AtomicU64>,
    bytes_total: u64,
}

#[derive(Debug)]
struct Reading {
    lines: Lines,
    form: Form,
    file: Arc<Path>,
}

/// Lists the files that `paths` name: files as they are, folders replaced by the files below them in the order of their names.
///
/// # Errors
/// If a path is absent or a folder cannot be read.
pub fn list(paths: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        if !is_stdin(path) && fs::metadata(path).map_err(|cause| Error::io(path, "read", cause))?.is_dir() {
            list_folder(path, &mut files)?;
        } else {
            files.push(path.to_owned());
        }
    }
    Ok(files)
}

fn list_folder(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let refuse = |cause| Error::io(folder, "list", cause);
    let mut entries = fs::read_dir(folder).map_err(refuse)?.collect::<Result<Vec<_>, _>>().map_err(refuse)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // Links to files are followed, links to folders are not: they may go in circles.
        if entry.file_type().map_err(refuse)?.is_dir() {
            list_folder(&entry.path(), files)?;
        } else if entry.path().is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

impl Documents {
    /// Opens files and folders; nothing is read yet.
    ///
    /// # Errors
    /// If a path is absent or a folder cannot be read.
    pub fn open(paths: &[impl AsRef<Path>], limits: Limits) -> Result<Self, Error> {
        let files = list(paths)?;
        let mut bytes_total = 0;
        for file in files.iter().filter(|file| !is_stdin(file)) {
            bytes_total += fs::metadata(file).map_err(|cause| Error::io(file, "read", cause))?.len();
        }
        Ok(Self { waiting: files.into(), current: None, limits, bytes_read: Arc::default(), bytes_total })
    }

    /// Documents out of a stream that is no file; `name` is what errors call it.
    pub fn from_reader(name: &str, input: impl std::io::Read + Send + 'static, form: Form, limits: Limits) -> Self {
        let bytes_read = Arc::<AtomicU64>::default();
        let lines = Lines::from_reader(Path::new(name), Box::new(input), limits, Arc::clone(&bytes_read));
        let current = Some(Reading { lines, form, file: Path::new(name).into() });
        Self { waiting: VecDeque::new(), current, limits, bytes_read, bytes_total: 0 }
    }

    /// Bytes of files (as they lie, compressed or not) read so far: the progress through [`Documents::bytes_total`].
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Bytes of all files together, 0 where that is not known.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total
    }

    fn read(&mut self) -> Result<Option<Document>, Error> {
        loop {
            if self.current.is_none() {
                let Some(path) = self.waiting.pop_front() else { return Ok(None) };
                let overall = Arc::clone(&self.bytes_read);
                self.current = Some(if is_stdin(&path) {
                    Reading::told_by_its_beginning(STDIN, Box::new(std::io::stdin()), self.limits, overall)?
                } else {
                    Reading { lines: Lines::open_counted(&path, self.limits, overall)?, form: Form::of(&path), file: path.into() }
                });
            }
            let Some(reading) = &mut self.current else { continue };
            let document = match reading.form {
                Form::JsonLines => reading.json_document()?,
                Form::Text => {
                    let text = reading.lines.rest_as_text()?;
                    let (source, id) = (stem(&reading.file), file_name(&reading.file));
                    let document = Document { text, source, id, title: None, file: Arc::clone(&reading.file), line: 1 };
                    self.current = None;
                    return Ok(Some(document));
                }
            };
            if document.is_some() {
                return Ok(document);
            }
            self.current = None;
        }
    }
}

impl Iterator for Documents {
    type Item = Result<Document, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(item, Some(Err(_))) {
            self.current = None;
            self.waiting.clear();
        }
        item
    }
}

#[derive(Deserialize)]
struct RawDocument {
    text: String,
    source: Option<String>,
    id: Option<Id>,
    title: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(serde_json::Number),
}

impl Reading {
    /// A stream without a name that would say what it holds.
    fn told_by_its_beginning(
        name: &str,
        input: Box<dyn std::io::Read + Send>,
        limits: Limits,
        bytes_read: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let file = Path::new(name);
        let mut lines = Lines::unpacked(file, input, limits, bytes_read)?;
        let form = if lines.begins_with(b"{\"")? { Form::JsonLines } else { Form::Text };
        Ok(Self { lines, form, file: file.into() })
    }

    fn json_document(&mut self) -> Result<Option<Document>, Error> {
        let Some(raw) = self.lines.next_json::<RawDocument>()? else { return Ok(None) };
        let line = self.lines.line();
        let id = match raw.id {
            Some(Id::Text(text)) => text,
            Some(Id::Number(number)) => number.to_string(),
            None => line.to_string(),
        };
        let source = raw.source.unwrap_or_else(|| stem(&self.file));
        Ok(Some(Document { text: raw.text, source, id, title: raw.title, file: Arc::clone(&self.file), line }))
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The file's name without `.zst`/`.gz` and without the extension before that.
fn stem(path: &Path) -> String {
    let name = file_name(path);
    let name = name.strip_suffix(".zst").or(name.strip_suffix(".gz")).unwrap_or(&name);
    match name.rfind('.') {
        Some(dot) if dot > 0 => name[..dot].to_owned(),
        _ => name.to_owned(),
    }
}

/// An error about a line of `path`.
fn at_line(path: &Path, line: u64, cause: impl Into<String>) -> Error {
    Error::malformed(path, Place::Line(line), cause)
}

#[cfg(test)]
mod tests;
