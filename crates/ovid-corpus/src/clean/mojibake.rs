//! UTF-8 that was once read as Windows-1252: "donâ€™t" for "don’t".
//!
//! A run of characters above ASCII is mended where its Windows-1252 bytes are UTF-8 from end to end. That alone would also catch the rare innocent pair ("IRMÃ»"), so that pairs are mended
//! only in a text that has two such runs or one that cannot be innocent (three bytes or more: punctuation, other scripts, emoji).

/// The text with its mojibake mended, and the number of runs; `None` where there is none. Text that was misread twice is mended twice.
pub(super) fn mend(text: &str) -> Option<(String, usize)> {
    let (mut mended, mut n_runs) = mend_once(text)?;
    while let Some((again, n)) = mend_once(&mended) {
        (mended, n_runs) = (again, n_runs + n);
    }
    Some((mended, n_runs))
}

fn mend_once(text: &str) -> Option<(String, usize)> {
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    let mut certain = false;
    let bytes = text.as_bytes();
    let mut at = 0;
    // Every lead byte of UTF-8, C2 to F4, is a character that UTF-8 writes as C3 82 to C3 B4.
    while let Some(found) = memchr::memchr(0xC3, &bytes[at..]).map(|i| at + i) {
        let run: Vec<u8> = text[found..].chars().map_while(|c| byte_of(c).filter(|b| *b >= 0x80)).collect();
        let end = found + text[found..].chars().take(run.len()).map(char::len_utf8).sum::<usize>();
        at = end.max(found + 2);
        let Ok(meant) = std::str::from_utf8(&run) else { continue };
        let is_innocent = |c: char| c.len_utf8() < 3 || c == '\u{fffd}';
        if run.len() >= 2 {
            certain |= meant.chars().any(|c| !is_innocent(c));
            runs.push((found, end, meant.to_owned()));
        }
    }
    if runs.is_empty() || !(certain || runs.len() >= 2) {
        return None;
    }
    let mut mended = String::with_capacity(text.len());
    let mut copied = 0;
    for (begin, end, meant) in &runs {
        mended.push_str(&text[copied..*begin]);
        mended.push_str(meant);
        copied = *end;
    }
    mended.push_str(&text[copied..]);
    Some((mended, runs.len()))
}

/// The byte that Windows-1252 reads as this character. Its five holes are read as control characters by all who follow the WHATWG standard.
fn byte_of(c: char) -> Option<u8> {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•',
        '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match c as u32 {
        byte @ 0..=0xFF => Some(byte as u8),
        _ => UPPER.iter().position(|upper| *upper == c).map(|i| 0x80 + i as u8),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Windows-1252 makes of UTF-8.
    fn spoilt(text: &str) -> String {
        encoding_rs::WINDOWS_1252.decode_without_bom_handling(text.as_bytes()).0.into_owned()
    }

    #[test]
    fn known_ones() {
        let check = |text: &str, expected: Option<&str>| assert_eq!(mend(text).map(|(text, _)| text).as_deref(), expected, "{text}");
        check("donâ€™t", Some("don’t"));
        check("â€œQuotedâ€\u{9d} â€” cafÃ©", Some("“Quoted” — café"));
        check("dÃ©jÃ  vu", None); // The blank of "Ã " was once a no-break space; what is left proves nothing.
        check("dÃ©jÃ\u{a0} vu", Some("déjà vu"));
        check("NestlÃ© and IRMÃ»", Some("Nestlé and IRMû"));
        check("IRMÃ»", None);
        check("São Paulo, naïve, «élan», “quoted”, 10 €", None);
        check("", None);
        check(&spoilt(&spoilt("it’s")), Some("it’s"));
    }

    proptest! {
        #[test]
        fn spoilt_text_comes_back(words in proptest::collection::vec("[a-z]{1,6}|[’“”—…äöüéèñ]|[а-я]{2,5}|[一-十]{1,3}|😀", 1..30)) {
            let text = words.join(" ") + " … end";
            prop_assert_eq!(mend(&spoilt(&text)).map(|(t, _)| t), Some(text));
        }

        #[test]
        fn what_is_mended_needs_no_more(text in "\\PC*") {
            let mended = mend(&text).map_or(text, |(t, _)| t);
            prop_assert_eq!(mend(&mended), None);
        }
    }
}
