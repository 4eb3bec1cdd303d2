//! Metadata values: lent from the map when read, owned when written.

use std::fmt;

use super::cursor::Cursor;
use super::text;
use crate::Error;

/// Arrays of arrays deeper than this are refused; no known file has any.
const MAX_DEPTH: usize = 4;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl Kind {
    /// In the order of their numbers in the file.
    const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let at = cursor.at();
        let number = cursor.u32()?;
        let kind = Self::ALL.get(number as usize).copied();
        kind.ok_or_else(|| cursor.malformed(at, format!("{number} is no type of a metadata value")))
    }

    pub(super) fn number(self) -> u32 {
        self as u32
    }

    /// Bytes of a value, where all of the kind take the same.
    fn width(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&format!("{self:?}").to_lowercase())
    }
}

/// Checks a value and moves past it.
pub(super) fn skip(cursor: &mut Cursor<'_>, kind: Kind, depth: usize) -> Result<(), Error> {
    match kind {
        Kind::String => cursor.string().map(drop),
        Kind::Array => {
            let at = cursor.at();
            if depth == MAX_DEPTH {
                return Err(cursor.malformed(at, format!("arrays lie more than {MAX_DEPTH} deep")));
            }
            let kind = Kind::read(cursor)?;
            if let Some(width) = kind.width() {
                let n = cursor.count("values of an array", width)?;
                let at = cursor.at();
                let bytes = cursor.take(n * width)?;
                check_bools(cursor, kind, at, bytes)
            } else {
                let n = cursor.count("values of an array", if kind == Kind::String { 8 } else { 12 })?;
                (0..n).try_for_each(|_| skip(cursor, kind, depth + 1))
            }
        }
        _ => {
            let at = cursor.at();
            let bytes = cursor.take(kind.width().unwrap_or(0))?;
            check_bools(cursor, kind, at, bytes)
        }
    }
}

fn check_bools(cursor: &Cursor<'_>, kind: Kind, at: usize, bytes: &[u8]) -> Result<(), Error> {
    match bytes.iter().position(|byte| *byte > 1) {
        Some(i) if kind == Kind::Bool => Err(cursor.malformed(at + i, format!("{} is neither true (1) nor false (0)", bytes[i]))),
        _ => Ok(()),
    }
}

/// A value lent from the file.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ValueRef<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

/// The bytes of a number that was checked to be in the file.
fn number<const N: usize>(map: &[u8], at: usize) -> [u8; N] {
    map[at..at + N].try_into().expect("as many bytes as were asked for")
}

impl<'a> ValueRef<'a> {
    /// The value at a place where [`skip`] found one.
    pub(super) fn at(map: &'a [u8], kind: Kind, at: usize) -> Self {
        match kind {
            Kind::U8 => Self::U8(map[at]),
            Kind::I8 => Self::I8(map[at].cast_signed()),
            Kind::U16 => Self::U16(u16::from_le_bytes(number(map, at))),
            Kind::I16 => Self::I16(i16::from_le_bytes(number(map, at))),
            Kind::U32 => Self::U32(u32::from_le_bytes(number(map, at))),
            Kind::I32 => Self::I32(i32::from_le_bytes(number(map, at))),
            Kind::F32 => Self::F32(f32::from_le_bytes(number(map, at))),
            Kind::Bool => Self::Bool(map[at] == 1),
            Kind::U64 => Self::U64(u64::from_le_bytes(number(map, at))),
            Kind::I64 => Self::I64(i64::from_le_bytes(number(map, at))),
            Kind::F64 => Self::F64(f64::from_le_bytes(number(map, at))),
            Kind::String => {
                let n = u64::from_le_bytes(number(map, at)) as usize;
                Self::String(text(map, &(at + 8..at + 8 + n)))
            }
            Kind::Array => {
                let kind = Kind::ALL[u32::from_le_bytes(number(map, at)) as usize];
                let len = u64::from_le_bytes(number(map, at + 4)) as usize;
                Self::Array(Array { map, kind, len, at: at + 12 })
            }
        }
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(_) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// A whole number from 0 up, of any width.
    pub fn as_count(self) -> Option<u64> {
        match self {
            Self::U8(n) => Some(n.into()),
            Self::U16(n) => Some(n.into()),
            Self::U32(n) => Some(n.into()),
            Self::U64(n) => Some(n),
            Self::I8(n) => n.try_into().ok(),
            Self::I16(n) => n.try_into().ok(),
            Self::I32(n) => n.try_into().ok(),
            Self::I64(n) => n.try_into().ok(),
            _ => None,
        }
    }

    /// A text.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A copy that does not borrow from the file: what a writer takes.
    pub fn to_value(self) -> Value {
        match self {
            Self::U8(n) => Value::U8(n),
            Self::I8(n) => Value::I8(n),
            Self::U16(n) => Value::U16(n),
            Self::I16(n) => Value::I16(n),
            Self::U32(n) => Value::U32(n),
            Self::I32(n) => Value::I32(n),
            Self::F32(n) => Value::F32(n),
            Self::Bool(flag) => Value::Bool(flag),
            Self::String(text) => Value::String(text.to_owned()),
            Self::Array(array) => Value::Array(array.kind, array.iter().map(Self::to_value).collect()),
            Self::U64(n) => Value::U64(n),
            Self::I64(n) => Value::I64(n),
            Self::F64(n) => Value::F64(n),
        }
    }
}

/// An array lent from the file.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    map: &'a [u8],
    kind: Kind,
    len: usize,
    at: usize,
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}; {}]", self.kind, self.len)
    }
}

impl PartialEq for Array<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<'a> Array<'a> {
    /// What its values are.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True where there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let Self { map, kind, len, mut at } = *self;
        (0..len).map(move |_| {
            let value = ValueRef::at(map, kind, at);
            at = end(map, kind, at);
            value
        })
    }

    /// The values in order, where they are strings; nothing otherwise.
    pub fn texts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.iter().map_while(ValueRef::as_text)
    }
}

/// The end of a value at a place where [`skip`] found one.
fn end(map: &[u8], kind: Kind, at: usize) -> usize {
    match (kind, kind.width()) {
        (_, Some(width)) => at + width,
        (Kind::String, None) => at + 8 + u64::from_le_bytes(number(map, at)) as usize,
        (_, None) => {
            let ValueRef::Array(array) = ValueRef::at(map, kind, at) else { unreachable!("only strings and arrays have no fixed width") };
            (0..array.len).fold(array.at, |at, _| end(map, array.kind, at))
        }
    }
}

/// A value to be written. Arrays hold values of the kind that stands before them.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    String(String),
    Array(Kind, Vec<Value>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl Value {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::U8(_) => Kind::U8,
            Self::I8(_) => Kind::I8,
            Self::U16(_) => Kind::U16,
            Self::I16(_) => Kind::I16,
            Self::U32(_) => Kind::U32,
            Self::I32(_) => Kind::I32,
            Self::F32(_) => Kind::F32,
            Self::Bool(_) => Kind::Bool,
            Self::String(_) => Kind::String,
            Self::Array(..) => Kind::Array,
            Self::U64(_) => Kind::U64,
            Self::I64(_) => Kind::I64,
            Self::F64(_) => Kind::F64,
        }
    }

    /// Appends the value's bytes. `Err` says what is wrong with it.
    pub(super) fn write(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
        match self {
            Self::U8(n) => out.push(*n),
            Self::I8(n) => out.push(n.cast_unsigned()),
            Self::U16(n) => out.extend(n.to_le_bytes()),
            Self::I16(n) => out.extend(n.to_le_bytes()),
            Self::U32(n) => out.extend(n.to_le_bytes()),
            Self::I32(n) => out.extend(n.to_le_bytes()),
            Self::F32(n) => out.extend(n.to_le_bytes()),
            Self::Bool(flag) => out.push(u8::from(*flag)),
            Self::String(text) => write_text(out, text),
            Self::U64(n) => out.extend(n.to_le_bytes()),
            Self::I64(n) => out.extend(n.to_le_bytes()),
            Self::F64(n) => out.extend(n.to_le_bytes()),
            Self::Array(kind, values) => {
                if depth == MAX_DEPTH {
                    return Err(format!("arrays lie more than {MAX_DEPTH} deep"));
                }
                out.extend(kind.number().to_le_bytes());
                out.extend((values.len() as u64).to_le_bytes());
                for value in values {
                    if value.kind() != *kind {
                        return Err(format!("an array of {kind} holds {}", value.kind()));
                    }
                    value.write(out, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}

pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.bytes());
}

macro_rules! from {
    ($($type:ty => $kind:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$kind(value.into())
            }
        }

        impl From<Vec<$type>> for Value {
            fn from(values: Vec<$type>) -> Self {
                Self::Array(Kind::$kind, values.into_iter().map(Self::from).collect())
            }
        }
    )*};
}

from!(u32 => U32, i32 => I32, u64 => U64, f32 => F32, bool => Bool, String => String, &str => String);
