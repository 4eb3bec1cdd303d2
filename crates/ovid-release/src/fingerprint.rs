//! A keyed mark in the last bits of the weights, by which a copy that went to one person is known again.
//!
//! At some 65,536 places of the matrices, drawn by the issuer's key, the last bit that bf16 keeps of a weight is set to a bit drawn by the key and the recipient's name; what bf16
//! does not keep is cut off there. So the mark is read again from the copy itself and from what was saved again as f32, bf16 or f16. Whoever knows that it may be there can
//! wipe it out at no cost to the model: it tells where a copy leaked by carelessness, not by malice. Quantising (`Q8_0`, `Q4_0`) takes all of it but what GGUF keeps in f32, further
//! training, pruning and reordering of rows destroy it.
//!
//! Places and bits come from HMAC-SHA256 in counter mode: block i of a purpose is HMAC(key, purpose, 0, i as 8 bytes little-endian).

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use ovid_model::{Layout, Params};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::Error;
use crate::keys::{hex, read_private, write_private};

/// The issuer's secret. Neither `Debug` nor an error shows it.
pub struct FingerprintKey([u8; 32]);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    secret: String,
}

const FORMAT: &str = "ovid-fingerprint-key/1";
/// Places that are marked: enough that chance is out of the question, few enough that the model does not feel it.
const MOST_PLACES: usize = 65_536;
/// At most every sixteenth weight is marked, in models that are smaller than that.
const LEAST_APART: usize = 16;
/// A copy is found where chance would show such agreement, over all names tried, less often than this.
pub const THRESHOLD: f64 = 1e-9;

impl FingerprintKey {
    /// Draws a key and writes it to a file that only its owner may read.
    ///
    /// # Errors
    /// If the file is there already or cannot be written, or the system gives no random numbers.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|e| Error::Asked(format!("the system gives no random numbers: {e}")))?;
        let file = KeyFile { format: FORMAT.to_owned(), secret: hex(&secret) };
        let text = crate::files::json_text(path, &file)?;
        write_private(path, text.as_bytes())?;
        Ok(Self(secret))
    }

    /// Reads a key.
    ///
    /// # Errors
    /// If it cannot be read, others may read it, or it is none.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let wrong = || Error::key(path, "it is no fingerprint key; `ovid release key --fingerprint` makes one");
        let file: KeyFile = serde_json::from_str(&read_private(path)?).map_err(|_| wrong())?;
        let digits = file.secret.as_bytes();
        if file.format != FORMAT || digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        let mut secret = [0; 32];
        for (byte, pair) in secret.iter_mut().zip(file.secret.as_bytes().chunks(2)) {
            *byte = std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok()).ok_or_else(wrong)?;
        }
        Ok(Self(secret))
    }

    /// Bytes without end for a purpose.
    fn stream(&self, purpose: &str) -> impl Iterator<Item = u8> + use<'_> {
        let keyed = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length").chain_update(purpose).chain_update([0]);
        (0_u64..).flat_map(move |block| <[u8; 32]>::from(keyed.clone().chain_update(block.to_le_bytes()).finalize().into_bytes()))
    }

    /// The places that are marked, in the order in which they were drawn.
    fn places(&self, params: &Params) -> Vec<usize> {
        let layout = Layout::new(&params.config);
        let matrices: Vec<Range<usize>> = layout.parameters().iter().filter(|p| p.decay).map(|p| p.range.clone()).collect();
        let n: usize = matrices.iter().map(ExactSizeIterator::len).sum();
        let wanted = MOST_PLACES.min(n / LEAST_APART);
        let mut bytes = self.stream("places");
        let mut seen = HashSet::new();
        let mut places = Vec::with_capacity(wanted);
        while places.len() < wanted {
            let drawn = u64::from_le_bytes(std::array::from_fn(|_| bytes.next().unwrap_or_default()));
            let mut place = ((u128::from(drawn) * n as u128) >> 64) as usize;
            if seen.insert(place) {
                // From the place among all matrices to the one in the flat buffer.
                for matrix in &matrices {
                    if place < matrix.len() {
                        places.push(matrix.start + place);
                        break;
                    }
                    place -= matrix.len();
                }
            }
        }
        places
    }

    fn bits(&self, name: &str) -> impl Iterator<Item = bool> + use<'_> {
        self.stream(&format!("copy {name}")).flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1))
    }
}

/// Whether a weight can carry a bit: its exponent must survive f16, and a marked weight must be able to carry one if and only if the unmarked one is.
fn carries(weight: f32) -> bool {
    let exponent = weight.to_bits() >> 23 & 0xff;
    (127 - 14..127 + 15).contains(&exponent)
}

/// Marks the weights for a name; how many places carry the mark.
pub fn mark(params: &mut Params, key: &FingerprintKey, name: &str) -> u64 {
    let mut n_marked = 0;
    for (place, bit) in key.places(params).into_iter().zip(key.bits(name)) {
        let weight = &mut params.values[place];
        if carries(*weight) {
            *weight = f32::from_bits(weight.to_bits() & !0x0001_ffff | u32::from(bit) << 16);
            n_marked += 1;
        }
    }
    n_marked
}

/// How far weights agree with the mark of a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The name.
    pub name: String,
    /// Places that can carry a bit.
    pub n_read: u64,
    /// Those whose bit is the name's.
    pub n_agree: u64,
    /// `n_agree` over `n_read`; a copy that is not this name's agrees at one half.
    pub agree_ratio: f64,
    /// A bound of the probability that chance agrees so far (Hoeffding 1963), before the number of names is counted.
    pub p_value: f64,
}

/// Whose copy it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceReport {
    /// The name, where one was found.
    pub found: Option<String>,
    /// A name is found where its p-value times the number of names is under this.
    pub threshold: f64,
    /// Each name that was tried, best first.
    pub names: Vec<Agreement>,
}

/// Reads the mark of each name.
pub fn trace(params: &Params, key: &FingerprintKey, names: &[String]) -> TraceReport {
    let places = key.places(params);
    let mut all: Vec<Agreement> = names.iter().map(|name| agreement(params, key, &places, name)).collect();
    all.sort_by(|a, b| a.p_value.total_cmp(&b.p_value).then(b.agree_ratio.total_cmp(&a.agree_ratio)));
    let found = all.first().filter(|best| best.p_value * names.len() as f64 <= THRESHOLD).map(|best| best.name.clone());
    TraceReport { found, threshold: THRESHOLD, names: all }
}

fn agreement(params: &Params, key: &FingerprintKey, places: &[usize], name: &str) -> Agreement {
    let (mut n_read, mut n_agree) = (0_u64, 0_u64);
    for (&place, bit) in places.iter().zip(key.bits(name)) {
        let weight = params.values[place];
        if carries(weight) {
            // Rounded to bf16, so that a little noise on what f32 keeps beyond it does not matter.
            let rounded = weight.to_bits().wrapping_add(0x8000);
            n_read += 1;
            n_agree += u64::from((rounded >> 16 & 1 == 1) == bit);
        }
    }
    let agree_ratio = if n_read == 0 { 0.5 } else { n_agree as f64 / n_read as f64 };
    let over = (agree_ratio - 0.5).max(0.0);
    Agreement { name: name.to_owned(), n_read, n_agree, agree_ratio, p_value: (-2.0 * n_read as f64 * over * over).exp() }
}
