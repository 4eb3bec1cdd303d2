//! Token arrays: one-dimensional `uint16` or `uint32` arrays in `NumPy`'s `.npy` format, version 1.0 (NEP 1), read through a map.
//!
//! In: a file that `numpy.load` reads, or token ids. Out: the ids as a slice, or such a file. Little-endian only; other shapes and types are refused by name.

use std::io::{self, Seek as _, SeekFrom, Write};
use std::path::Path;

use crate::atomic::AtomicFile;
use crate::{Error, Mapped, Place};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// What the writer makes: room for a count of 20 digits, and the ids begin at a multiple of 64.
const HEADER_BYTES: usize = 128;

/// The stored width of a token id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Two bytes: vocabularies of up to 65,536 tokens.
    U16,
    /// Four bytes.
    U32,
}

impl Width {
    /// The narrowest width for a vocabulary.
    pub fn for_vocabulary(vocab_size: usize) -> Self {
        if vocab_size <= 1 << 16 { Self::U16 } else { Self::U32 }
    }

    /// Bytes of one id.
    pub const fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }

    fn descr(self) -> &'static str {
        match self {
            Self::U16 => "<u2",
            Self::U32 => "<u4",
        }
    }
}

/// Token ids as they lie in a file.
#[derive(Clone, Copy, Debug)]
pub enum Ids<'a> {
    /// Two bytes each.
    U16(&'a [u16]),
    /// Four bytes each.
    U32(&'a [u32]),
}

impl Ids<'_> {
    /// Number of ids.
    pub fn len(&self) -> usize {
        match self {
            Self::U16(ids) => ids.len(),
            Self::U32(ids) => ids.len(),
        }
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id at `index`, or `None` past the end.
    #[inline]
    pub fn get(&self, index: usize) -> Option<u32> {
        match self {
            Self::U16(ids) => ids.get(index).map(|id| u32::from(*id)),
            Self::U32(ids) => ids.get(index).copied(),
        }
    }

    /// Fills `out` with the ids from `start` on; false, and nothing written, where there are too few.
    pub fn copy_to(&self, start: usize, out: &mut [u32]) -> bool {
        let Some(end) = start.checked_add(out.len()) else { return false };
        match self {
            Self::U16(ids) => ids.get(start..end).map(|ids| ids.iter().zip(out).for_each(|(id, out)| *out = u32::from(*id))).is_some(),
            Self::U32(ids) => ids.get(start..end).map(|ids| out.copy_from_slice(ids)).is_some(),
        }
    }

    /// The greatest id, or `None` where there are none.
    pub fn max(&self) -> Option<u32> {
        match self {
            Self::U16(ids) => ids.iter().max().map(|id| u32::from(*id)),
            Self::U32(ids) => ids.iter().max().copied(),
        }
    }
}

/// A token array in a mapped file.
#[derive(Debug)]
pub struct TokenArray {
    map: Mapped,
    data_at: usize,
    width: Width,
}

impl TokenArray {
    /// Maps a file and checks its header against its size.
    ///
    /// # Errors
    /// If the file cannot be read, is no such array, or is shorter or longer than its header says.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::new(Mapped::open(path)?)
    }

    /// Checks bytes that are mapped already.
    ///
    /// # Errors
    /// As for [`TokenArray::open`].
    pub fn new(map: Mapped) -> Result<Self, Error> {
        let (data_at, width, n_tokens) = header(&map)?;
        let wanted = n_tokens.checked_mul(width.bytes());
        let found = map.len() - data_at;
        if wanted != Some(found) {
            let cause = format!("the header says {n_tokens} values of {} bytes, but {found} bytes follow it", width.bytes());
            return Err(Error::malformed(map.path(), Place::Byte(data_at as u64), cause));
        }
        let misaligned =
            || Error::unsupported(map.path(), Place::Byte(data_at as u64), "an array that does not lie at a multiple of its width");
        match width {
            Width::U16 => bytemuck::try_cast_slice::<u8, u16>(&map[data_at..]).map(drop),
            Width::U32 => bytemuck::try_cast_slice::<u8, u32>(&map[data_at..]).map(drop),
        }
        .map_err(|_| misaligned())?;
        Ok(Self { map, data_at, width })
    }

    /// The ids.
    pub fn ids(&self) -> Ids<'_> {
        let data = &self.map[self.data_at..];
        match self.width {
            Width::U16 => Ids::U16(bytemuck::cast_slice(data)),
            Width::U32 => Ids::U32(bytemuck::cast_slice(data)),
        }
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.ids().len()
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stored width.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.map.path()
    }
}

/// Where the values begin, their width, and how many there are.
fn header(map: &Mapped) -> Result<(usize, Width, usize), Error> {
    let path = map.path();
    let malformed = |at: usize, cause: &str| Error::malformed(path, Place::Byte(at as u64), cause);
    if !map.starts_with(MAGIC) {
        return Err(malformed(0, "not a NumPy file: it does not begin with \\x93NUMPY"));
    }
    let Some(&[major, minor, low, high]) = map.get(6..10) else { return Err(malformed(6, "the header is cut off")) };
    if (major, minor) != (1, 0) {
        return Err(Error::unsupported(path, Place::Byte(6), format!("version {major}.{minor} of the NumPy format (1.0 is read)")));
    }
    let data_at = 10 + usize::from(u16::from_le_bytes([low, high]));
    let text = map.get(10..data_at).ok_or_else(|| malformed(8, "the header is longer than the file"))?;
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii()).ok_or_else(|| malformed(10, "the header is not ASCII"))?;
    let fields = fields(text).ok_or_else(|| malformed(10, "the header is not a dictionary of descr, fortran_order and shape"))?;
    let width = match fields.descr {
        "<u2" => Width::U16,
        "<u4" => Width::U32,
        other => return Err(Error::unsupported(path, Place::Byte(10), format!("type {other:?} (<u2 and <u4 are read)"))),
    };
    let n_tokens = fields.shape.strip_suffix(',').unwrap_or(fields.shape).trim();
    if n_tokens.contains(',') || n_tokens.is_empty() {
        return Err(Error::unsupported(path, Place::Byte(10), format!("shape ({}) (one dimension is read)", fields.shape)));
    }
    let n_tokens = n_tokens.parse().map_err(|_| malformed(10, "the shape is not a count"))?;
    Ok((data_at, width, n_tokens))
}

struct Fields<'a> {
    descr: &'a str,
    shape: &'a str,
}

/// The three entries of the header's Python dictionary, in any order. Fortran order is the same as C order in one dimension.
fn fields(text: &str) -> Option<Fields<'_>> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut descr, mut shape, mut order) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = quoted(rest)?;
        rest = after.trim_start().strip_prefix(':')?.trim_start();
        let slot = match key {
            "descr" => &mut descr,
            "shape" => &mut shape,
            "fortran_order" => &mut order,
            _ => return None,
        };
        let (value, after) = match key {
            "descr" => quoted(rest)?,
            "shape" => rest.strip_prefix('(')?.split_once(')')?,
            _ => rest.split_at(rest.find([',', '}']).unwrap_or(rest.len())),
        };
        if slot.replace(value.trim()).is_some() {
            return None;
        }
        rest = after.trim_start();
        rest = rest.strip_prefix(',').or(rest.is_empty().then_some(rest))?.trim_start();
    }
    matches!(order?, "True" | "False").then_some(Fields { descr: descr?, shape: shape? })
}

fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('\'')?.split_once('\'')
}

/// Writes a token array as a stream; the file appears under its name, with the right count in its header, on [`TokenWriter::finish`].
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use ovid_io::npy::{TokenArray, TokenWriter, Width};
/// let path = folder.path().join("train.npy");
/// let mut out = TokenWriter::create(&path, Width::U16)?;
/// out.write(&[15496, 995])?;
/// assert_eq!(out.finish()?, 2);
/// assert_eq!(TokenArray::open(&path)?.ids().get(1), Some(995));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TokenWriter {
    out: AtomicFile,
    width: Width,
    n_tokens: u64,
}

impl TokenWriter {
    /// Opens a writer for `path`.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn create(path: &Path, width: Width) -> Result<Self, Error> {
        let mut out = AtomicFile::create(path)?;
        out.write_all(&header_bytes(width, 0)).map_err(|cause| Error::io(path, "write", cause))?;
        Ok(Self { out, width, n_tokens: 0 })
    }

    /// Appends ids.
    ///
    /// # Errors
    /// If an id is too great for the width, or the file cannot be written.
    pub fn write(&mut self, ids: &[u32]) -> Result<(), Error> {
        let written = match self.width {
            Width::U16 => {
                if let Some(id) = ids.iter().find(|id| **id > u32::from(u16::MAX)) {
                    return Err(Error::unwritable(self.out.path(), Place::Whole, format!("token {id} does not fit into uint16")));
                }
                write_all(&mut self.out, ids.iter().map(|id| (*id as u16).to_le_bytes()))
            }
            Width::U32 => write_all(&mut self.out, ids.iter().map(|id| id.to_le_bytes())),
        };
        written.map_err(|cause| Error::io(self.out.path(), "write", cause))?;
        self.n_tokens += ids.len() as u64;
        Ok(())
    }

    /// Number of ids written so far.
    pub fn n_tokens(&self) -> u64 {
        self.n_tokens
    }

    /// Writes the true header and gives the file its name. Returns the number of ids.
    ///
    /// # Errors
    /// If the system cannot write, sync or rename.
    pub fn finish(mut self) -> Result<u64, Error> {
        let header = header_bytes(self.width, self.n_tokens);
        let rewritten = self.out.seek(SeekFrom::Start(0)).and_then(|_| self.out.write_all(&header));
        rewritten.map_err(|cause| Error::io(self.out.path(), "write", cause))?;
        self.out.commit()?;
        Ok(self.n_tokens)
    }
}

fn write_all<const N: usize>(out: &mut AtomicFile, values: impl Iterator<Item = [u8; N]>) -> io::Result<()> {
    for value in values {
        out.write_all(&value)?;
    }
    Ok(())
}

fn header_bytes(width: Width, n_tokens: u64) -> [u8; HEADER_BYTES] {
    let text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({n_tokens},), }}", width.descr());
    let mut header = [b' '; HEADER_BYTES];
    header[..6].copy_from_slice(MAGIC);
    header[6..8].copy_from_slice(&[1, 0]);
    header[8..10].copy_from_slice(&((HEADER_BYTES - 10) as u16).to_le_bytes());
    header[10..10 + text.len()].copy_from_slice(text.as_bytes());
    header[HEADER_BYTES - 1] = b'\n';
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: [u8; 2], text: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(version);
        // Padded as NumPy pads, so that the values are aligned.
        let padded = format!("{text:<118}");
        bytes.extend((padded.len() as u16).to_le_bytes());
        bytes.extend(padded.bytes());
        bytes.extend(data);
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<Vec<u32>, String> {
        let array = TokenArray::new(Mapped::from_vec("a.npy", bytes)).map_err(|e| e.to_string())?;
        let mut out = vec![0; array.len()];
        assert!(array.ids().copy_to(0, &mut out));
        assert!(!array.ids().copy_to(1, &mut out) || out.is_empty());
        Ok(out)
    }

    #[test]
    fn what_numpy_writes_is_read() {
        let text = "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }";
        assert_eq!(read(file([1, 0], text, &[1, 0, 2, 0, 255, 255])).unwrap(), [1, 2, 65535]);
        let text = "{'shape':(1,),'fortran_order':True,'descr':'<u4'}";
        assert_eq!(read(file([1, 0], text, &[1, 2, 0, 0])).unwrap(), [513]);
        assert!(read(file([1, 0], "{'descr': '<u4', 'fortran_order': False, 'shape': (0,), }", &[])).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |version, text: &str, data: &[u8], expected: &str| {
            let error = read(file(version, text, data)).unwrap_err();
            assert!(error.starts_with("'a.npy'") && error.contains(expected), "{error}");
        };
        let good = "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), }";
        check([1, 0], good, &[0; 5], "3 values of 2 bytes, but 5 bytes follow");
        check([1, 0], good, &[0; 7], "but 7 bytes follow");
        check([2, 0], good, &[0; 6], "version 2.0");
        check([1, 0], "{'descr': '>u2', 'fortran_order': False, 'shape': (3,), }", &[0; 6], "\">u2\"");
        check([1, 0], "{'descr': '<u2', 'fortran_order': False, 'shape': (3, 1), }", &[0; 6], "shape (3, 1)");
        check([1, 0], "{'descr': '<u2', 'fortran_order': False, 'shape': (), }", &[0; 6], "shape ()");
        check([1, 0], "{'descr': '<u2', 'fortran_order': False, 'shape': (-3,), }", &[0; 6], "not a count");
        check([1, 0], "{'descr': '<u2', 'fortran_order': False, 'shape': (9223372036854775808,), }", &[0; 6], "9223372036854775808 values");
        check([1, 0], "{'descr': '<u2', 'shape': (3,), }", &[0; 6], "not a dictionary");
        check([1, 0], "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (3,), }", &[0; 6], "not a dictionary");
        assert!(read(b"\x93NUMPY\x01\x00\xff\xff".to_vec()).unwrap_err().contains("longer than the file"));
        assert!(read(b"\x93NUM".to_vec()).unwrap_err().contains("not a NumPy file"));
    }

    #[test]
    fn an_id_too_great_for_its_width_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut out = TokenWriter::create(&folder.path().join("a.npy"), Width::U16).unwrap();
        assert!(out.write(&[65536]).unwrap_err().to_string().contains("token 65536 does not fit"));
    }
}
