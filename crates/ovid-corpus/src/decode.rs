//! Bytes to text: which encoding, and the text in it.
//!
//! The order is the HTML standard's: a byte order mark, what the server or the page declares, then a guess by frequency (`chardetng`, what Firefox uses). UTF-8 that is valid is taken as UTF-8
//! whatever was declared: a page that is declared Latin-1 and is valid UTF-8 with bytes above 127 is UTF-8 in practice.

use encoding_rs::{Encoding, UTF_8};

/// A text that was bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// The text; bytes that mean nothing in the encoding stand as U+FFFD.
    pub text: String,
    /// The encoding's name in the WHATWG standard.
    pub encoding: &'static str,
    /// Whether some bytes meant nothing.
    pub malformed: bool,
}

/// Decodes `bytes`; `declared` is an encoding's label, such as the `charset` of a `Content-Type` or of a page's `meta`.
///
/// ```
/// let decoded = ovid_corpus::decode::decode(b"caf\xe9", Some("latin1"));
/// assert_eq!((decoded.text.as_str(), decoded.encoding), ("café", "windows-1252"));
/// ```
pub fn decode(bytes: &[u8], declared: Option<&str>) -> Decoded {
    let encoding = if let Some((marked, _)) = Encoding::for_bom(bytes) {
        marked
    } else if std::str::from_utf8(bytes).is_ok() {
        UTF_8
    } else {
        declared.and_then(|label| Encoding::for_label(label.trim().as_bytes())).filter(|e| *e != UTF_8).unwrap_or_else(|| guess(bytes))
    };
    let (text, encoding, malformed) = encoding.decode(bytes);
    Decoded { text: text.into_owned(), encoding: encoding.name(), malformed }
}

/// The guess looks no further: a page of this length has shown its frequencies.
const GUESS_BYTES: usize = 1 << 20;

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    let looked_at = &bytes[..bytes.len().min(GUESS_BYTES)];
    detector.feed(looked_at, looked_at.len() == bytes.len());
    // UTF-8 with a few broken bytes stays UTF-8: the guesser would call it Windows-1252 and spoil every other letter.
    if is_mostly_utf8(looked_at) { UTF_8 } else { detector.guess(None, chardetng::Utf8Detection::Deny) }
}

/// More than four of five sequences above ASCII are valid.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut valid, mut broken) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        valid += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    valid > 4 * broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_told() {
        let check = |bytes: &[u8], declared: Option<&str>, text: &str, encoding: &str| {
            let decoded = decode(bytes, declared);
            assert_eq!((decoded.text.as_str(), decoded.encoding), (text, encoding));
        };
        check("naïve".as_bytes(), None, "naïve", "UTF-8");
        // Declared wrongly, valid UTF-8 all the same.
        check("naïve".as_bytes(), Some("iso-8859-1"), "naïve", "UTF-8");
        check(b"\xEF\xBB\xBFabc", None, "abc", "UTF-8");
        check(b"\xFF\xFEa\0b\0", None, "ab", "UTF-16LE");
        check(b"caf\xe9", Some("no such label"), "café", "windows-1252");
        let (bytes, ..) = encoding_rs::WINDOWS_1251.encode("Все счастливые семьи похожи друг на друга");
        check(&bytes, None, "Все счастливые семьи похожи друг на друга", "windows-1251");
        let (bytes, ..) = encoding_rs::SHIFT_JIS.encode("吾輩は猫である。名前はまだ無い。");
        check(&bytes, None, "吾輩は猫である。名前はまだ無い。", "Shift_JIS");
    }

    #[test]
    fn a_broken_byte_does_not_spoil_the_rest() {
        let mut bytes = "été, forêt, naïveté, déjà vu, façade, hôtel".as_bytes().to_vec();
        bytes.push(0xC3);
        let decoded = decode(&bytes, None);
        assert!(decoded.malformed && decoded.encoding == "UTF-8" && decoded.text.starts_with("été, forêt"));
    }
}
