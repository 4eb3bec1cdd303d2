//! Words, pairs of words, and runs of three to five characters, hashed into 2^21 weights (Weinberger et al. 2009); logistic regression by `AdaGrad` (Duchi et al. 2011).
//!
//! One pass over the text, one sum; a document's features count 1 / sqrt(n) each, so that long and short ones weigh alike. Training streams: a document is seen and
//! forgotten, and the weights are a function of the documents' order alone. Runs of characters do not cross words.

use std::path::Path;

use ovid_io::safetensors::{SafeTensors, SafeTensorsWriter};
use ovid_io::{Dtype, TensorSpec};

use crate::{Error, clean};

/// Weights.
pub const N_BUCKETS: usize = 1 << 21;

const FORMAT: &str = "ovid-detect-hashed";
const VERSION: &str = "1";
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
/// `AdaGrad`'s rate, and the pull towards 0 at each touch of a weight.
const RATE: f32 = 0.5;
const DECAY: f32 = 1e-6;

/// A trained detector.
#[derive(Clone)]
pub struct Hashed {
    weights: Vec<f32>,
    bias: f32,
}

/// A detector in training.
pub struct HashedTrainer {
    detector: Hashed,
    squares: Vec<f32>,
    bias_square: f32,
    features: Vec<u32>,
}

/// Calls `each` with the bucket of every feature of a cleaned text.
#[inline]
fn features(text: &[u8], mut each: impl FnMut(u32)) {
    let bucket = |hash: u64| (hash.wrapping_mul(MULTIPLIER) >> 43) as u32;
    let mut before = 0u64;
    let mut at = 0;
    while at < text.len() {
        // A word is a run of ASCII letters, digits and bytes beyond ASCII; every other byte but the blank stands alone.
        let start = at;
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b >= 0x80;
        if is_word(text[at]) {
            while at < text.len() && is_word(text[at]) {
                at += 1;
            }
        } else {
            at += 1;
            if text[start] == b' ' {
                continue;
            }
        }
        // FNV-like over the word; runs of characters as the word's bytes packed into one number, the blank before it among them.
        let mut word = 0xcbf2_9ce4_8422_2325u64;
        let mut run = if start > 0 && text[start - 1] == b' ' { u64::from(b' ') } else { 0 };
        let mut length = u32::from(run != 0);
        for &b in &text[start..at] {
            word = (word ^ u64::from(b.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
            run = run << 8 | u64::from(b);
            length += 1;
            if length >= 3 {
                each(bucket(run & 0xff_ffff | 3 << 56));
            }
            if length >= 4 {
                each(bucket(run & 0xffff_ffff | 4 << 56));
            }
            if length >= 5 {
                each(bucket(run & 0xff_ffff_ffff | 5 << 56));
            }
        }
        each(bucket(word ^ 1 << 63));
        each(bucket(word ^ before.rotate_left(23)));
        before = word;
    }
}

impl Hashed {
    /// How machine-like a text is: the logarithm of the odds. The text is cleaned first.
    pub fn score(&self, text: &str) -> f64 {
        self.score_cleaned(&clean(text))
    }

    /// The same of a text that [`clean`] has seen.
    pub fn score_cleaned(&self, text: &str) -> f64 {
        let (mut sum, mut n) = (0.0f32, 0u32);
        features(text.as_bytes(), |bucket| {
            sum += self.weights[bucket as usize];
            n += 1;
        });
        f64::from(self.bias) + f64::from(sum) / f64::from(n.max(1)).sqrt()
    }

    /// Writes the detector; `trained_on` is kept beside the weights.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path, trained_on: &str) -> Result<(), Error> {
        let spec = |name: &str, n: u64| TensorSpec { name: name.to_owned(), dtype: Dtype::F32, shape: vec![n as usize] };
        let metadata = [("format", FORMAT), ("version", VERSION), ("trained_on", trained_on)];
        let mut out = SafeTensorsWriter::create(path, &metadata, &[spec("weights", N_BUCKETS as u64), spec("bias", 1)])?;
        let bytes: Vec<u8> = self.weights.iter().flat_map(|w| w.to_le_bytes()).collect();
        out.append("weights", &bytes)?;
        out.append("bias", &self.bias.to_le_bytes())?;
        Ok(out.finish()?)
    }

    /// Reads a detector.
    ///
    /// # Errors
    /// If the file cannot be read or is none.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let wrong = |cause: &str| Error::NoDetector { path: path.to_owned(), cause: cause.to_owned() };
        let file = SafeTensors::open(path)?;
        let says = |key: &str, value: &str| file.metadata().get(key).is_some_and(|v| v == value);
        if !says("format", FORMAT) || !says("version", VERSION) {
            return Err(wrong("another format or version"));
        }
        let floats = |name: &str| {
            let tensor = file.raw(name).filter(|t| t.dtype == "F32")?;
            Some(tensor.data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>())
        };
        let (Some(weights), Some(bias)) = (floats("weights"), floats("bias")) else { return Err(wrong("no weights")) };
        if weights.len() != N_BUCKETS || bias.len() != 1 || !weights.iter().chain(&bias).all(|w| w.is_finite()) {
            return Err(wrong("weights of another shape, or that are no numbers"));
        }
        Ok(Self { weights, bias: bias[0] })
    }
}

impl Default for HashedTrainer {
    fn default() -> Self {
        Self::new()
    }
}

impl HashedTrainer {
    /// All weights 0.
    pub fn new() -> Self {
        let detector = Hashed { weights: vec![0.0; N_BUCKETS], bias: 0.0 };
        Self { detector, squares: vec![1e-4; N_BUCKETS], bias_square: 1e-4, features: Vec::new() }
    }

    /// Learns from one text.
    pub fn learn(&mut self, text: &str, is_machine: bool) {
        let text = clean(text);
        self.features.clear();
        let buckets = &mut self.features;
        features(text.as_bytes(), |bucket| buckets.push(bucket));
        let value = 1.0 / (self.features.len().max(1) as f32).sqrt();
        let sum: f32 = self.features.iter().map(|b| self.detector.weights[*b as usize]).sum();
        let score = f64::from(self.detector.bias + sum * value);
        let slope = (crate::logistic::sigmoid(score) - f64::from(u8::from(is_machine))) as f32;
        self.bias_square += slope * slope;
        self.detector.bias -= RATE * slope / self.bias_square.sqrt();
        let gradient = slope * value;
        for &bucket in &self.features {
            let (weight, square) = (&mut self.detector.weights[bucket as usize], &mut self.squares[bucket as usize]);
            *square += gradient * gradient;
            *weight -= RATE * value * (gradient / square.sqrt() + DECAY * *weight);
        }
    }

    /// The detector as it is now.
    pub fn finish(self) -> Hashed {
        self.detector
    }
}
