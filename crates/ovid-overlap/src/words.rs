//! Text to words, and words to n-grams.
//!
//! The paper (appendix 8.2 and section 4) says "lower-cased alphanumeric words with a single space as a delimiter". Made precise here:
//! - every character is lower-cased alone, by Unicode's full mapping; both small sigmas count as one, since capitals do not tell them apart;
//! - words are maximal runs of letters and numbers (general categories L and N, Unicode 16.0) of what results; everything else, marks too, separates;
//! - an n-gram is n words of one document, joined by one space; its hash is XXH3 (64 bits) of that.
//!
//! Nothing is composed or decomposed: an e with a combining acute is the word `e`.

use ovid_bpe::{Class, class_of};
use xxhash_rust::xxh3::xxh3_64;

/// The name of this rule in indexes; another rule will have another name.
pub const NORMALISATION: &str = "lower-letters-numbers-1";

/// The words of one text.
///
/// ```
/// let words = ovid_overlap::Words::of("It's 5 o'CLOCK.");
/// assert_eq!(words.text(), "it s 5 o clock");
/// assert_eq!(words.bytes_of(4), 9..14);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// The words, one space between.
    text: String,
    /// Where each word begins in `text`, and one past the space that would follow the last.
    starts: Vec<u32>,
    /// Where each word lies in the original.
    originals: Vec<(u32, u32)>,
}

/// The lower-case form of an ASCII letter or digit; 0 for what separates words.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut b = 0;
    while b < 128 {
        if (b as u8).is_ascii_alphanumeric() {
            table[b] = (b as u8).to_ascii_lowercase();
        }
        b += 1;
    }
    table
};

impl Words {
    /// Reads a text.
    ///
    /// # Panics
    /// If the text is longer than 1 GiB; documents of `ovid_io` are not.
    pub fn of(text: &str) -> Self {
        let mut words = Self::default();
        words.read(text);
        words
    }

    /// Reads another text into the same memory.
    ///
    /// # Panics
    /// If the text is longer than 1 GiB; documents of `ovid_io` are not.
    pub fn read(&mut self, original: &str) {
        // Lower case takes up to three times the bytes, and places are 32 bits.
        assert!(original.len() <= 1 << 30, "a text of {} bytes is too long to be read at once", original.len());
        self.starts.clear();
        self.originals.clear();
        let mut text = std::mem::take(&mut self.text).into_bytes();
        text.clear();
        text.reserve(original.len() + 1);
        let bytes = original.as_bytes();
        let mut at = 0;
        // Whether the last character belonged to a word, which may go on.
        let mut within = false;
        while at < bytes.len() {
            let from = at;
            while at < bytes.len() && bytes[at] < 128 && ASCII[bytes[at] as usize] != 0 {
                at += 1;
            }
            if at > from {
                if !within {
                    self.begin(&mut text, from);
                    within = true;
                }
                text.extend(bytes[from..at].iter().map(|&b| ASCII[b as usize]));
                self.end(at);
            }
            let Some(&byte) = bytes.get(at) else { break };
            if byte < 128 {
                within = false;
                at += 1;
                continue;
            }
            let Some(c) = original[at..].chars().next() else { break };
            for lower in c.to_lowercase().map(|c| if c == 'ς' { 'σ' } else { c }) {
                if matches!(class_of(lower as u32), Class::Letter | Class::Number) {
                    if !within {
                        self.begin(&mut text, at);
                        within = true;
                    }
                    text.extend_from_slice(lower.encode_utf8(&mut [0; 4]).as_bytes());
                    self.end(at + c.len_utf8());
                } else {
                    within = false;
                }
            }
            at += c.len_utf8();
        }
        self.starts.push(if self.originals.is_empty() { 0 } else { text.len() as u32 + 1 });
        self.text = String::from_utf8(text).expect("letters and numbers were copied whole");
    }

    fn begin(&mut self, text: &mut Vec<u8>, original: usize) {
        if !text.is_empty() {
            text.push(b' ');
        }
        self.starts.push(text.len() as u32);
        self.originals.push((original as u32, original as u32));
    }

    fn end(&mut self, original: usize) {
        if let Some(last) = self.originals.last_mut() {
            last.1 = original as u32;
        }
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.originals.len()
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    /// The words, one space between.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// `n` words from word `first` on, one space between.
    ///
    /// # Panics
    /// If there are not so many.
    pub fn slice(&self, first: usize, n: usize) -> &str {
        if n == 0 { "" } else { &self.text[self.starts[first] as usize..self.starts[first + n] as usize - 1] }
    }

    /// Where a word lies in the original text.
    ///
    /// # Panics
    /// If there is no such word.
    pub fn bytes_of(&self, word: usize) -> std::ops::Range<usize> {
        let (begin, end) = self.originals[word];
        begin as usize..end as usize
    }

    /// Number of n-grams.
    pub fn n_grams(&self, n: usize) -> usize {
        if n == 0 { 0 } else { (self.len() + 1).saturating_sub(n) }
    }

    /// The hash of each n-gram, in order.
    pub fn hashes(&self, n: usize) -> impl Iterator<Item = u64> {
        let text = self.text.as_bytes();
        let ends = self.starts.get(n..).unwrap_or_default();
        self.starts.iter().zip(ends).map(move |(&from, &to)| xxh3_64(&text[from as usize..to as usize - 1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_runs_of_letters_and_numbers_in_lower_case() {
        let check = |text: &str, want: &str| assert_eq!(Words::of(text).text(), want, "{text:?}");
        check("", "");
        check("...", "");
        check("Hello", "hello");
        check("  A--b\tC\n3d  ", "a b c 3d");
        check("don't", "don t");
        check("snake_case", "snake case");
        check("naïve ÉCOLE, 1½ m²", "naïve école 1½ m²");
        check("e\u{301}te\u{301}", "e te");
        check("Straße ΟΔΟΣ ὁδός", "straße οδοσ ὁδόσ");
        // A capital I with a dot becomes an i and a mark, which separates.
        check("x\u{130}y", "xi y");
        check("漢字kana かな", "漢字kana かな");
        check("a\u{2028}b\u{a0}c\u{ad}d", "a b c d");
    }

    #[test]
    fn places_are_those_of_the_original() {
        let text = "«Été» — don't, x\u{130}y!";
        let words = Words::of(text);
        let found: Vec<&str> = (0..words.len()).map(|i| &text[words.bytes_of(i)]).collect();
        assert_eq!(found, ["Été", "don", "t", "x\u{130}", "y"]);
    }

    #[test]
    fn an_n_gram_is_hashed_as_its_words_with_one_space_between() {
        let words = Words::of("One, two -- three. Four");
        assert_eq!(words.hashes(3).collect::<Vec<_>>(), [xxh3_64(b"one two three"), xxh3_64(b"two three four")]);
        assert_eq!((words.hashes(4).count(), words.hashes(5).count(), words.n_grams(5)), (1, 0, 0));
        assert_eq!(words.slice(1, 2), "two three");
        assert_eq!(Words::of("").hashes(1).count(), 0);
    }

    /// The rule again, a character at a time.
    fn plainly(text: &str) -> Vec<String> {
        let lower: String = text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect();
        let is_word = |c: char| matches!(class_of(c as u32), Class::Letter | Class::Number);
        lower.split(|c| !is_word(c)).filter(|w| !w.is_empty()).map(str::to_owned).collect()
    }

    proptest! {
        #[test]
        fn the_fast_reading_is_the_plain_one(text in r"(?s)[ -~]{0,20}.{0,20}[a-zA-ZéÉİßΣς0-9'_ ]{0,40}") {
            let words = Words::of(&text);
            prop_assert_eq!(words.text(), plainly(&text).join(" "));
            prop_assert_eq!(words.len(), plainly(&text).len());
            for i in 0..words.len() {
                let piece = plainly(&text[words.bytes_of(i)]).join("");
                prop_assert!(piece.contains(words.slice(i, 1)), "{:?}", &text[words.bytes_of(i)]);
            }
        }
    }
}
