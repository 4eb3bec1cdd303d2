//! GPT-2's pre-tokeniser by hand: words of `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+` over arbitrary bytes.
//!
//! Every byte belongs to exactly one word, so that the words of a text are the text. Bytes that are not UTF-8 are symbols (see [`crate::Class`]).
//! The cost of a word is its length: the one alternative that looks ahead gives back one character at most.

use crate::unicode::{Class, class_at};

/// What a first byte alone tells.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum First {
    Symbol,
    Letter,
    Number,
    Space,
    Wide,
}

static FIRST: [First; 256] = {
    let mut table = [First::Symbol; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = match b as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => First::Letter,
            b'0'..=b'9' => First::Number,
            b' ' | b'\t'..=b'\r' => First::Space,
            0x80.. => First::Wide,
            _ => First::Symbol,
        };
        b += 1;
    }
    table
};

/// The words of a text, one after the other.
///
/// ```
/// let words: Vec<&[u8]> = ovid_bpe::words(b"it's  2 late!").collect();
/// assert_eq!(words, [&b"it"[..], b"'s", b" ", b" 2", b" late", b"!"]);
/// ```
pub fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        (start < text.len()).then(|| {
            at = word_end(text, start);
            &text[start..at]
        })
    })
}

/// End of the word that begins at `start`, which lies before the end of `text`.
#[inline]
pub(crate) fn word_end(text: &[u8], start: usize) -> usize {
    let body = start + usize::from(text[start] == b' ');
    let Some(&first) = text.get(body) else { return body };
    match FIRST[first as usize] {
        First::Letter => letters_end(text, body),
        First::Space => spaces_end(text, start),
        First::Symbol if first == b'\'' && body == start => contraction_end(text, start),
        First::Symbol => run_end(text, body, Class::Symbol, First::Symbol),
        First::Number => run_end(text, body, Class::Number, First::Number),
        First::Wide => match class_at(text, body) {
            (Class::Space, _) => spaces_end(text, start),
            (Class::Letter, _) => run_end(text, body, Class::Letter, First::Letter),
            (Class::Number, _) => run_end(text, body, Class::Number, First::Number),
            (Class::Symbol, _) => run_end(text, body, Class::Symbol, First::Symbol),
        },
    }
}

/// A run of letters, eight ASCII ones at a time.
#[inline]
fn letters_end(text: &[u8], mut at: usize) -> usize {
    while let Some(eight) = text.get(at..at + 8) {
        let others = not_letters(u64::from_le_bytes(eight.try_into().expect("eight bytes")));
        if others == 0 {
            at += 8;
            continue;
        }
        at += others.trailing_zeros() as usize / 8;
        return if text[at] < 0x80 { at } else { run_end(text, at, Class::Letter, First::Letter) };
    }
    run_end(text, at, Class::Letter, First::Letter)
}

/// The top bit of every byte that is no ASCII letter.
#[inline]
const fn not_letters(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = ONES << 7;
    // With the top bit cleared no byte carries into the next: 0x7F + 0x1F is below 0x100.
    let low = (eight | (ONES * 0x20)) & !TOPS;
    let from_a = low + ONES * (0x80 - 0x61);
    let past_z = low + ONES * (0x80 - 0x7B);
    (!from_a | past_z | eight) & TOPS
}

/// A run of one class, any length down to none.
fn run_end(text: &[u8], mut at: usize, class: Class, first: First) -> usize {
    while let Some(&byte) = text.get(at) {
        if byte < 0x80 {
            if FIRST[byte as usize] != first {
                break;
            }
            at += 1;
        } else {
            let (found, len) = class_at(text, at);
            if found != class {
                break;
            }
            at += len;
        }
    }
    at
}

/// White space: `\s+(?!\S)|\s+`. A run before a word leaves it its last character, unless that is all there is.
fn spaces_end(text: &[u8], start: usize) -> usize {
    let (mut at, mut last) = (start, start);
    while let Some(&byte) = text.get(at) {
        let len = match FIRST[byte as usize] {
            First::Space => 1,
            First::Wide => match class_at(text, at) {
                (Class::Space, len) => len,
                _ => break,
            },
            _ => break,
        };
        last = at;
        at += len;
    }
    if at == text.len() || last == start { at } else { last }
}

/// `'s|'t|'re|'ve|'m|'ll|'d`, or a run of symbols.
fn contraction_end(text: &[u8], start: usize) -> usize {
    match (text.get(start + 1), text.get(start + 2)) {
        (Some(b's' | b't' | b'm' | b'd'), _) => start + 2,
        (Some(b'r' | b'v'), Some(b'e')) | (Some(b'l'), Some(b'l')) => start + 3,
        _ => run_end(text, start, Class::Symbol, First::Symbol),
    }
}

/// Cuts a text into pieces of about `target` bytes whose words are together the words of the whole: a word never goes on from a symbol, letter or digit to white space.
pub(crate) fn pieces(text: &[u8], target: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut =
            (target.max(1)..rest.len()).find(|&i| matches!(rest[i], b' ' | b'\n') && rest[i - 1].is_ascii_graphic()).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(cut);
        rest = tail;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = words(text.as_bytes()).map(|w| std::str::from_utf8(w).expect("text is UTF-8")).collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn follows_the_pattern() {
        check("", &[]);
        check("a  b", &["a", " ", " b"]);
        check("a\n\nb", &["a", "\n", "\n", "b"]);
        check("a \n", &["a", " \n"]);
        check("\u{3000}x", &["\u{3000}", "x"]);
        check(" \u{3000}x", &[" ", "\u{3000}", "x"]);
        check("we'll 'tis I'Ll can't", &["we", "'ll", " '", "tis", " I", "'", "Ll", " can", "'t"]);
        check("'re've'", &["'re", "'ve", "'"]);
        check("x''s", &["x", "''", "s"]);
        check("naïve caféteria antidisestablishmentarianism", &["naïve", " caféteria", " antidisestablishmentarianism"]);
        check("½ ²3 ٣", &["½", " ²3", " ٣"]);
        check("\u{301}a", &["\u{301}", "a"]);
        check(" ", &[" "]);
        check("a@", &["a", "@"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_symbols() {
        let found: Vec<&[u8]> = words(b"a\xff\x80!b \xc3").collect();
        assert_eq!(found, [&b"a"[..], b"\xff\x80!", b"b", b" \xc3"]);
    }

    #[test]
    fn every_byte_is_tested_alone_for_being_a_letter() {
        for byte in 0..=255_u8 {
            let others = not_letters(u64::from_le_bytes([b'q', byte, b'Z', b'a', b'z', byte, b'A', b'x']));
            let expected = if byte.is_ascii_alphabetic() { 0 } else { 0x80 << 8 | 0x80 << 40 };
            assert_eq!(others, expected, "{byte:#x}");
        }
    }

    #[test]
    fn pieces_keep_the_words() {
        let text = "Once  upon\n\na time, \u{3000} it's  so . a \n b".as_bytes();
        for target in 0..text.len() + 2 {
            let cut: Vec<&[u8]> = pieces(text, target).flat_map(words).collect();
            assert_eq!(cut, words(text).collect::<Vec<_>>(), "{target}");
        }
    }
}
