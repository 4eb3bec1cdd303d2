//! The three messages of `tensor_bundle.proto` that an index holds, read field by field; fields that are not known are passed over, as protobuf asks.

use std::path::Path;

use crate::{Error, Place};

/// As TensorFlow's own limit on dimensions (`TensorShape::MaxDimensions`).
const MAX_DIMENSIONS: usize = 254;

/// What slices are called in messages.
pub(super) const SLICES: &str = "a tensor in slices (a partitioned variable)";

/// Why a message was refused.
pub(super) enum Refused {
    Malformed(String),
    Unsupported(Error),
}

impl Refused {
    pub(super) fn into_error(self, malformed: impl FnOnce(String) -> Error) -> Error {
        match self {
            Self::Malformed(cause) => malformed(cause),
            Self::Unsupported(error) => error,
        }
    }
}

impl From<&'static str> for Refused {
    fn from(cause: &'static str) -> Self {
        Self::Malformed(cause.to_owned())
    }
}

/// `BundleHeaderProto`.
#[derive(Debug)]
pub(super) struct Header {
    pub n_shards: u32,
}

impl Header {
    pub(super) fn parse(path: &Path, message: &[u8]) -> Result<Self, Refused> {
        let mut n_shards = 0;
        for field in fields(message) {
            match field? {
                (1, Value::Number(n)) => n_shards = n,
                (2, Value::Number(0)) => {}
                (2, Value::Number(_)) => return Err(unsupported(path, "", "a big-endian checkpoint")),
                _ => {}
            }
        }
        match u32::try_from(n_shards) {
            Ok(n_shards @ 1..=99_999) => Ok(Self { n_shards }),
            _ => Err(Refused::Malformed(format!("{n_shards} is no number of data files"))),
        }
    }
}

/// `BundleEntryProto`, with its place turned into a range of the data file.
#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub type_number: u64,
    pub shape: Vec<usize>,
    pub shard: u32,
    pub begin: usize,
    pub end: usize,
    pub masked_crc: u32,
}

impl Entry {
    pub(super) fn parse(path: &Path, name: &str, message: &[u8], n_shards: u32) -> Result<Self, Refused> {
        let (mut type_number, mut shape, mut shard, mut offset, mut size, mut masked_crc) = (0, Vec::new(), 0, 0, 0, 0);
        for field in fields(message) {
            match field? {
                (1, Value::Number(n)) => type_number = n,
                (2, Value::Bytes(message)) => shape = parse_shape(message)?,
                (3, Value::Number(n)) => shard = n,
                (4, Value::Number(n)) => offset = n,
                (5, Value::Number(n)) => size = n,
                (6, Value::Fixed(n)) => masked_crc = n,
                (7, _) => return Err(unsupported(path, name, SLICES)),
                _ => {}
            }
        }
        let shard = u32::try_from(shard).ok().filter(|shard| *shard < n_shards);
        let shard = shard.ok_or_else(|| Refused::Malformed(format!("lies in a data file that is none of the {n_shards}")))?;
        // Negative numbers arrive as numbers beyond 2^63.
        let range =
            usize::try_from(offset).ok().zip(usize::try_from(size).ok()).and_then(|(begin, size)| Some((begin, begin.checked_add(size)?)));
        let (begin, end) = range.filter(|(_, end)| i64::try_from(*end).is_ok()).ok_or_else(|| {
            let (offset, size) = (offset.cast_signed(), size.cast_signed());
            Refused::Malformed(format!("{size} bytes from {offset} on can lie in no file"))
        })?;
        Ok(Self { name: name.to_owned(), type_number, shape, shard, begin, end, masked_crc })
    }
}

/// `TensorShapeProto`.
fn parse_shape(message: &[u8]) -> Result<Vec<usize>, Refused> {
    let mut shape = Vec::new();
    for field in fields(message) {
        match field? {
            (2, Value::Bytes(dimension)) => {
                let mut size = 0;
                for field in fields(dimension) {
                    if let (1, Value::Number(n)) = field? {
                        size = n;
                    }
                }
                if shape.len() == MAX_DIMENSIONS {
                    return Err(Refused::Malformed(format!("has more than {MAX_DIMENSIONS} dimensions")));
                }
                let size = usize::try_from(size).ok().filter(|n| i64::try_from(*n).is_ok());
                shape.push(size.ok_or("has a negative dimension")?);
            }
            (3, Value::Number(1)) => return Err("has no known shape".into()),
            _ => {}
        }
    }
    Ok(shape)
}

/// The names of `types.proto`, for messages.
pub(super) fn type_name(number: u64) -> String {
    const NAMES: [&str; 24] = [
        "DT_INVALID",
        "DT_FLOAT",
        "DT_DOUBLE",
        "DT_INT32",
        "DT_UINT8",
        "DT_INT16",
        "DT_INT8",
        "DT_STRING",
        "DT_COMPLEX64",
        "DT_INT64",
        "DT_BOOL",
        "DT_QINT8",
        "DT_QUINT8",
        "DT_QINT32",
        "DT_BFLOAT16",
        "DT_QINT16",
        "DT_QUINT16",
        "DT_UINT16",
        "DT_COMPLEX128",
        "DT_HALF",
        "DT_RESOURCE",
        "DT_VARIANT",
        "DT_UINT32",
        "DT_UINT64",
    ];
    usize::try_from(number).ok().and_then(|i| NAMES.get(i)).map_or_else(|| format!("number {number}"), |name| (*name).to_owned())
}

fn unsupported(path: &Path, name: &str, what: &str) -> Refused {
    Refused::Unsupported(Error::unsupported(path, Place::Key(name.to_owned()), what))
}

enum Value<'a> {
    Number(u64),
    Fixed(u32),
    Bytes(&'a [u8]),
    Other,
}

/// A message's fields: number and value.
fn fields(mut message: &[u8]) -> impl Iterator<Item = Result<(u64, Value<'_>), &'static str>> {
    std::iter::from_fn(move || {
        if message.is_empty() {
            return None;
        }
        let field = field(&mut message);
        if field.is_none() {
            message = &[];
        }
        Some(field.ok_or("holds a protobuf message that is cut off or no message"))
    })
}

fn field<'a>(message: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(message)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(message)?),
        1 => {
            take(message, 8)?;
            Value::Other
        }
        2 => {
            let n = varint(message)?;
            Value::Bytes(take(message, usize::try_from(n).ok()?)?)
        }
        5 => Value::Fixed(u32::from_le_bytes(take(message, 4)?.try_into().ok()?)),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn take<'a>(bytes: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    bytes.split_off(..n)
}

/// A base-128 number, lowest digits first; more than 64 bits are refused.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        if shift == 63 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
