//! Which language a text is in (`whatlang`: trigrams after Cavnar and Trenkle 1994), and whether it is one that is kept.
//!
//! A text is judged by pieces from its beginning, middle and end: more text makes the answer no surer, and its time would be that of all other stages together.

use serde::{Deserialize, Serialize};
use whatlang::{Detector, Lang};

use super::Refusal;
use crate::Document;

/// Which languages are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LanguageRule {
    /// ISO 639-3 codes; none keeps all and only notes the language.
    pub keep: Vec<String>,
    /// A text whose language is less sure than this is left out, too, where `keep` names any. Between 0 and 1.
    pub min_confidence: f64,
}

impl Default for LanguageRule {
    fn default() -> Self {
        Self { keep: vec!["eng".to_owned()], min_confidence: 0.0 }
    }
}

/// Bytes of each of the pieces that are looked at.
const PIECE_BYTES: usize = 200;

impl LanguageRule {
    pub(crate) fn check(&self) -> Result<(), String> {
        match self.keep.iter().find(|code| Lang::from_code(code.as_str()).is_none()) {
            Some(code) => Err(format!("'{code}' is no language that is known; they are named as in ISO 639-3: eng, deu, fra")),
            None => Ok(()),
        }
    }

    pub(super) fn judge(&self, document: &mut Document) -> Result<(), Refusal> {
        let found = detect(&document.text);
        document.language = found.map(|(code, _)| code.to_owned());
        if self.keep.is_empty() {
            return Ok(());
        }
        match found {
            None => Err(("no-language", String::new())),
            Some((code, _)) if !self.keep.iter().any(|k| k == code) => Err(("other-language", code.to_owned())),
            Some((code, sure)) if sure < self.min_confidence => Err(("unsure-language", format!("{code} {sure:.2}"))),
            Some(_) => Ok(()),
        }
    }
}

/// The language as ISO 639-3, and how sure that is between 0 and 1; `None` for a text without letters.
pub fn detect(text: &str) -> Option<(&'static str, f64)> {
    let found = Detector::new().detect(&sample(text))?;
    Some((found.lang().code(), found.confidence()))
}

/// Three pieces of a long text, cut at white space where there is any near.
fn sample(text: &str) -> String {
    if text.len() <= 3 * PIECE_BYTES {
        return text.to_owned();
    }
    let mut sample = String::with_capacity(4 * PIECE_BYTES);
    for start in [0, text.len() / 2 - PIECE_BYTES / 2, text.len() - PIECE_BYTES] {
        let piece = &text[text.ceil_char_boundary(start)..text.floor_char_boundary(start + PIECE_BYTES)];
        let begin = if start == 0 { 0 } else { piece.find(char::is_whitespace).unwrap_or(0) };
        let end = piece.rfind(char::is_whitespace).filter(|end| *end > begin).unwrap_or(piece.len());
        sample.push_str(&piece[begin..end]);
        sample.push(' ');
    }
    sample
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_told() {
        let long =
            "The quick brown fox jumps over the lazy dog, and then it goes on to the next field where another dog is waiting for it. "
                .repeat(200);
        for (text, expected) in [
            (long.as_str(), Some("eng")),
            ("Das ist ein Satz, der auf Deutsch geschrieben wurde, und zwar von jemandem, der Deutsch spricht.", Some("deu")),
            (
                "Это предложение написано на русском языке, и его написал человек, который говорит по-русски и живёт в большом городе. Мы были \
                 дома, когда он пришёл, чтобы сказать нам, что завтра будет дождь.",
                Some("rus"),
            ),
            ("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", Some("jpn")),
            ("12345 67890 !!!", None),
            ("", None),
        ] {
            assert_eq!(detect(text).map(|(code, _)| code), expected, "{text:.40}");
        }
    }

    #[test]
    fn no_cut_falls_into_a_character() {
        for n in 0..9 {
            assert!(sample(&("x".repeat(n) + &"é".repeat(1000))).len() < 1000);
        }
    }
}
