//! Characters mended and brought to one form: mojibake, line ends, control characters, odd blanks, and Unicode's composed form (NFC, UAX #15).
//!
//! What it does not touch: letters and punctuation. Typographic quotes, ligatures and full-width forms are the author's.

use serde::{Deserialize, Serialize};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::{Refusal, mojibake};
use crate::Document;

/// What is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RepairRule {
    /// UTF-8 that was read as Windows-1252 is read anew.
    pub mojibake: bool,
    /// A text is left out where more than one character in so many stands for bytes that meant nothing (U+FFFD); 0 keeps all.
    pub max_one_lost_in: usize,
}

impl Default for RepairRule {
    fn default() -> Self {
        Self { mojibake: true, max_one_lost_in: 100 }
    }
}

impl RepairRule {
    pub(super) fn judge(self, document: &mut Document) -> Result<(), Refusal> {
        if let Some((text, what)) = self.repaired(&document.text) {
            document.text = text;
            document.touch("repair", what);
        }
        if self.max_one_lost_in > 0 && !document.text.is_ascii() {
            let n_lost = memchr::memmem::find_iter(document.text.as_bytes(), "\u{fffd}").count();
            if n_lost * self.max_one_lost_in > document.text.len() {
                return Err(("lost-characters", format!("{n_lost} in {} bytes", document.text.len())));
            }
        }
        Ok(())
    }

    /// The text repaired, and what was done to it; `None` where nothing was to be done.
    ///
    /// What one repair leaves is looked at again: a control character inside mojibake hides it until it is gone.
    pub fn repaired(self, text: &str) -> Option<(String, String)> {
        let (mut text, mut what) = self.repaired_once(text)?;
        while let Some((again, more)) = self.repaired_once(&text) {
            (text, what) = (again, format!("{what}, {more}"));
        }
        Some((text, what))
    }

    fn repaired_once(self, text: &str) -> Option<(String, String)> {
        if is_plain(text.as_bytes()) {
            return None;
        }
        let mut done = Vec::new();
        let mended = if self.mojibake { mojibake::mend(text) } else { None };
        let mut out = mended.map(|(mended, n_runs)| {
            done.push(format!("{n_runs} runs of mojibake"));
            mended
        });
        if let Some((mapped, n)) = map_characters(out.as_deref().unwrap_or(text)) {
            done.push(format!("{n} characters mapped"));
            out = Some(mapped);
        }
        let so_far = out.as_deref().unwrap_or(text);
        // ASCII is composed and of class 0: it cannot change the answer to the worse.
        if is_nfc_quick(so_far.chars().filter(|c| !c.is_ascii())) != IsNormalized::Yes {
            let composed: String = so_far.nfc().collect();
            if composed != so_far {
                done.push("composed".to_owned());
                out = Some(composed);
            }
        }
        out.map(|text| (text, done.join(", ")))
    }
}

/// ASCII without control characters other than line feed and tab.
fn is_plain(bytes: &[u8]) -> bool {
    // Whole blocks without a branch a byte, so that the compiler can use vectors.
    bytes
        .chunks(256)
        .all(|block| block.iter().fold(true, |plain, &b| plain & ((b.wrapping_sub(0x20) < 0x5F) || (b == b'\n') || (b == b'\t'))))
}

/// What becomes of a character: `None` leaves it.
fn mapped(c: char, next: Option<char>) -> Option<&'static str> {
    Some(match c {
        '\n' | '\t' => return None,
        '\r' if next == Some('\n') => "",
        '\r' | '\u{85}' | '\u{2028}' | '\u{b}' | '\u{c}' => "\n",
        '\u{2029}' => "\n\n",
        // Zero-width space, word joiner, byte order mark, soft hyphen: nothing is seen, words are split. Joiners (U+200C, U+200D) and direction marks mean something.
        '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => "",
        '\u{a0}' | '\u{202f}' | '\u{2000}'..='\u{200a}' | '\u{205f}' => " ",
        // Noncharacters, and what is left of the control characters.
        '\u{fdd0}'..='\u{fdef}' => "",
        c if c.is_control() || (c as u32 & 0xFFFE) == 0xFFFE => "",
        _ => return None,
    })
}

fn map_characters(text: &str) -> Option<(String, usize)> {
    let bytes = text.as_bytes();
    let (mut out, mut n, mut copied, mut at) = (String::new(), 0, 0, 0);
    while at < bytes.len() {
        // What cannot be the first byte of a mapped character is passed over: printable ASCII, and leads other than C2, E2, EF and those of noncharacters.
        if bytes[at].wrapping_sub(0x20) < 0x5F {
            at += 1;
            continue;
        }
        let mut rest = text[at..].chars();
        let Some(c) = rest.next() else { break };
        if let Some(replacement) = mapped(c, rest.next()) {
            out.push_str(&text[copied..at]);
            out.push_str(replacement);
            copied = at + c.len_utf8();
            n += 1;
        }
        at += c.len_utf8();
    }
    out.push_str(&text[copied..]);
    (n > 0).then_some((out, n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn characters_are_mended() {
        let rule = RepairRule::default();
        let check = |text: &str, expected: Option<&str>| assert_eq!(rule.repaired(text).map(|(t, _)| t).as_deref(), expected, "{text:?}");
        check("plain\ttext\n", None);
        check("a\r\nb\rc", Some("a\nb\nc"));
        check("a\u{2028}b\u{2029}c", Some("a\nb\n\nc"));
        check("no\u{a0}break co\u{ad}operate\u{feff} \u{0}\u{7}\u{7f}\u{9f}", Some("no break cooperate "));
        check("e\u{301}te\u{301}", Some("été"));
        check("été “so” — ﬁ 👩\u{200d}🚀", None);
        check("\u{1f}", Some(""));
        check("â€™\u{80}𐽰", Some("’𐽰"));
        check("a\u{fffe}b", Some("ab"));
    }

    #[test]
    fn a_text_that_lost_its_characters_is_left_out() {
        let judge = |text: &str| RepairRule::default().judge(&mut Document { text: text.to_owned(), ..Document::default() });
        assert!(judge(&("x".repeat(300) + "\u{fffd}")).is_ok());
        assert_eq!(judge("a \u{fffd}\u{fffd}").unwrap_err().0, "lost-characters");
    }

    proptest! {
        #[test]
        fn repaired_text_needs_no_repair(text in "(\\PC|\\p{Cc}|\\p{Mn}|[\u{2000}-\u{206f}]|â€™|Ã©){0,40}") {
            let rule = RepairRule::default();
            let once = rule.repaired(&text).map_or(text, |(t, _)| t);
            prop_assert_eq!(rule.repaired(&once), None);
            prop_assert!(once.nfc().eq(once.chars()));
        }
    }
}
