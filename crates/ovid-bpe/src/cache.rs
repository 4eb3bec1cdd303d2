//! Words seen lately and their tokens, so that the merge loop runs for rare words only.
//!
//! A table of short words, two to a set; a new word takes the place of the older one of its set. It grows to a fixed size as words are met, and what it
//! holds never changes an answer.

use crate::merge::Merges;
use crate::split::word_end;

/// Words of up to this many bytes are kept: they fit a 16-byte key together with their length.
const KEY_BYTES: usize = 15;
/// Words of up to this many tokens are kept.
const IDS: usize = 4;
/// A short text asks for little memory: 256 KB.
const FIRST_SLOTS: usize = 1 << 13;
/// A library's worth of text fills 4 MB. Twice as much was no faster on English books.
const LAST_SLOTS: usize = 1 << 17;
/// Fills the places past a word's last token; no vocabulary is that large.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
#[repr(align(32))]
struct Slot {
    /// 0 where free: no key is 0, since its top byte is the length.
    key: u128,
    ids: [u32; IDS],
}

const FREE: Slot = Slot { key: 0, ids: [NONE; IDS] };

#[derive(Debug)]
pub(crate) struct Cache {
    /// A power of two of them.
    slots: Vec<Slot>,
    /// Words that were not found since the table has its size.
    n_missed: usize,
}

/// The first bytes of the word at `start` and its length as one number, for words short enough.
#[inline]
fn key_of(text: &[u8], start: usize, len: usize) -> Option<u128> {
    if len > KEY_BYTES {
        return None;
    }
    let window = if let Some(window) = text.get(start..start + 16) {
        u128::from_le_bytes(window.try_into().expect("sixteen bytes"))
    } else {
        let mut window = [0; 16];
        window[..len].copy_from_slice(&text[start..start + len]);
        u128::from_le_bytes(window)
    };
    Some(window & !(u128::MAX << (8 * len)) | (len as u128) << 120)
}

#[inline]
fn set_of(key: u128, n_slots: usize) -> usize {
    let (low, high) = (key as u64, (key >> 64) as u64);
    let product = u128::from(low ^ 0x9E37_79B9_7F4A_7C15) * u128::from(high ^ 0xD6E8_FEB8_6659_FD93);
    ((product >> 64) as u64 ^ product as u64) as usize & (n_slots - 2)
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self { slots: vec![FREE; FIRST_SLOTS], n_missed: 0 }
    }

    /// Appends the tokens of `text`, word by word.
    pub(crate) fn encode(&mut self, merges: &Merges, text: &[u8], ids: &mut Vec<u32>) {
        let mut start = 0;
        while start < text.len() {
            let end = word_end(text, start);
            match key_of(text, start, end - start) {
                Some(key) => self.word(merges, key, &text[start..end], ids),
                None => merges.word(&text[start..end], ids),
            }
            start = end;
        }
    }

    #[inline]
    fn word(&mut self, merges: &Merges, key: u128, word: &[u8], ids: &mut Vec<u32>) {
        let set = set_of(key, self.slots.len());
        // One check of the bounds for both.
        let Some([newer, older]) = self.slots.get(set..set + 2) else { return };
        let slot = if newer.key == key {
            newer
        } else if older.key == key {
            older
        } else {
            return self.miss(merges, key, word, ids);
        };
        ids.push(slot.ids[0]);
        if slot.ids[1] != NONE {
            ids.extend(slot.ids[1..].iter().take_while(|&&id| id != NONE));
        }
    }

    #[cold]
    fn miss(&mut self, merges: &Merges, key: u128, word: &[u8], ids: &mut Vec<u32>) {
        let before = ids.len();
        merges.word(word, ids);
        let new = &ids[before..];
        if new.len() > IDS {
            return;
        }
        self.n_missed += 1;
        if self.n_missed > self.slots.len() && self.slots.len() < LAST_SLOTS {
            let larger = vec![FREE; self.slots.len() * 4];
            self.n_missed = 0;
            for slot in std::mem::replace(&mut self.slots, larger).into_iter().rev().filter(|slot| slot.key != 0) {
                self.put(slot);
            }
        }
        let mut slot = Slot { key, ..FREE };
        slot.ids[..new.len()].copy_from_slice(new);
        self.put(slot);
    }

    fn put(&mut self, slot: Slot) {
        let set = set_of(slot.key, self.slots.len());
        self.slots[set + 1] = self.slots[set];
        self.slots[set] = slot;
    }
}
