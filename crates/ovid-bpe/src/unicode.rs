//! What GPT-2's pattern needs to know of a character: letter, number, white space or none of them.
//!
//! `\p{L}` and `\p{N}` are Unicode 16.0's general categories, as in the `regex` crate family that tiktoken and Hugging Face tokenizers split with;
//! `\s` is the property `White_Space`. A byte that is no part of well-formed UTF-8 counts as a symbol by itself, as U+FFFD would.

mod table;

/// The four classes of characters that GPT-2's pattern tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// None of the others: punctuation, symbols, marks, control characters, unassigned, and bytes that are not UTF-8.
    Symbol,
    /// `\p{L}`.
    Letter,
    /// `\p{N}`.
    Number,
    /// `\s`.
    Space,
}

/// `White_Space` (`PropList.txt`), unchanged since Unicode 6.3.
const SPACES: [(u32, u32); 10] = [
    (0x09, 0x0D),
    (0x20, 0x20),
    (0x85, 0x85),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
];

/// Blocks of 256 characters that hold more than one class, and the four uniform ones before them.
const MAX_BLOCKS: usize = 256;
const N_INDEX: usize = 0x11_0000 / 256;

/// Two levels: a block's number for each 256 characters, and two bits a character for each block. 38 KB in all, made by the compiler.
struct Table {
    index: [u8; N_INDEX],
    blocks: [[u8; 64]; MAX_BLOCKS],
    n_blocks: usize,
}

impl Table {
    const fn new() -> Self {
        let mut table = Self { index: [0; N_INDEX], blocks: [[0; 64]; MAX_BLOCKS], n_blocks: 4 };
        table.blocks[1] = [0b01_01_01_01; 64];
        table.blocks[2] = [0b10_10_10_10; 64];
        table.blocks[3] = [0b11_11_11_11; 64];
        table.fill(&table::LETTERS, 1).fill(&table::NUMBERS, 2).fill(&SPACES, 3)
    }

    const fn fill(mut self, ranges: &[(u32, u32)], class: u8) -> Self {
        let mut r = 0;
        while r < ranges.len() {
            let (mut c, last) = (ranges[r].0 as usize, ranges[r].1 as usize);
            while c <= last {
                if c.is_multiple_of(256) && c + 255 <= last {
                    self.index[c / 256] = class;
                    c += 256;
                    continue;
                }
                if self.index[c / 256] == 0 {
                    self.index[c / 256] = self.n_blocks as u8;
                    self.n_blocks += 1;
                }
                let block = self.index[c / 256] as usize;
                self.blocks[block][(c % 256) / 4] |= class << ((c % 4) * 2);
                c += 1;
            }
            r += 1;
        }
        self
    }
}

static TABLE: Table = Table::new();

/// Class of the character with this number; numbers above U+10FFFF are symbols.
pub fn class_of(c: u32) -> Class {
    let Some(&block) = TABLE.index.get(c as usize / 256) else { return Class::Symbol };
    let four = TABLE.blocks[block as usize][(c as usize % 256) / 4];
    match (four >> ((c % 4) * 2)) & 3 {
        0 => Class::Symbol,
        1 => Class::Letter,
        2 => Class::Number,
        _ => Class::Space,
    }
}

/// Class and length in bytes of the character that begins at `at`. A byte that begins no well-formed UTF-8 is a symbol of length 1.
pub(crate) fn class_at(text: &[u8], at: usize) -> (Class, usize) {
    let tail = |i: usize| match text.get(at + i) {
        Some(&b) if b & 0xC0 == 0x80 => Some(u32::from(b & 0x3F)),
        _ => None,
    };
    let first = u32::from(text[at]);
    let decoded = match first {
        0..=0x7F => Some((first, 1)),
        0xC2..=0xDF => tail(1).map(|b| ((first & 0x1F) << 6 | b, 2)),
        0xE0..=0xEF => {
            tail(1).zip(tail(2)).map(|(b, c)| ((first & 0x0F) << 12 | b << 6 | c, 3)).filter(|&(c, _)| c >= 0x800 && c >> 11 != 0x1B)
        }
        0xF0..=0xF4 => tail(1)
            .zip(tail(2))
            .zip(tail(3))
            .map(|((b, c), d)| ((first & 0x07) << 18 | b << 12 | c << 6 | d, 4))
            .filter(|&(c, _)| (0x1_0000..0x11_0000).contains(&c)),
        _ => None,
    };
    match decoded {
        Some((c, len)) => (class_of(c), len),
        None => (Class::Symbol, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_standard_library_on_what_it_knows() {
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            assert_eq!(class_of(c as u32) == Class::Space, c.is_whitespace(), "{c:?}");
            let mut bytes = [0; 4];
            let text = c.encode_utf8(&mut bytes);
            assert_eq!(class_at(text.as_bytes(), 0), (class_of(c as u32), text.len()), "{c:?}");
        }
        assert!(TABLE.n_blocks <= MAX_BLOCKS);
    }

    #[test]
    fn a_byte_that_is_not_utf8_is_a_symbol_alone() {
        for bad in [
            &b"\x80"[..],
            b"\xC0\x80",
            b"\xC3",
            b"\xE0\x80\x80",
            b"\xED\xA0\x80",
            b"\xF0\x80\x80\x80",
            b"\xF4\x90\x80\x80",
            b"\xFF",
            b"\xE2\x82",
        ] {
            assert_eq!(class_at(bad, 0), (Class::Symbol, 1), "{bad:x?}");
        }
    }
}
