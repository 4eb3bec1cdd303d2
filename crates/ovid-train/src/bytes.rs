//! How many bytes of text tokens stand for: what turns nats per token into bits per byte.

/// The bytes of tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Bytes {
    /// Bytes of each token of the vocabulary; 0 for what is no text, such as end-of-text.
    Each(Vec<u32>),
    /// Only the mean is known.
    Mean(f64),
    /// Nothing is known.
    Unknown,
}

impl Bytes {
    /// Bytes of all `tokens` together; 0 where nothing is known.
    pub fn of(&self, tokens: impl Iterator<Item = u32>) -> f64 {
        match self {
            Self::Each(bytes) => tokens.map(|id| u64::from(bytes.get(id as usize).copied().unwrap_or(0))).sum::<u64>() as f64,
            Self::Mean(mean) => tokens.count() as f64 * mean,
            Self::Unknown => 0.0,
        }
    }
}
