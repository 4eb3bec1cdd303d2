//! Lines of JSON in packed files: how documents, rows and counts lie on disk.

use std::io::Write;
use std::path::Path;

use ovid_io::atomic::{AtomicFile, write_atomic};
use ovid_io::documents::{Limits, Lines};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// Work files are read once and thrown away.
pub(crate) const FAST: i32 = 1;
/// Results are read often.
pub(crate) const SMALL: i32 = 9;

/// Values, one a line, packed with Zstandard; the file appears on [`PackedLines::finish`].
pub(crate) struct PackedLines {
    out: zstd::stream::write::Encoder<'static, AtomicFile>,
    path: std::path::PathBuf,
}

impl PackedLines {
    pub fn create(path: &Path, level: i32) -> Result<Self, Error> {
        let file = AtomicFile::create(path)?;
        let mut out = zstd::stream::write::Encoder::new(file, level).map_err(|cause| refuse(path, cause))?;
        out.include_checksum(true).map_err(|cause| refuse(path, cause))?;
        Ok(Self { out, path: path.to_owned() })
    }

    pub fn write(&mut self, value: &impl Serialize) -> Result<(), Error> {
        let written = serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::from).and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|cause| refuse(&self.path, cause))
    }

    pub fn finish(self) -> Result<(), Error> {
        Ok(self.out.finish().map_err(|cause| refuse(&self.path, cause))?.commit()?)
    }
}

/// The values of a file that [`PackedLines`] wrote.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<impl Iterator<Item = Result<T, Error>> + use<T>, Error> {
    let mut lines = Lines::open(path, Limits::default())?;
    Ok(std::iter::from_fn(move || lines.next_json::<T>().transpose()).map(|value| Ok(value?)))
}

/// Writes one value.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    Ok(write_atomic(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })?)
}

/// Reads one value; `None` where there is no file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|cause| Error::data(path, cause.to_string())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(ovid_io::Error::Io { path: path.to_owned(), doing: "read", cause }.into()),
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|cause| ovid_io::Error::Io { path: path.to_owned(), doing: "make", cause }.into())
}

pub(crate) fn remove_folder(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(ovid_io::Error::Io { path: path.to_owned(), doing: "delete", cause }.into())
        }
        _ => Ok(()),
    }
}

pub(crate) fn refuse(path: &Path, cause: std::io::Error) -> Error {
    ovid_io::Error::Io { path: path.to_owned(), doing: "write", cause }.into()
}
