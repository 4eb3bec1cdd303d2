//! Writing JSON Lines, packed as the file's name asks.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::atomic::AtomicFile;
use crate::{Error, Place};

/// Documents are written once and read often, so that packing may take its time; unpacking is as fast at any level.
const ZSTD_LEVEL: i32 = 9;

/// Writes one JSON value a line; `.zst` and `.gz` files are packed. The file appears under its name on [`JsonLinesWriter::finish`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use ovid_io::documents::{Documents, JsonLinesWriter, Limits};
/// let path = folder.path().join("notes.jsonl.zst");
/// let mut out = JsonLinesWriter::create(&path)?;
/// out.write(&serde_json::json!({ "text": "a note", "id": "1" }))?;
/// out.finish()?;
/// let document = Documents::open(&[path], Limits::default())?.next().unwrap()?;
/// assert_eq!((document.text.as_str(), document.source.as_str()), ("a note", "notes"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JsonLinesWriter {
    out: Packed,
    path: std::path::PathBuf,
    n_lines: u64,
}

enum Packed {
    Plain(AtomicFile),
    Zstd(zstd::stream::write::Encoder<'static, AtomicFile>),
    Gzip(flate2::write::GzEncoder<AtomicFile>),
}

impl Packed {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(out) => out,
            Self::Zstd(out) => out,
            Self::Gzip(out) => out,
        }
    }

    fn into_file(self) -> io::Result<AtomicFile> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Zstd(out) => out.finish(),
            Self::Gzip(out) => out.finish(),
        }
    }
}

impl JsonLinesWriter {
    /// Opens a writer for `path`.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let file = AtomicFile::create(path)?;
        let refuse = |cause| Error::io(path, "write", cause);
        let out = match path.extension().and_then(|e| e.to_str()) {
            Some("zst") => {
                let mut encoder = zstd::stream::write::Encoder::new(file, ZSTD_LEVEL).map_err(refuse)?;
                encoder.include_checksum(true).map_err(refuse)?;
                Packed::Zstd(encoder)
            }
            Some("gz") => Packed::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::new(6))),
            _ => Packed::Plain(file),
        };
        Ok(Self { out, path: path.to_owned(), n_lines: 0 })
    }

    /// Writes one value as one line.
    ///
    /// # Errors
    /// If the value cannot be put as JSON or the file not be written.
    pub fn write(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let mut line = serde_json::to_vec(value).map_err(|cause| Error::Unwritable {
            path: self.path.clone(),
            place: Place::Line(self.n_lines + 1),
            cause: cause.to_string(),
        })?;
        line.push(b'\n');
        self.out.writer().write_all(&line).map_err(|cause| Error::io(&self.path, "write", cause))?;
        self.n_lines += 1;
        Ok(())
    }

    /// Ends the stream and gives the file its name. Returns the number of lines.
    ///
    /// # Errors
    /// If the system cannot write, sync or rename.
    pub fn finish(self) -> Result<u64, Error> {
        let Self { out, path, n_lines } = self;
        out.into_file().map_err(|cause| Error::io(&path, "write", cause))?.commit()?;
        Ok(n_lines)
    }
}
