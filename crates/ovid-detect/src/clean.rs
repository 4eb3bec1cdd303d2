//! One clean-up for both sides, so that no detector can win by how a text was stored.
//!
//! Every text that is scored, learned from or judged passes through [`clean`]: line breaks and runs of blanks are one space, quotes, dashes and ellipses have one
//! spelling, what cannot be seen is gone, letters that only look Latin are Latin where most letters are, no blank stands before a mark, and end-of-text
//! ends the text. What remains to be matched is length, which every comparison in this crate cuts to be equal.

/// The text as detectors see it.
///
/// ```
/// assert_eq!(ovid_detect::clean(" \u{201c}Sо it\u{200b} goes ,\u{201d}\n\nhe said\u{2026}<|endoftext|>Next"), "\"So it goes,\" he said...");
/// ```
pub fn clean(text: &str) -> String {
    let text = text.trim_start_matches(['\u{feff}', '\n', ' ']).trim_start_matches("<|endoftext|>");
    let text = text.split("<|endoftext|>").next().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    // A look-alike is undone where the text is in Latin letters: Russian stays what it is.
    let is_latin = !text.is_ascii() && {
        let foreign = text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic() && latin_of(*c).is_none()).count();
        text.bytes().filter(u8::is_ascii_alphabetic).count() > foreign
    };
    for raw in text.chars() {
        if raw.is_ascii_alphanumeric() {
            if blank && !out.is_empty() {
                out.push(' ');
            }
            blank = false;
            out.push(raw);
            continue;
        }
        if is_unseen(raw) {
            continue;
        }
        if raw.is_whitespace() || raw.is_control() {
            blank = true;
            continue;
        }
        let one = latin_of(raw).filter(|_| is_latin).unwrap_or(raw);
        let spelled = match one {
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '`' | '\u{b4}' => "'",
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{ab}' | '\u{bb}' => "\"",
            '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
            '\u{2026}' => "...",
            _ => "",
        };
        let first = spelled.chars().next().unwrap_or(one);
        if blank && !out.is_empty() && !matches!(first, ',' | '.' | ';' | ':' | '!' | '?' | ')' | ']') {
            out.push(' ');
        }
        blank = false;
        if spelled.is_empty() { out.push(one) } else { out.push_str(spelled) }
    }
    out
}

/// Characters that no reader sees.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

/// Letters of other scripts with the Latin letter that they cannot be told from in print.
pub(crate) const LOOK_ALIKES: [(char, char); 42] = [
    ('а', 'a'),
    ('с', 'c'),
    ('е', 'e'),
    ('һ', 'h'),
    ('і', 'i'),
    ('ј', 'j'),
    ('ո', 'n'),
    ('о', 'o'),
    ('р', 'p'),
    ('ԛ', 'q'),
    ('ѕ', 's'),
    ('υ', 'u'),
    ('ѵ', 'v'),
    ('ԝ', 'w'),
    ('х', 'x'),
    ('у', 'y'),
    ('ο', 'o'),
    ('ԁ', 'd'),
    ('ɡ', 'g'),
    ('ӏ', 'l'),
    ('А', 'A'),
    ('В', 'B'),
    ('С', 'C'),
    ('Е', 'E'),
    ('Ԍ', 'G'),
    ('Н', 'H'),
    ('І', 'I'),
    ('Ј', 'J'),
    ('К', 'K'),
    ('М', 'M'),
    ('Ν', 'N'),
    ('О', 'O'),
    ('Р', 'P'),
    ('Ѕ', 'S'),
    ('Т', 'T'),
    ('Ԝ', 'W'),
    ('Х', 'X'),
    ('Ү', 'Y'),
    ('Ζ', 'Z'),
    ('Α', 'A'),
    ('Β', 'B'),
    ('Ε', 'E'),
];

fn latin_of(c: char) -> Option<char> {
    if c.is_ascii() {
        return None;
    }
    LOOK_ALIKES.iter().find(|(other, _)| *other == c).map(|(_, latin)| *latin)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn both_sides_look_alike_after_it() {
        for (raw, wanted) in [
            ("", ""),
            ("\n\nTwo  blanks\tand\r\na line .", "Two blanks and a line."),
            ("<|endoftext|>after it", "after it"),
            ("before<|endoftext|>after", "before"),
            ("z\u{200b}e\u{200d}ro\u{feff}", "zero"),
            ("\u{2018}a\u{2019} \u{2014} b", "'a' - b"),
            ("Привет мир", "Привет мир"),
            ("hеllо wоrld", "hello world"),
        ] {
            assert_eq!(clean(raw), wanted, "{raw:?}");
            assert_eq!(clean(wanted), wanted, "once is enough");
        }
    }
}
