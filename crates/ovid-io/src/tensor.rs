//! A named tensor as it lies in a file: what every checkpoint reader yields and every writer takes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Element or block type of a stored tensor. Block types follow ggml's layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Dtype {
    /// IEEE single precision.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a single.
    BF16,
    /// ggml `Q8_0`: 32 values, an f16 scale and 32 signed bytes.
    Q8_0,
    /// ggml `Q4_0`: 32 values, an f16 scale and 16 bytes of nibbles (value = nibble - 8).
    Q4_0,
    /// ggml `Q4_K`: 256 values in 144 bytes.
    #[serde(rename = "Q4_K")]
    Q4K,
    /// ggml `Q6_K`: 256 values in 210 bytes.
    #[serde(rename = "Q6_K")]
    Q6K,
    /// Bytes; no weight has this type.
    U8,
    /// Little-endian whole numbers; no weight has this type.
    U64,
}

impl Dtype {
    /// Values in one block (1 for plain types).
    pub const fn block_len(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 | Self::U8 | Self::U64 => 1,
            Self::Q8_0 | Self::Q4_0 => 32,
            Self::Q4K | Self::Q6K => 256,
        }
    }

    /// Bytes of one block (of one value for plain types).
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 34,
            Self::Q4_0 => 18,
            Self::Q4K => 144,
            Self::Q6K => 210,
            Self::U8 => 1,
            Self::U64 => 8,
        }
    }

    /// Bytes of `n` values, or `None` where `n` is no whole number of blocks or the product overflows.
    pub fn bytes_of(self, n: usize) -> Option<usize> {
        n.is_multiple_of(self.block_len()).then_some(n / self.block_len())?.checked_mul(self.block_bytes())
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4K => "Q4_K",
            Self::Q6K => "Q6_K",
            Self::U8 => "U8",
            Self::U64 => "U64",
        })
    }
}

/// A tensor borrowed from a mapped file. Row-major: the last dimension of `shape` is contiguous (readers of formats that count the other way turn it round).
#[derive(Clone, Debug)]
pub struct TensorView<'a> {
    /// Name as the file has it.
    pub name: &'a str,
    /// Type of the stored values.
    pub dtype: Dtype,
    /// Dimensions, slowest first.
    pub shape: Vec<usize>,
    /// The bytes, exactly as many as `dtype` and `shape` ask for; not necessarily aligned.
    pub data: &'a [u8],
}

/// A tensor about to be written: everything but its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Name as the file will have it.
    pub name: String,
    /// Type of the stored values.
    pub dtype: Dtype,
    /// Dimensions, slowest first.
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// Puts the three together.
    pub fn new(name: impl Into<String>, dtype: Dtype, shape: impl Into<Vec<usize>>) -> Self {
        Self { name: name.into(), dtype, shape: shape.into() }
    }

    /// Bytes of the tensor, or `None` where a row is no whole number of blocks or the product overflows.
    pub fn n_bytes(&self) -> Option<usize> {
        bytes_of_shape(self.dtype, &self.shape)
    }
}

/// Bytes of a tensor, or `None` where a row is no whole number of blocks or the product overflows.
pub(crate) fn bytes_of_shape(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    // A block lies within a row; a tensor without dimensions is one value.
    dtype.bytes_of(shape.last().copied().unwrap_or(1))?;
    dtype.bytes_of(n_values(shape)?)
}

/// The product of the dimensions, or `None` where it overflows (a zero among them does not hide an overflow).
pub(crate) fn n_values(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().filter(|n| **n != 0).try_fold(1_usize, |product, n| product.checked_mul(*n))?;
    Some(if shape.contains(&0) { 0 } else { product })
}
