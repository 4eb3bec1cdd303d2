//! What a detector must not use, measured so that a set of texts can be held against the calibration's: where these differ, no error rate holds.

/// Names of the traits.
pub const TRAITS: [&str; 5] = ["digits", "capitals", "marks", "letters beyond ASCII", "letters per word"];

/// The traits of a cleaned text: shares of its characters, and the mean length of its words.
pub fn traits(text: &str) -> [f64; 5] {
    let (mut n, mut digits, mut capitals, mut marks, mut foreign, mut letters, mut words) = (0u32, 0, 0, 0, 0, 0u32, 0u32);
    let mut in_word = false;
    for c in text.chars() {
        n += 1;
        digits += u32::from(c.is_ascii_digit());
        capitals += u32::from(c.is_uppercase());
        marks += u32::from(c.is_ascii_punctuation());
        foreign += u32::from(!c.is_ascii());
        letters += u32::from(c.is_alphabetic());
        words += u32::from(c.is_alphabetic() && !in_word);
        in_word = c.is_alphabetic();
    }
    let share = |k: u32| f64::from(k) / f64::from(n.max(1));
    [share(digits), share(capitals), share(marks), share(foreign), f64::from(letters) / f64::from(words.max(1))]
}

/// Marks of how a text was stored and cut, by which a detector could win without reading a word: length, line breaks, a blank at the beginning, an ending that is no
/// sentence's, blanks before marks, curly quotes, doubled blanks, end-of-text, a small letter at the beginning.
pub(crate) fn artefacts(text: &str) -> Vec<f64> {
    let n = text.chars().count().max(1) as f64;
    let share = |k: usize| k as f64 / n;
    let flag = |b: bool| f64::from(u8::from(b));
    let before_marks = [" ,", " .", " ;", " :", " !", " ?", " n't", " 's"].iter().map(|m| text.matches(m).count()).sum();
    vec![
        (text.len() as f64 + 1.0).ln(),
        share(text.matches('\n').count()),
        flag(text.starts_with(char::is_whitespace)),
        flag(text.trim_end().ends_with(['.', '!', '?', '"', '\u{201d}'])),
        share(before_marks),
        share(text.matches(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2014}', '\u{2026}']).count()),
        share(text.matches("  ").count()),
        flag(text.contains("<|endoftext|>")),
        flag(text.trim_start().starts_with(char::is_lowercase)),
    ]
}
