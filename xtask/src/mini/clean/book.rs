//! Books: whole novels and essays, clean paragraphs but for front matter, footnotes, plates and rows of stars.

use super::blocks::{drop_stub_runs, paragraphs};
use super::characters::{latin, tidy};

/// Beginnings of paragraphs that are the publisher's, not the author's.
const FRONT: &[&str] = &[
    "translated by",
    "edited by",
    "by ",
    "copyright",
    "published by",
    "illustrated by",
    "with illustrations",
    "produced by",
    "new york:",
    "london:",
    "printed in",
    "transcriber",
];
/// Paragraphs at the beginning in which front matter is looked for.
const FRONT_PARAGRAPHS: usize = 12;

pub fn clean(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (n, paragraph) in paragraphs(text).into_iter().enumerate() {
        let paragraph = strip_marks(&paragraph);
        let lower = paragraph.get(..paragraph.len().min(40)).unwrap_or_default().to_lowercase();
        let front = n < FRONT_PARAGRAPHS && paragraph.len() < 120 && FRONT.iter().any(|start| lower.starts_with(start));
        let note = lower.starts_with("[footnote")
            || lower.starts_with("footnote")
            || lower.starts_with("[illustration")
            || lower.starts_with("[transcriber");
        let has_letters = paragraph.bytes().filter(u8::is_ascii_alphabetic).count() * 2 > paragraph.len();
        if !front && !note && has_letters {
            out.push(paragraph);
        }
    }
    drop_stub_runs(out, 5)
}

/// Takes out `_emphasis_`, `[12]`, `[*]`, `[Illustration: …]` and stars.
fn strip_marks(paragraph: &str) -> String {
    let mut out = String::with_capacity(paragraph.len());
    let mut rest = paragraph;
    while let Some(at) = rest.find('[') {
        let (before, bracket) = rest.split_at(at);
        out.push_str(before);
        let Some(end) = bracket.find(']') else {
            rest = bracket;
            break;
        };
        let inside = &bracket[1..end];
        let noise = inside.len() <= 4 && inside.bytes().all(|b| b.is_ascii_digit() || b == b'*')
            || inside.len() == 1
            || ["Illustration", "Footnote", "Transcriber", "Note:", "Sidenote"].iter().any(|start| inside.starts_with(start));
        if !noise {
            out.push_str(&bracket[..=end]);
        }
        rest = &bracket[end + 1..];
    }
    out.push_str(rest);
    out.retain(|c| !matches!(c, '_' | '*' | '|' | '~' | '^' | '\\' | '#'));
    tidy(&latin(&out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_the_printer_go() {
        for (from, to) in [
            ("He was _very_ tired.[12] [Illustration: the house] So", "He was very tired. So"),
            ("* * *", ""),
            ("said [he] to me", "said [he] to me"),
        ] {
            assert_eq!(strip_marks(from), to);
        }
    }
}
