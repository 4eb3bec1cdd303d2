//! The JSON header: parsed entry by entry, so that a name given twice or a shape of a million dimensions is seen before it costs anything.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::tensor::n_values;
use crate::{Error, Mapped, Place};

/// As in the reference implementation.
const MAX_HEADER_BYTES: u64 = 100_000_000;
const MAX_DIMENSIONS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
    F16,
    Bf16,
    /// Name and width in bits.
    Other(&'static str, usize),
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Other(name, _) => name,
        }
    }

    fn bits(self) -> usize {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::Other(_, bits) => bits,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        const OTHERS: [(&str, usize); 16] = [
            ("BOOL", 8),
            ("U8", 8),
            ("I8", 8),
            ("F4", 4),
            ("F6_E2M3", 6),
            ("F6_E3M2", 6),
            ("F8_E5M2", 8),
            ("F8_E4M3", 8),
            ("F8_E8M0", 8),
            ("I16", 16),
            ("U16", 16),
            ("I32", 32),
            ("U32", 32),
            ("F64", 64),
            ("I64", 64),
            ("U64", 64),
        ];
        match name {
            "F32" => Some(Self::F32),
            "F16" => Some(Self::F16),
            "BF16" => Some(Self::Bf16),
            _ => OTHERS.iter().find(|(other, _)| *other == name).map(|(name, bits)| Self::Other(name, *bits)),
        }
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub name: String,
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub begin: usize,
    pub end: usize,
}

#[derive(Debug)]
pub(super) struct Header {
    pub metadata: BTreeMap<String, String>,
    /// In the order of their bytes.
    pub entries: Vec<Entry>,
}

/// Where the data begins, and what it holds.
pub(super) fn read(map: &Mapped) -> Result<(usize, Header), Error> {
    let path = map.path();
    let at = |offset: u64, cause: String| Error::malformed(path, Place::Byte(offset), cause);
    let Some(length) = map.first_chunk() else { return Err(at(0, format!("{} bytes are too few for a safetensors file", map.len()))) };
    let length = u64::from_le_bytes(*length);
    let left = map.len() as u64 - 8;
    if length > left || length > MAX_HEADER_BYTES {
        let most = left.min(MAX_HEADER_BYTES);
        return Err(at(
            0,
            format!("the header is said to be {length} bytes long where at most {most} can be; is this a safetensors file?"),
        ));
    }
    let data_at = 8 + length as usize;
    let text = &map[8..data_at];
    if text.first() != Some(&b'{') {
        return Err(at(8, "the header does not begin with {".to_owned()));
    }
    let raw: RawHeader = serde_json::from_slice(text).map_err(|cause| {
        let place = 8 + byte_of(text, cause.line(), cause.column());
        at(place, format!("the header cannot be read: {cause}"))
    })?;
    let mut entries = Vec::with_capacity(raw.entries.len());
    for (name, entry) in raw.entries {
        entries.push(check(map, data_at, name, entry)?);
    }
    entries.sort_by(|a, b| (a.begin, a.end, &a.name).cmp(&(b.begin, b.end, &b.name)));
    let mut end = 0;
    for entry in &entries {
        let wrong = |cause| Error::malformed(path, Place::Key(entry.name.clone()), cause);
        if entry.begin < end {
            return Err(wrong(format!(
                "overlaps another tensor: it begins at byte {} of the data, which is taken up to {end}",
                entry.begin
            )));
        }
        if entry.begin > end {
            return Err(wrong(format!("leaves a hole: it begins at byte {} of the data, and nothing lies from {end} on", entry.begin)));
        }
        end = entry.end;
    }
    if end != map.len() - data_at {
        let found = map.len() - data_at;
        return Err(at((data_at + end) as u64, format!("the tensors take {end} bytes, but {found} follow the header")));
    }
    Ok((data_at, Header { metadata: raw.metadata, entries }))
}

fn check(map: &Mapped, data_at: usize, name: String, raw: RawEntry) -> Result<Entry, Error> {
    let path = map.path();
    let Some(kind) = Kind::parse(&raw.dtype) else {
        let what = format!("type {:?}", raw.dtype.chars().take(40).collect::<String>());
        return Err(Error::unsupported(path, Place::Key(name), what));
    };
    let wrong = |cause: String| Error::malformed(path, Place::Key(name.clone()), cause);
    let (begin, end) = raw.data_offsets;
    let available = (map.len() - data_at) as u64;
    if begin > end || end > available {
        return Err(wrong(format!("its bytes {begin}..{end} do not lie within the {available} bytes of data")));
    }
    let shape = raw.shape.0;
    let bits = n_values(&shape).and_then(|n| n.checked_mul(kind.bits()));
    let found = end - begin;
    match bits {
        Some(bits) if bits.is_multiple_of(8) && bits as u64 / 8 == found => {}
        _ => return Err(wrong(format!("{} of shape {shape:?} does not take the {found} bytes given", kind.name()))),
    }
    Ok(Entry { name, kind, shape, begin: begin as usize, end: end as usize })
}

/// The parser counts lines and columns from 1 and 0; errors here are placed by byte.
fn byte_of(text: &[u8], line: usize, column: usize) -> u64 {
    let lines_before: usize = text.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (lines_before + column.saturating_sub(1)) as u64
}

struct RawHeader {
    metadata: BTreeMap<String, String>,
    entries: Vec<(String, RawEntry)>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

struct Shape(Vec<usize>);

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = RawHeader;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut header = RawHeader { metadata: BTreeMap::new(), entries: Vec::new() };
                let mut names = HashSet::new();
                while let Some(name) = map.next_key::<String>()? {
                    if !names.insert(name.clone()) {
                        return Err(de::Error::custom(format_args!("{:?} is given twice", name.chars().take(200).collect::<String>())));
                    }
                    if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                    } else {
                        header.entries.push((name, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of dimensions")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(n) = seq.next_element()? {
                    if shape.len() == MAX_DIMENSIONS {
                        return Err(de::Error::custom(format_args!("a shape of more than {MAX_DIMENSIONS} dimensions")));
                    }
                    shape.push(n);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}
