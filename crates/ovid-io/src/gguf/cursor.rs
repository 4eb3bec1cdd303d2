//! Reading numbers and strings off a map, never past its end.

use std::ops::Range;

use crate::{Error, Mapped, Place};

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    map: &'a Mapped,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(map: &'a Mapped) -> Self {
        Self { map, at: 0 }
    }

    pub(super) fn map(&self) -> &'a Mapped {
        self.map
    }

    /// The byte that is read next.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn malformed(&self, at: usize, cause: impl Into<String>) -> Error {
        Error::malformed(self.map.path(), Place::Byte(at as u64), cause)
    }

    pub(super) fn unsupported(&self, at: usize, what: impl Into<String>) -> Error {
        Error::unsupported(self.map.path(), Place::Byte(at as u64), what)
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        let map: &'a [u8] = self.map;
        let bytes = self.at.checked_add(n).and_then(|end| map.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.malformed(self.at, format!("{n} bytes are wanted, but the file ends at {}", map.len())))?;
        self.at += n;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were asked for"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// A count of things that take at least `least_bytes` each.
    pub(super) fn count(&mut self, what: &str, least_bytes: usize) -> Result<usize, Error> {
        let at = self.at;
        let n = self.u64()?;
        let most = (self.map.len() - self.at) / least_bytes;
        if n > most as u64 {
            return Err(self.malformed(at, format!("{n} {what} cannot lie in the rest of the file (at most {most})")));
        }
        Ok(n as usize)
    }

    /// A string's place in the file.
    pub(super) fn string(&mut self) -> Result<Range<usize>, Error> {
        let n = self.count("bytes of a string", 1)?;
        let at = self.at;
        let bytes = self.take(n)?;
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(at..at + n),
            Err(cause) => Err(self.malformed(at + cause.valid_up_to(), "a string that is not UTF-8")),
        }
    }
}
