//! Lines out of plain, gzip and zstd streams, bounded in length, with the byte of the compressed file at which a broken stream breaks.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::de::DeserializeOwned;

use super::{Limits, at_line};
use crate::{Error, Place};

const BUFFER_BYTES: usize = 1 << 17;

/// The lines of one file: [`Lines::next_line`] lends one at a time.
pub struct Lines {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    limits: Limits,
    line: u64,
    buffer: Vec<u8>,
    /// Bytes of this file that the decompressor has taken.
    at: Arc<AtomicU64>,
    compressed: bool,
}

/// How a stream is compressed.
#[derive(Clone, Copy)]
enum Packing {
    Zstandard,
    Gzip,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("path", &self.path).field("line", &self.line).finish_non_exhaustive()
    }
}

/// Counts what is consumed, for the place in errors and for progress over many files.
struct Counting<R> {
    inner: R,
    here: Arc<AtomicU64>,
    overall: Arc<AtomicU64>,
}

impl<R: BufRead> Read for Counting<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.here.fetch_add(n as u64, Ordering::Relaxed);
        self.overall.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counting<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
        self.here.fetch_add(n as u64, Ordering::Relaxed);
        self.overall.fetch_add(n as u64, Ordering::Relaxed);
    }
}

impl Lines {
    /// Opens a file, unpacking it while reading where its name ends in `.zst` or `.gz`.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, Error> {
        Self::open_counted(path, limits, Arc::default())
    }

    pub(super) fn open_counted(path: &Path, limits: Limits, overall: Arc<AtomicU64>) -> Result<Self, Error> {
        let refuse = |cause| Error::io(path, "read", cause);
        if std::fs::metadata(path).map_err(refuse)?.is_dir() {
            return Err(refuse(io::ErrorKind::IsADirectory.into()));
        }
        let mut lines = Self::from_reader(path, Box::new(File::open(path).map_err(refuse)?), limits, overall);
        let packing = match path.extension().and_then(|e| e.to_str()) {
            Some("zst") => Packing::Zstandard,
            Some("gz") => Packing::Gzip,
            _ => return Ok(lines),
        };
        if lines.input.fill_buf().map_err(refuse)?.is_empty() {
            return Err(Error::malformed(path, Place::Byte(0), "the compressed stream is cut off: the file is empty"));
        }
        lines.unpack(packing)
    }

    /// The lines of a stream, unpacking it where its first bytes are those of a compressed file.
    pub(super) fn unpacked(path: &Path, input: Box<dyn Read + Send>, limits: Limits, overall: Arc<AtomicU64>) -> Result<Self, Error> {
        let mut lines = Self::from_reader(path, input, limits, overall);
        if lines.begins_with(&[0x28, 0xb5, 0x2f, 0xfd])? {
            lines.unpack(Packing::Zstandard)
        } else if lines.begins_with(&[0x1f, 0x8b])? {
            lines.unpack(Packing::Gzip)
        } else {
            Ok(lines)
        }
    }

    /// Whether what is left begins so; nothing is taken.
    pub(super) fn begins_with(&mut self, expected: &[u8]) -> Result<bool, Error> {
        // A pipe may give less at first than was asked for.
        let mut head = Vec::new();
        self.input.by_ref().take(expected.len() as u64).read_to_end(&mut head).map_err(|cause| self.broken(cause))?;
        let begins = head == expected;
        let rest = std::mem::replace(&mut self.input, Box::new(io::empty()));
        self.input = Box::new(io::Cursor::new(head).chain(rest));
        Ok(begins)
    }

    fn unpack(mut self, packing: Packing) -> Result<Self, Error> {
        let raw = self.input;
        self.compressed = true;
        self.input = match packing {
            Packing::Zstandard => {
                let decoder = zstd::stream::read::Decoder::with_buffer(raw).map_err(|cause| Error::io(&self.path, "read", cause))?;
                Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder))
            }
            Packing::Gzip => Box::new(BufReader::with_capacity(BUFFER_BYTES, flate2::bufread::MultiGzDecoder::new(raw))),
        };
        Ok(self)
    }

    pub(super) fn from_reader(path: &Path, input: Box<dyn Read + Send>, limits: Limits, overall: Arc<AtomicU64>) -> Self {
        let at = Arc::<AtomicU64>::default();
        let input = Counting { inner: BufReader::with_capacity(BUFFER_BYTES, input), here: Arc::clone(&at), overall };
        Self { path: path.to_owned(), input: Box::new(input), limits, line: 0, buffer: Vec::new(), at, compressed: false }
    }

    /// The number of the line lent last, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next line without its `\n`, or `None` at the end. A last line without `\n` counts.
    ///
    /// # Errors
    /// If the file cannot be read, its compressed stream is broken or cut off, or the line is longer than the limit.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, Error> {
        self.buffer.clear();
        let limit = self.limits.document_bytes;
        // One byte more than allowed tells a line of the greatest length from one that is too long; the line's end is the second.
        let n = self.input.by_ref().take(limit as u64 + 2).read_until(b'\n', &mut self.buffer).map_err(|cause| self.broken(cause))?;
        if n == 0 {
            return Ok(None);
        }
        self.line += 1;
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
        }
        if self.buffer.len() > limit {
            return Err(at_line(&self.path, self.line, format!("the line is longer than the limit of {limit} bytes")));
        }
        if self.line == 1 && self.buffer.starts_with(b"\xEF\xBB\xBF") {
            self.buffer.drain(..3);
        }
        Ok(Some(&self.buffer))
    }

    /// The next line that is not blank, read as a JSON value of type `T`, or `None` at the end.
    ///
    /// # Errors
    /// Those of [`Lines::next_line`], and if the line is not such a value.
    pub fn next_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Error> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let parsed = serde_json::from_slice(line);
            return parsed.map(Some).map_err(|cause| at_line(&self.path, self.line, json_cause(&cause)));
        }
    }

    /// Everything that is left, as one text.
    pub(super) fn rest_as_text(&mut self) -> Result<String, Error> {
        let limit = self.limits.document_bytes;
        let mut bytes = Vec::new();
        self.input.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|cause| self.broken(cause))?;
        if bytes.len() > limit {
            return Err(Error::malformed(&self.path, Place::Whole, format!("the text is longer than the limit of {limit} bytes")));
        }
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            bytes.drain(..3);
        }
        String::from_utf8(bytes).map_err(|cause| {
            let at = cause.utf8_error().valid_up_to() as u64;
            let line = cause.as_bytes()[..at as usize].split(|b| *b == b'\n').count() as u64;
            at_line(&self.path, line, format!("not UTF-8 text (byte {at} of the text)"))
        })
    }

    /// A failed read: the system's fault, or that of a compressed stream, which is then placed.
    fn broken(&self, cause: io::Error) -> Error {
        if !self.compressed || cause.raw_os_error().is_some() {
            return Error::io(&self.path, "read", cause);
        }
        let at = Place::Byte(self.at.load(Ordering::Relaxed));
        let cause = match cause.kind() {
            io::ErrorKind::UnexpectedEof => format!("the compressed stream is cut off after line {}", self.line),
            _ => format!("the compressed stream is broken after line {}: {cause}", self.line),
        };
        Error::malformed(&self.path, at, cause)
    }
}

/// The parser's words with its own line number taken away: it always says 1, since it is given one line.
fn json_cause(cause: &serde_json::Error) -> String {
    let text = cause.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    format!("{text} (column {})", cause.column())
}
