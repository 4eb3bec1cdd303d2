//! The random words of a key: the one source of all that a watermark decides.
//!
//! For a context of token ids, the seed is HMAC-SHA256(secret, "ovid-watermark/1" || label || ids), the label one byte that parts the schemes, each id 4 bytes,
//! little-endian. The seed is the key of a `ChaCha` stream of 8 rounds (Bernstein 2008; 96-bit nonce of zeros, counter from 0), whose bytes 4 t to 4 t + 3, as a
//! little-endian number, are the word of token t. So the word of one token can be had without those before it, and a vocabulary's in one sweep.
//!
//! Eight rounds: the best attack published reaches seven, and a watermark needs no more than words that look random (Aumasson 2019, "Too much crypto").

use chacha20::ChaCha8;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _, StreamCipherSeek as _};
use hmac::Mac as _;

use crate::Key;

/// Bytes of one block of the stream, and its words.
const BLOCK: usize = 64;
const BLOCK_WORDS: u32 = 16;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Label {
    GreenList = 1,
    SelfHash = 2,
    Gumbel = 3,
    Tournament = 4,
}

/// The words of one context.
pub struct Stream {
    seed: [u8; 32],
}

impl Stream {
    pub fn new(key: &Key, label: Label, context: &[u32]) -> Self {
        let mut hmac = key.hmac();
        hmac.update(b"ovid-watermark/1");
        hmac.update(&[label as u8]);
        context.iter().for_each(|id| hmac.update(&id.to_le_bytes()));
        Self { seed: hmac.finalize().into_bytes().into() }
    }

    fn cipher(&self) -> ChaCha8 {
        ChaCha8::new(&self.seed.into(), &[0; 12].into())
    }

    /// The word of one token.
    pub fn word(&self, token: u32) -> u32 {
        let block = self.block(&mut self.cipher(), token / BLOCK_WORDS);
        block[(token % BLOCK_WORDS) as usize]
    }

    fn block(&self, cipher: &mut ChaCha8, index: u32) -> [u32; BLOCK_WORDS as usize] {
        let mut bytes = [0; BLOCK];
        cipher.seek(u64::from(index) * BLOCK as u64);
        cipher.apply_keystream(&mut bytes);
        std::array::from_fn(|i| u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]))
    }

    /// The words of tokens `0..n`.
    pub fn all(&self, n: usize, words: &mut Words) {
        // A few blocks at a time, so that the bytes stay in the nearest cache.
        let mut bytes = [0; 32 * BLOCK];
        let mut cipher = self.cipher();
        words.words.clear();
        while words.words.len() < n {
            bytes.fill(0);
            cipher.apply_keystream(&mut bytes);
            let left = n - words.words.len();
            words.words.extend(bytes.as_chunks().0.iter().take(left).map(|&word| u32::from_le_bytes(word)));
        }
    }

    /// The words of `tokens`, which rise.
    pub fn of(&self, tokens: &[u32], words: &mut Words) {
        let Some(&last) = tokens.last() else { return words.words.clear() };
        // In one sweep eight blocks cost about what one costs by itself.
        if tokens.len() as u32 > last / (8 * BLOCK_WORDS) {
            self.all(last as usize + 1, words);
            if tokens.len() < words.words.len() {
                for (place, &token) in tokens.iter().enumerate() {
                    words.words[place] = words.words[token as usize];
                }
                words.words.truncate(tokens.len());
            }
            return;
        }
        words.words.clear();
        let mut cipher = self.cipher();
        let mut known = (u32::MAX, [0; BLOCK_WORDS as usize]);
        for &token in tokens {
            let index = token / BLOCK_WORDS;
            if known.0 != index {
                known = (index, self.block(&mut cipher, index));
            }
            words.words.push(known.1[(token % BLOCK_WORDS) as usize]);
        }
    }
}

/// Words, with memory that is used again.
#[derive(Clone, Debug, Default)]
pub struct Words {
    pub words: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_however_they_are_asked_for() {
        let stream = Stream::new(&Key::new([9; 32], None), Label::Gumbel, &[1, 2, 3]);
        let mut all = Words::default();
        stream.all(5000, &mut all);
        for tokens in
            [vec![], vec![0], vec![4999], vec![3, 4, 17, 40, 4800], (0..5000).collect(), (0..5000).step_by(3).collect::<Vec<u32>>()]
        {
            let mut some = Words::default();
            stream.of(&tokens, &mut some);
            let want: Vec<u32> = tokens.iter().map(|&t| all.words[t as usize]).collect();
            assert_eq!(some.words, want);
            assert_eq!(tokens.iter().map(|&t| stream.word(t)).collect::<Vec<_>>(), want);
        }
    }

    #[test]
    fn streams_differ_by_key_label_and_context() {
        let word = |secret: u8, label, context: &[u32]| Stream::new(&Key::new([secret; 32], None), label, context).word(0);
        let mut words = vec![
            word(1, Label::Gumbel, &[1, 2]),
            word(2, Label::Gumbel, &[1, 2]),
            word(1, Label::Tournament, &[1, 2]),
            word(1, Label::Gumbel, &[2, 1]),
            word(1, Label::Gumbel, &[1]),
            word(1, Label::Gumbel, &[]),
        ];
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 6);
    }
}
