//! Changing files at random, the way damaged and hostile ones differ from good ones.

use ovid_stats::Draws;

/// Draws one after the other; the same seed gives the same ones.
#[derive(Debug)]
pub struct Rng {
    draws: Draws,
    at: u64,
}

/// The purpose of these draws within a seed.
const PURPOSE: u64 = 0x6675_7a7a;

impl Rng {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Self {
        Self { draws: Draws::new(seed, PURPOSE), at: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.at += 1;
        self.draws.u64_at(self.at)
    }

    /// A number below `n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.bits().checked_rem(n as u64).map_or(0, |n| n as usize)
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }
}

/// Files grow by copying and splicing; beyond this they are cut.
const MAX_BYTES: usize = 1 << 16;

/// A few changes to one of the seeds.
pub fn mutate(seeds: &[Vec<u8>], words: &[&str], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = rng.pick(seeds).cloned().unwrap_or_default();
    // Mostly one or two changes: many at once are refused at the first of them.
    let n_changes = 1 << rng.below(4);
    for _ in 0..=rng.below(n_changes) {
        change(&mut bytes, seeds, words, rng);
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str], rng: &mut Rng) {
    let at = rng.below(bytes.len());
    match rng.below(12) {
        0 => flip(bytes, at, rng),
        1 => {
            let value = *rng.pick(&[0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b'\n', b' ']).unwrap_or(&0);
            overwrite(bytes, at, &[value]);
        }
        2 | 3 => {
            let (value, width) = (hostile_number(bytes.len(), rng), 1 << rng.below(4));
            overwrite(bytes, at, &value.to_le_bytes()[..width]);
        }
        4 => add(bytes, at, rng),
        5 => {
            let end = at + rng.below(bytes.len() - at + 1).min(1 << rng.below(10));
            bytes.drain(at..end);
        }
        6 => {
            let end = at + rng.below(bytes.len() - at + 1).min(1 << rng.below(10));
            let piece = bytes[at..end].to_vec();
            let n_times = 1 + rng.below(8);
            insert(bytes, at, &piece.repeat(n_times));
        }
        7 => bytes.truncate(at),
        8 => {
            let n = rng.below(16);
            let noise: Vec<u8> = (0..n).map(|_| rng.bits() as u8).collect();
            insert(bytes, at, &noise);
        }
        9 => {
            if let Some(word) = rng.pick(words) {
                let n_times = if rng.below(16) == 0 { 1000 } else { 1 };
                insert(bytes, at, word.repeat(n_times).as_bytes());
            }
        }
        10 => rewrite_decimal(bytes, at, rng),
        _ => {
            if let Some(other) = rng.pick(seeds) {
                let from = rng.below(other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
        }
    }
}

fn flip(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(with) {
        *byte = *new;
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    bytes.splice(at..at, piece.iter().copied());
}

/// Adds a little to a number of some width: counts and offsets that are wrong by one.
fn add(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let width = 1 << rng.below(4);
    let Some(place) = bytes.get_mut(at..at + width) else { return };
    let mut number = [0; 8];
    number[..width].copy_from_slice(place);
    let sum = u64::from_le_bytes(number).wrapping_add(rng.below(65) as u64).wrapping_sub(32);
    place.copy_from_slice(&sum.to_le_bytes()[..width]);
}

/// The numbers at which arithmetic and bounds fail.
fn hostile_number(len: usize, rng: &mut Rng) -> u64 {
    let power = 1_u64 << rng.below(64);
    let near = *rng.pick(&[0, 1, len as u64, power, u64::MAX, i64::MAX as u64, u64::from(u32::MAX)]).unwrap_or(&0);
    near.wrapping_add(rng.below(5) as u64).wrapping_sub(2)
}

/// Replaces the run of digits at or after a place.
fn rewrite_decimal(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|i| at + i) else { return };
    let len = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    let signed = hostile_number(bytes.len(), rng).cast_signed();
    let text = match rng.below(5) {
        0 => signed.to_string(),
        1 => signed.cast_unsigned().to_string(),
        2 => "1e400".to_owned(),
        3 => rng.below(100).to_string(),
        _ => "9".repeat(40),
    };
    bytes.splice(start..start + len, text.bytes());
}
