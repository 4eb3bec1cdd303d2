//! Characters: one spelling for each quote, dash and blank, so that a small model need not learn five.
//!
//! Curly quotes become straight ones because seeds are typed on keyboards; a double hyphen becomes the dash it stands for.

use std::borrow::Cow;

/// Mojibake of the 1970s addresses in nltk (Big5 punctuation read as Latin-1), and other fixed strings.
const STRINGS: &[(&str, &str)] = &[
    ("¡¦", "'"),
    ("¡§", "\""),
    ("¡¨", "\""),
    ("¡X", "—"),
    ("¡V", "-"),
    ("&nbsp;", " "),
    ("&amp;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    (" . . . ", "... "),
    (" . . .", "..."),
    (". . .", "..."),
    ("----", "—"),
    ("---", "—"),
    ("--", "—"),
    ("——", "—"),
];

/// `text` with one spelling for each mark; letters are left as they are.
pub fn normalise(text: &str) -> String {
    let decoded = if text.contains("&#") { Cow::Owned(decode(text)) } else { Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    for c in decoded.chars() {
        match c {
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' | '\u{02bc}' | '\u{00b4}' => out.push('\''),
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' | '«' | '»' => out.push('"'),
            '\u{2026}' => out.push_str("..."),
            '\u{2010}' | '\u{2011}' | '\u{2212}' => out.push('-'),
            '\u{2012}' => out.push('–'),
            '\u{2015}' => out.push('—'),
            '\t' | '\u{00a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => out.push(' '),
            '\u{2028}' | '\u{2029}' | '\u{0085}' | '\u{000c}' | '\u{000b}' | '\n' => out.push('\n'),
            '•' | '‣' | '◦' | '▪' | '●' | '■' => out.push('*'),
            'ſ' => out.push('s'),
            'ﬁ' => out.push_str("fi"),
            'ﬂ' => out.push_str("fl"),
            // Overlines, soft hyphens, joiners, marks of direction, byte order marks, variation selectors, private use, the replacement character.
            '\u{0305}'
            | '\u{00ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fffc}'
            | '\u{fffd}'
            | '\u{e000}'..='\u{f8ff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    for (from, to) in STRINGS {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    out
}

/// Decimal character references (`&#8217;`) as the characters they stand for.
fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("&#") {
        let (before, reference) = rest.split_at(at);
        out.push_str(before);
        let digits = reference[2..].bytes().take_while(u8::is_ascii_digit).count();
        let code = reference.get(2..2 + digits).and_then(|d| d.parse().ok()).and_then(char::from_u32);
        if let Some(c) = code.filter(|_| reference[2 + digits..].starts_with(';')) {
            out.push(c);
            rest = &reference[digits + 3..];
        } else {
            out.push_str("&#");
            rest = &reference[2..];
        }
    }
    out.push_str(rest);
    out
}

/// `text` with the quotation marks of plain-text typesetting (``` `` ``` and `''`) as straight ones; not for text in which backticks mark code.
pub fn typeset_quotes(text: &str) -> String {
    text.replace("``", "\"").replace("''", "\"")
}

/// Words with which sentences begin: after one of them, a full stop without a blank (`tablets.You can`) is no name of a site.
const BEGINNINGS: &[&str] = &[
    "The", "This", "You", "Each", "In", "We", "It", "If", "For", "He", "She", "They", "And", "But", "There", "To", "As", "At", "On",
    "When", "These", "That", "His", "Her", "After", "Our", "What", "How", "With", "From",
];

/// `paragraph` without numbers of references (`[12]`, `[1]_`) and tags, and with the blank that a lost line break took from between sentences.
pub fn mended(paragraph: &str) -> String {
    let mut out = String::with_capacity(paragraph.len());
    let mut rest = paragraph;
    while let Some(at) = rest.find(['[', '<', '.']) {
        let (before, mark) = rest.split_at(at);
        out.push_str(before);
        let digits = mark[1..].bytes().take_while(u8::is_ascii_digit).count();
        let letters = mark[1..].bytes().take_while(|&b| b.is_ascii_alphabetic() || b == b'/').count();
        if mark.starts_with('[') && (1..=3).contains(&digits) && mark[1 + digits..].starts_with(']') {
            rest = mark[digits + 2..].trim_start_matches('_');
            if out.ends_with(' ') && rest.starts_with([' ', '.', ',', ';', ':', '\n']) {
                out.pop();
            }
            continue;
        }
        if mark.starts_with('<') && (1..=6).contains(&letters) && mark[1 + letters..].starts_with('>') {
            rest = &mark[letters + 2..];
            continue;
        }
        out.push_str(&mark[..1]);
        if mark.starts_with('.')
            && out.len() > 3
            && out.as_bytes()[out.len() - 4..out.len() - 1].iter().all(u8::is_ascii_lowercase)
            && BEGINNINGS.contains(&&mark[1..=letters])
            && mark[1 + letters..].starts_with(' ')
        {
            out.push(' ');
        }
        rest = &mark[1..];
    }
    out.push_str(rest);
    out
}

/// True for letters that are not of the Latin or Greek scripts, and for pictographs.
fn is_foreign(c: char) -> bool {
    matches!(c as u32, 0x0400..=0x1dff | 0x2190..=0x2bff | 0x2c00..=0x2c5f | 0x2c80..=0xd7ff | 0xf900..=0xfaff | 0xfb13..=0xfe6f | 0x10000..)
}

/// `text` without letters of other scripts and pictographs, nor the empty brackets that they leave.
pub fn latin(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_foreign) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|&c| !is_foreign(c)).collect())
}

/// `line` with single blanks, no blank before a closing mark or after an opening one, and no empty brackets.
pub fn tidy(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line.split_ascii_whitespace() {
        let after_opening = out.ends_with(['(', '[']);
        let closing = word.starts_with([',', ';', ')', ']'])
            || (word.starts_with(['.', ':', '!', '?']) && !word.starts_with("..") && !word[1..].starts_with(char::is_alphanumeric));
        if !out.is_empty() && !after_opening && !closing {
            out.push(' ');
        }
        out.push_str(word);
    }
    // What a stripped template leaves: "(; born 1957)", "(, )", "[]".
    while let Some((from, to)) =
        [("(;", "("), ("(,", "("), ("(:", "("), (";)", ")"), (",)", ")"), ("()", ""), ("[]", ""), ("( ", "("), (" )", ")")]
            .into_iter()
            .find(|(from, _)| out.contains(from))
    {
        out = out.replace(from, to);
    }
    for (from, to) in [("  ", " "), (" ,", ","), (" .\"", ".\""), (",,", ","), (",.", ".")] {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    if out.ends_with(" .") {
        out.truncate(out.len() - 2);
        out.push('.');
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_each_mark() {
        for (from, to) in [
            ("“It’s—” he said…", "\"It's—\" he said..."),
            ("word--word", "word—word"),
            ("a\u{a0}b\u{feff}c", "a bc"),
            ("people¡¦s", "people's"),
            ("Holdings&#8217; list&#58; a &#x", "Holdings' list: a &#x"),
        ] {
            assert_eq!(normalise(from), to);
        }
        assert_eq!(typeset_quotes("``quoted''"), "\"quoted\"");
    }

    #[test]
    fn references_and_lost_blanks_are_mended() {
        for (from, to) in [
            ("taken in C# [1]_, Dart [2]_ and Perl.", "taken in C#, Dart and Perl."),
            ("an email.[1] Most people", "an email. Most people"),
            (
                "smartphone and tablets.You can visit Data.gov and ILNumerics.Net",
                "smartphone and tablets. You can visit Data.gov and ILNumerics.Net",
            ),
            ("<i>Roger</i>, a < b", "Roger, a < b"),
        ] {
            assert_eq!(mended(from), to);
        }
    }

    #[test]
    fn what_templates_leave_goes() {
        for (from, to) in [
            ("Chan (; born 1957) is", "Chan (born 1957) is"),
            ("Kodalu ( Daughter ) is", "Kodalu (Daughter) is"),
            ("trade ().", "trade."),
            ("a , b ; c .", "a, b; c."),
            ("costs .5 of it", "costs .5 of it"),
        ] {
            assert_eq!(tidy(from), to);
        }
        assert_eq!(tidy(&latin("Fakir (Sindhi: سھراب) sang")), "Fakir (Sindhi:) sang");
    }
}
