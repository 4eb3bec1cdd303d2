//! Does a text read as prose? Rules of thumb that earlier corpora published, each with its name, its threshold and its source.
//!
//! One pass counts everything; a text is left out by the first rule that it breaks, and the row names the rule and the measured value.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::Refusal;
use crate::Document;
use crate::hash::AsItIs;

/// The thresholds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quality {
    /// `few-words`: fewer words than this. Rae et al. 2021 (Gopher), table A1.
    pub min_words: u64,
    /// `many-words`: more words than this. Gopher.
    pub max_words: u64,
    /// `short-words`: fewer characters a word on average. Gopher.
    pub min_word_chars: f64,
    /// `long-words`: more characters a word on average. Gopher.
    pub max_word_chars: f64,
    /// `symbols`: more hash signs, or more ellipses, a word. Gopher.
    pub max_symbol_ratio: f64,
    /// `bullets`: a greater share of lines that begin with a bullet. Gopher.
    pub max_bullet_ratio: f64,
    /// `ellipses`: a greater share of lines that end with an ellipsis. Gopher.
    pub max_ellipsis_ratio: f64,
    /// `few-letters`: a smaller share of words with a letter in them. Gopher.
    pub min_letter_ratio: f64,
    /// `few-stop-words`: fewer different words of "the, be, to, of, and, that, have, with". Gopher. For English; 0 for other languages.
    pub min_stop_words: u32,
    /// `repeated-lines`: a greater share of lines that stand in the text before. Gopher.
    pub max_repeated_line_ratio: f64,
    /// `repeated-bytes`: a greater share of bytes in such lines. Gopher.
    pub max_repeated_byte_ratio: f64,
    /// `few-sentence-ends`: a smaller share of lines that end as a sentence does. Penedo et al. 2024 (`FineWeb`).
    pub min_sentence_end_ratio: f64,
    /// `short-lines`: a greater share of lines of 30 characters or fewer. `FineWeb`.
    pub max_short_line_ratio: f64,
    /// `lorem-ipsum`: the placeholder text stands in it. Raffel et al. 2020 (C4).
    pub lorem_ipsum: bool,
    /// Rules that are not asked, by name.
    pub off: Vec<String>,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            min_words: 50,
            max_words: 100_000,
            min_word_chars: 3.0,
            max_word_chars: 10.0,
            max_symbol_ratio: 0.1,
            max_bullet_ratio: 0.9,
            max_ellipsis_ratio: 0.3,
            min_letter_ratio: 0.8,
            min_stop_words: 2,
            max_repeated_line_ratio: 0.3,
            max_repeated_byte_ratio: 0.2,
            min_sentence_end_ratio: 0.12,
            max_short_line_ratio: 0.67,
            lorem_ipsum: true,
            off: Vec::new(),
        }
    }
}

/// A rule with what was measured: it is broken where the number is not within its bounds.
struct Measured {
    rule: &'static str,
    value: f64,
    least: f64,
    most: f64,
}

impl Quality {
    /// Every rule with its threshold, for reports.
    pub fn rules(&self) -> Vec<(&'static str, String)> {
        let of = |m: Measured| (m.rule, if m.most.is_finite() { format!("at most {}", m.most) } else { format!("at least {}", m.least) });
        self.measured(&Counts::default()).into_iter().filter(|m| self.asks(m.rule)).map(of).collect()
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let rules = self.measured(&Counts::default());
        match self.off.iter().find(|name| !rules.iter().any(|m| m.rule == name.as_str())) {
            Some(name) => {
                Err(format!("off: '{name}' is no rule; they are {}", rules.iter().map(|m| m.rule).collect::<Vec<_>>().join(", ")))
            }
            None => Ok(()),
        }
    }

    pub(super) fn judge(&self, document: &Document) -> Result<(), Refusal> {
        let counts = Counts::of(&document.text);
        let broken = self.measured(&counts).into_iter().find(|m| self.asks(m.rule) && (m.value < m.least || m.value > m.most));
        match broken {
            Some(Measured { rule, value, least, .. }) if value < least => Err((rule, format!("{} < {least}", short(value)))),
            Some(Measured { rule, value, most, .. }) => Err((rule, format!("{} > {most}", short(value)))),
            None => Ok(()),
        }
    }

    fn asks(&self, rule: &str) -> bool {
        !self.off.iter().any(|off| off == rule)
    }

    fn measured(&self, c: &Counts) -> Vec<Measured> {
        let words = c.n_words.max(1) as f64;
        let lines = c.n_lines.max(1) as f64;
        let least = |rule, value, least| Measured { rule, value, least, most: f64::INFINITY };
        let most = |rule, value, most| Measured { rule, value, least: f64::NEG_INFINITY, most };
        vec![
            least("few-words", c.n_words as f64, self.min_words as f64),
            most("many-words", c.n_words as f64, self.max_words as f64),
            least("short-words", c.n_word_chars as f64 / words, self.min_word_chars),
            most("long-words", c.n_word_chars as f64 / words, self.max_word_chars),
            most("symbols", c.n_hashes.max(c.n_ellipses) as f64 / words, self.max_symbol_ratio),
            most("bullets", c.n_bullet_lines as f64 / lines, self.max_bullet_ratio),
            most("ellipses", c.n_ellipsis_lines as f64 / lines, self.max_ellipsis_ratio),
            least("few-letters", c.n_letter_words as f64 / words, self.min_letter_ratio),
            least("few-stop-words", f64::from(c.stop_words.count_ones()), f64::from(self.min_stop_words)),
            most("repeated-lines", c.n_repeated_lines as f64 / lines, self.max_repeated_line_ratio),
            most("repeated-bytes", c.n_repeated_bytes as f64 / c.n_bytes.max(1) as f64, self.max_repeated_byte_ratio),
            least("few-sentence-ends", c.n_sentence_lines as f64 / lines, self.min_sentence_end_ratio),
            most("short-lines", c.n_short_lines as f64 / lines, self.max_short_line_ratio),
            most("lorem-ipsum", f64::from(u8::from(c.lorem_ipsum)), if self.lorem_ipsum { 0.0 } else { 1.0 }),
        ]
    }
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") }
}

/// What one pass over a text counts. Lines are those with something in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Counts {
    n_bytes: u64,
    n_words: u64,
    n_word_chars: u64,
    n_letter_words: u64,
    n_hashes: u64,
    n_ellipses: u64,
    /// One bit a word of [`STOP_WORDS`].
    stop_words: u8,
    n_lines: u64,
    n_short_lines: u64,
    n_bullet_lines: u64,
    n_ellipsis_lines: u64,
    n_sentence_lines: u64,
    n_repeated_lines: u64,
    n_repeated_bytes: u64,
    lorem_ipsum: bool,
}

const STOP_WORDS: [&[u8]; 8] = [b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with"];
const SHORT_LINE_CHARS: usize = 30;

impl Counts {
    fn of(text: &str) -> Self {
        let mut counts = Self { n_bytes: text.len() as u64, ..Self::default() };
        let mut seen = HashSet::with_hasher(AsItIs::default());
        for line in text.split('\n') {
            let trimmed = line.trim_ascii();
            if trimmed.is_empty() {
                continue;
            }
            counts.line(trimmed);
            if !seen.insert(xxh3_64(trimmed.as_bytes())) {
                counts.n_repeated_lines += 1;
                counts.n_repeated_bytes += trimmed.len() as u64;
            }
        }
        counts.lorem_ipsum = counts.lorem_ipsum || memchr::memmem::find(text.as_bytes(), b"orem ipsum").is_some();
        counts
    }

    fn line(&mut self, line: &str) {
        self.n_lines += 1;
        if line.len() <= 4 * SHORT_LINE_CHARS && line.chars().nth(SHORT_LINE_CHARS).is_none() {
            self.n_short_lines += 1;
        }
        self.n_bullet_lines += u64::from(line.starts_with(['•', '●', '*', '-', '‣', '◦', '▪', '–']));
        self.n_ellipsis_lines += u64::from(line.ends_with('…') || line.ends_with("..."));
        self.n_sentence_lines += u64::from(line.ends_with(['.', '!', '?', '"', '”', '’', '\'', '…', ')', '。', '！', '？', '」']));
        self.words(line.as_bytes());
    }

    /// White space is ASCII's: other blanks became ASCII in `repair`.
    fn words(&mut self, line: &[u8]) {
        let mut at = 0;
        while at < line.len() {
            let begin = at;
            let (mut classes, mut n_continued) = (0u8, 0u64);
            while at < line.len() {
                let class = CLASSES[line[at] as usize];
                if class & BLANK != 0 {
                    break;
                }
                classes |= class;
                n_continued += u64::from(class & CONTINUES != 0);
                at += 1;
            }
            if at > begin {
                self.word(&line[begin..at], classes, n_continued);
            }
            at += 1;
        }
    }

    fn word(&mut self, word: &[u8], classes: u8, n_continued: u64) {
        self.n_words += 1;
        self.n_word_chars += word.len() as u64 - n_continued;
        self.n_letter_words += u64::from(classes & LETTER != 0);
        if classes & MARK != 0 {
            self.n_hashes += word.iter().filter(|b| **b == b'#').count() as u64;
            self.n_ellipses += memchr::memmem::find_iter(word, b"...").count() as u64;
        }
        if classes & CONTINUES != 0 {
            self.n_ellipses += memchr::memmem::find_iter(word, "…").count() as u64;
        }
        if word.len() <= 4 && word.len() >= 2 {
            for (i, stop) in STOP_WORDS.iter().enumerate() {
                self.stop_words |= u8::from(word.eq_ignore_ascii_case(stop)) << i;
            }
        }
    }
}

const BLANK: u8 = 1;
const LETTER: u8 = 2;
const CONTINUES: u8 = 4;
const MARK: u8 = 8;

/// What a byte says: blank, (part of) a letter, not the first byte of its character, `#` or a full stop.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        classes[byte] = if b.is_ascii_whitespace() {
            BLANK
        } else if b == b'#' || b == b'.' {
            MARK
        } else if b.is_ascii_alphabetic() || b >= 0xC0 {
            LETTER
        } else if b >= 0x80 {
            CONTINUES
        } else {
            0
        };
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Option<&'static str> {
        Quality::default().judge(&Document { text: text.to_owned(), ..Document::default() }).err().map(|(rule, _)| rule)
    }

    #[test]
    fn each_rule_leaves_out_what_it_is_for() {
        let prose = "It was the best of times, and it was the worst of times, that is to be said with some care.\n";
        let numbered = |n: usize| (0..n).map(|i| format!("{i}: {prose}")).collect::<String>();
        assert_eq!(verdict(&numbered(5)), None);
        for (text, expected) in [
            (prose.to_owned(), "few-words"),
            (numbered(6000), "many-words"),
            ("a b c d e f g to be of ".repeat(20), "short-words"),
            ("internationalisation the of ".repeat(30) + &"characteristically ".repeat(60), "long-words"),
            ("#tag the best of times ".repeat(20), "symbols"),
            ((0..40).map(|i| format!("- the {i} remarkable station of the northern railway.\n")).collect(), "bullets"),
            ((0..40).map(|i| format!("Read {i} of the best stories and more...\n")).collect(), "symbols"),
            ("1900 2000 and the 300 4000 of ".repeat(20), "few-letters"),
            ("Lirum larum Löffelstiel, wer das nicht kann der kann nicht viel. ".repeat(10), "few-stop-words"),
            (numbered(5) + &"a line of the page again.\n".repeat(6), "repeated-lines"),
            (numbered(9) + &format!("{prose}{prose}{prose}{prose}"), "repeated-bytes"),
            ((0..20).map(|i| format!("the {i} heading of a page without an end and more\n")).collect(), "few-sentence-ends"),
            ((0..30).map(|i| format!("to wonder with care {i}.\n")).collect::<String>() + prose, "short-lines"),
            (numbered(5) + "Lorem ipsum dolor sit amet, and so on.", "lorem-ipsum"),
        ] {
            assert_eq!(verdict(&text), Some(expected), "{text:.60}");
        }
    }

    #[test]
    fn a_rule_can_be_left_unasked() {
        let rule = Quality { off: vec!["few-words".into()], ..Quality::default() };
        assert!(
            rule.judge(&Document {
                text: "It was the best of times, and it was the worst of times, that is to be said with some care.".into(),
                ..Document::default()
            })
            .is_ok()
        );
        assert!(Quality { off: vec!["wit".into()], ..Quality::default() }.check().unwrap_err().contains("'wit' is no rule"));
        assert_eq!(Quality::default().rules()[0], ("few-words", "at least 50".to_owned()));
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        let counts = Counts::of("żółć … été #1");
        assert_eq!((counts.n_words, counts.n_word_chars, counts.n_letter_words, counts.n_ellipses, counts.n_hashes), (4, 10, 3, 1, 1));
    }
}
