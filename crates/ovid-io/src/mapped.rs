//! A file's bytes without a copy of them: read-only memory maps, and the same face for bytes that are in memory already.
//!
//! What maps cannot promise: a file that another process cuts short while it is mapped ends this one with a signal. Ovid writes only by rename
//! (see [`crate::atomic`]), which leaves maps of the old file whole.
#![allow(unsafe_code, reason = "mapping a file is unsafe by nature; this module is the only place that does it")]

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::Error;

/// Read-only bytes with the name that errors give them.
#[derive(Debug)]
pub struct Mapped {
    path: PathBuf,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Map(Mmap),
    Static(&'static [u8]),
    Owned(Vec<u8>),
}

impl Mapped {
    /// Maps a regular file.
    ///
    /// # Errors
    /// If the file cannot be opened or mapped, or is not a regular file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let refuse = |cause| Error::io(path, "read", cause);
        // Asked before opening: opening a named pipe would wait for its writer.
        let found = std::fs::metadata(path).map_err(refuse)?;
        if found.is_dir() {
            return Err(refuse(io::ErrorKind::IsADirectory.into()));
        }
        if !found.is_file() {
            return Err(refuse(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
        }
        let file = File::open(path).map_err(refuse)?;
        // SAFETY: the map is read-only and private to this value; see the module's doc for what another process could do to the file.
        let map = unsafe { Mmap::map(&file) }.map_err(refuse)?;
        Ok(Self { path: path.to_owned(), bytes: Bytes::Map(map) })
    }

    /// Bytes built into the program, under a name for errors.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> Self {
        Self { path: name.into(), bytes: Bytes::Static(bytes) }
    }

    /// Bytes in memory, under a name for errors.
    pub fn from_vec(name: &str, bytes: Vec<u8>) -> Self {
        Self { path: name.into(), bytes: Bytes::Owned(bytes) }
    }

    /// The file's path, or the name given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the memory of a part of these bytes back: read again, they come from the file again. Only a hint.
    pub fn release(&self, part: &[u8]) {
        #[cfg(unix)]
        if let Bytes::Map(map) = &self.bytes
            && let Some(offset) = (part.as_ptr() as usize).checked_sub(map.as_ptr() as usize)
            && offset + part.len() <= map.len()
        {
            // SAFETY: the map is of a file and never written, so that pages that go come back with the same bytes.
            let _ = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, part.len()) };
        }
    }

    /// Asks the system to read the whole file ahead. Only a hint: nothing happens where it is refused.
    pub fn will_need(&self) {
        #[cfg(unix)]
        if let Bytes::Map(map) = &self.bytes {
            // A refused hint costs speed, not meaning.
            let _ = map.advise(memmap2::Advice::WillNeed);
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Map(map) => map,
            Bytes::Static(bytes) => bytes,
            Bytes::Owned(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_read_what_was_written_even_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for content in [&b""[..], b"abc"] {
            let path = folder.path().join("f");
            std::fs::write(&path, content).unwrap();
            assert_eq!(&*Mapped::open(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_folder_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = Mapped::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(folder.path().to_str().unwrap()));
    }
}
