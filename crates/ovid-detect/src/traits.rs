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
