//! GGUF (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>), versions 2 and 3, little-endian: what llama.cpp and its quantiser write.
//!
//! In: a file or bytes in memory. Out: metadata values and [`TensorView`]s that borrow from it, everything checked once when it is opened; or such a file,
//! streamed. Dimensions lie in the file fastest first and are turned round here. The meaning of keys and names is not this module's affair.

mod cursor;
mod value;
mod write;

use std::ops::Range;
use std::path::Path;

pub use value::{Array, Kind, Value, ValueRef};
pub use write::GgufWriter;

use crate::tensor::bytes_of_shape;
use crate::{Dtype, Error, Mapped, Place, TensorView};
use cursor::Cursor;

/// What tensors are aligned to where the file does not say.
pub const DEFAULT_ALIGNMENT: usize = 32;
const MAGIC: &[u8; 4] = b"GGUF";
const MAX_DIMENSIONS: u32 = 4;

/// A checked GGUF file.
#[derive(Debug)]
pub struct Gguf {
    map: Mapped,
    version: u32,
    /// In the order of the file.
    pairs: Vec<Pair>,
    /// Indexes into `pairs`, by key.
    pairs_by_key: Vec<u32>,
    /// In the order of the file.
    tensors: Vec<Tensor>,
    /// Indexes into `tensors`, by name.
    tensors_by_name: Vec<u32>,
}

// Ranges of the file and not strings: a hostile file of tiny entries costs no more than a few times its own size.
#[derive(Debug)]
struct Pair {
    key: Range<usize>,
    kind: Kind,
    value_at: usize,
}

#[derive(Debug)]
struct Tensor {
    name: Range<usize>,
    dtype: Dtype,
    n_dimensions: u8,
    /// Fastest first, as in the file.
    dimensions: [usize; 4],
    data: Range<usize>,
}

impl Gguf {
    /// Maps a file and checks all of it but the tensors' values.
    ///
    /// # Errors
    /// If the file cannot be read or is not true of itself.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::new(Mapped::open(path)?)
    }

    /// Checks bytes that are mapped already, or built into the program ([`Mapped::from_static`]).
    ///
    /// # Errors
    /// If they are no GGUF file, or one that is not true of itself.
    pub fn new(map: Mapped) -> Result<Self, Error> {
        let mut cursor = Cursor::new(&map);
        let version = version(&mut cursor)?;
        // Each of these takes at least so many bytes: a count that the file cannot hold is refused before anything is built.
        let n_tensors = cursor.count("tensors", 8 + 4 + 4 + 8)?;
        let n_pairs = cursor.count("metadata entries", 8 + 4 + 1)?;
        let mut pairs = Vec::new();
        for _ in 0..n_pairs {
            let key = cursor.string()?;
            let kind = Kind::read(&mut cursor)?;
            let value_at = cursor.at();
            value::skip(&mut cursor, kind, 0)?;
            pairs.push(Pair { key, kind, value_at });
        }
        let pairs_by_key = sorted(&map, &pairs, |pair| pair.key.clone(), "the key is given twice")?;
        let alignment = alignment(&map, &pairs)?;
        let mut tensors = Vec::new();
        for _ in 0..n_tensors {
            tensors.push(tensor(&mut cursor)?);
        }
        let tensors_by_name = sorted(&map, &tensors, |tensor| tensor.name.clone(), "the name is given twice")?;
        place(&map, &mut tensors, cursor.at(), alignment)?;
        Ok(Self { map, version, pairs, pairs_by_key, tensors, tensors_by_name })
    }

    /// Gives the memory of a tensor's bytes back: see [`Mapped::release`].
    pub fn release(&self, data: &[u8]) {
        self.map.release(data);
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// Version of the format: 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// All metadata, in the order of the file.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
        self.pairs.iter().map(|pair| (text(&self.map, &pair.key), ValueRef::at(&self.map, pair.kind, pair.value_at)))
    }

    /// One value, where it is there.
    pub fn get(&self, key: &str) -> Option<ValueRef<'_>> {
        let found = self.pairs_by_key.binary_search_by_key(&key, |i| text(&self.map, &self.pairs[*i as usize].key)).ok()?;
        let pair = &self.pairs[self.pairs_by_key[found] as usize];
        Some(ValueRef::at(&self.map, pair.kind, pair.value_at))
    }

    /// A text, where the key is there.
    ///
    /// # Errors
    /// If the value is not a string.
    pub fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        self.read(key, "a string", |value| match value {
            ValueRef::String(text) => Some(text),
            _ => None,
        })
    }

    /// A whole number from 0 up, of any width, where the key is there.
    ///
    /// # Errors
    /// If the value is not such a number.
    pub fn count(&self, key: &str) -> Result<Option<u64>, Error> {
        self.read(key, "a whole number from 0 up", ValueRef::as_count)
    }

    /// A floating-point number, where the key is there.
    ///
    /// # Errors
    /// If the value is not such a number.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        self.read(key, "a floating-point number", |value| match value {
            ValueRef::F32(number) => Some(f64::from(number)),
            ValueRef::F64(number) => Some(number),
            _ => None,
        })
    }

    /// A yes or no, where the key is there.
    ///
    /// # Errors
    /// If the value is not a truth value.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Error> {
        self.read(key, "true or false", |value| match value {
            ValueRef::Bool(flag) => Some(flag),
            _ => None,
        })
    }

    /// An array, where the key is there.
    ///
    /// # Errors
    /// If the value is not an array, or one of another kind.
    pub fn array(&self, key: &str, kind: Kind) -> Result<Option<Array<'_>>, Error> {
        self.read(key, &format!("an array of {kind}"), |value| match value {
            ValueRef::Array(array) if array.kind() == kind => Some(array),
            _ => None,
        })
    }

    fn read<'a, T>(&'a self, key: &str, wanted: &str, convert: impl FnOnce(ValueRef<'a>) -> Option<T>) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let kind = value.kind();
        let wrong = || Error::malformed(self.path(), Place::Key(key.to_owned()), format!("holds {kind} where {wanted} is wanted"));
        convert(value).ok_or_else(wrong).map(Some)
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        self.tensors.iter().map(|tensor| self.view(tensor))
    }

    /// The tensor of that name, where there is one.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let found = self.tensors_by_name.binary_search_by_key(&name, |i| text(&self.map, &self.tensors[*i as usize].name)).ok()?;
        Some(self.view(&self.tensors[self.tensors_by_name[found] as usize]))
    }

    fn view<'a>(&'a self, tensor: &'a Tensor) -> TensorView<'a> {
        let mut shape = tensor.dimensions[..usize::from(tensor.n_dimensions)].to_vec();
        shape.reverse();
        TensorView { name: text(&self.map, &tensor.name), dtype: tensor.dtype, shape, data: &self.map[tensor.data.clone()] }
    }
}

fn version(cursor: &mut Cursor<'_>) -> Result<u32, Error> {
    if cursor.take(4)? != MAGIC {
        return Err(cursor.malformed(0, "not a GGUF file: it does not begin with GGUF"));
    }
    let version = cursor.u32()?;
    let refuse = |what: String| Err(cursor.unsupported(4, what));
    match version {
        2 | 3 => Ok(version),
        1 => refuse("version 1 of GGUF (2 and 3 are read)".to_owned()),
        // A version never reaches 2^16: the file was written with its bytes the other way round.
        _ if version != 0 && version.trailing_zeros() >= 16 => refuse("big-endian GGUF".to_owned()),
        _ => refuse(format!("version {version} of GGUF (2 and 3 are read)")),
    }
}

fn alignment(map: &Mapped, pairs: &[Pair]) -> Result<usize, Error> {
    const KEY: &str = "general.alignment";
    let Some(pair) = pairs.iter().find(|pair| text(map, &pair.key) == KEY) else { return Ok(DEFAULT_ALIGNMENT) };
    match ValueRef::at(map, pair.kind, pair.value_at) {
        ValueRef::U32(alignment) if alignment.is_power_of_two() => Ok(alignment as usize),
        _ => Err(Error::malformed(map.path(), Place::Key(KEY.to_owned()), "not a power of two in 32 bits")),
    }
}

/// A tensor's description; its range is still relative to where the data begins.
fn tensor(cursor: &mut Cursor<'_>) -> Result<Tensor, Error> {
    let name = cursor.string()?;
    let key = Place::Key(text(cursor.map(), &name).to_owned());
    let path = cursor.map().path();
    let n_dimensions = cursor.u32()?;
    if n_dimensions > MAX_DIMENSIONS {
        return Err(Error::malformed(path, key, format!("has {n_dimensions} dimensions where at most {MAX_DIMENSIONS} can be")));
    }
    let mut dimensions = [1; 4];
    for dimension in &mut dimensions[..n_dimensions as usize] {
        let n = cursor.u64()?;
        *dimension = n.try_into().map_err(|_| Error::malformed(path, key.clone(), format!("has a dimension of {n}")))?;
    }
    let type_number = cursor.u32()?;
    let dtype = dtype(type_number).map_err(|what| Error::unsupported(path, key.clone(), what))?;
    let offset = cursor.u64()?;
    let turned: Vec<usize> = dimensions[..n_dimensions as usize].iter().rev().copied().collect();
    let Some(n_bytes) = bytes_of_shape(dtype, &turned) else {
        return Err(Error::malformed(path, key, format!("{dtype} cannot hold the shape {turned:?}")));
    };
    let range = usize::try_from(offset).ok().and_then(|begin| Some(begin..begin.checked_add(n_bytes)?));
    let data = range.ok_or_else(|| Error::malformed(path, key, format!("{n_bytes} bytes from {offset} on do not lie in the file")))?;
    Ok(Tensor { name, dtype, n_dimensions: n_dimensions as u8, dimensions, data })
}

/// Moves the tensors' ranges to where they lie in the file, and refuses overlaps, holes and bytes that belong to nothing.
fn place(map: &Mapped, tensors: &mut [Tensor], header_end: usize, alignment: usize) -> Result<(), Error> {
    let path = map.path();
    // No more than 2^31 is added to a file's size: this cannot overflow.
    let data_at = header_end.next_multiple_of(alignment);
    let available = map.len().saturating_sub(data_at);
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|i| (tensors[*i].data.start, tensors[*i].data.end));
    let mut end = 0;
    for i in order {
        let tensor = &mut tensors[i];
        let Range { start, end: stop } = tensor.data;
        let wrong = |cause: String| Err(Error::malformed(path, Place::Key(text(map, &tensor.name).to_owned()), cause));
        if start % alignment != 0 {
            return wrong(format!("begins at byte {start} of the data, which is no multiple of the alignment {alignment}"));
        }
        if stop > available {
            return wrong(format!("its bytes {start}..{stop} do not lie within the {available} bytes of data: is the file cut off?"));
        }
        if start < end {
            return wrong(format!("overlaps another tensor: it begins at byte {start} of the data, which is taken up to {end}"));
        }
        if start - end >= alignment {
            return wrong(format!("leaves a hole: it begins at byte {start} of the data, and nothing lies from {end} on"));
        }
        end = stop;
        tensor.data = data_at + start..data_at + stop;
    }
    if available.saturating_sub(end) >= alignment {
        let cause = format!("{} bytes follow the last tensor and belong to nothing", available - end);
        return Err(Error::malformed(path, Place::Byte((data_at + end) as u64), cause));
    }
    Ok(())
}

/// Indexes by name; two of the same name are refused.
fn sorted<T>(map: &Mapped, items: &[T], name: impl Fn(&T) -> Range<usize>, twice: &str) -> Result<Vec<u32>, Error> {
    let bytes_of = |i: u32| &map[name(&items[i as usize])];
    let n_items = u32::try_from(items.len()).map_err(|_| Error::unsupported(map.path(), Place::Whole, "so great a number of entries"))?;
    let mut order: Vec<u32> = (0..n_items).collect();
    order.sort_by_key(|i| bytes_of(*i));
    match order.windows(2).find(|pair| bytes_of(pair[0]) == bytes_of(pair[1])) {
        Some(pair) => {
            let key = text(map, &name(&items[pair[0] as usize])).to_owned();
            Err(Error::malformed(map.path(), Place::Key(key), twice))
        }
        None => Ok(order),
    }
}

/// A string whose range was checked to be UTF-8 when it was read.
fn text<'a>(map: &'a [u8], range: &Range<usize>) -> &'a str {
    std::str::from_utf8(&map[range.clone()]).expect("checked when the file was opened")
}

/// The type of a tensor by its number in `ggml.h`.
fn dtype(number: u32) -> Result<Dtype, String> {
    const OTHERS: [(u32, &str); 27] = [
        (3, "Q4_1"),
        (6, "Q5_0"),
        (7, "Q5_1"),
        (9, "Q8_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (13, "Q5_K"),
        (15, "Q8_K"),
        (16, "IQ2_XXS"),
        (17, "IQ2_XS"),
        (18, "IQ3_XXS"),
        (19, "IQ1_S"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (22, "IQ2_S"),
        (23, "IQ4_XS"),
        (24, "I8"),
        (25, "I16"),
        (26, "I32"),
        (27, "I64"),
        (28, "F64"),
        (29, "IQ1_M"),
        (34, "TQ1_0"),
        (35, "TQ2_0"),
        (39, "MXFP4"),
        (4, "Q4_2"),
        (5, "Q4_3"),
    ];
    Ok(match number {
        0 => Dtype::F32,
        1 => Dtype::F16,
        2 => Dtype::Q4_0,
        8 => Dtype::Q8_0,
        12 => Dtype::Q4K,
        14 => Dtype::Q6K,
        30 => Dtype::BF16,
        _ => {
            let name = OTHERS.iter().find(|(other, _)| *other == number).map_or("an unknown type", |(_, name)| name);
            return Err(format!("ggml type {number} ({name})"));
        }
    })
}

/// The number of a type in `ggml.h`, where it has one.
fn type_number(dtype: Dtype) -> Option<u32> {
    Some(match dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Q4_0 => 2,
        Dtype::Q8_0 => 8,
        Dtype::Q4K => 12,
        Dtype::Q6K => 14,
        Dtype::BF16 => 30,
        Dtype::U8 | Dtype::U64 => return None,
    })
}

#[cfg(test)]
mod tests;
