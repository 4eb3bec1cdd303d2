//! `OpenStax`: chapters with aims in front, questions and reading lists behind, and notes run into the text.

use super::blocks::{drop_empty_headings, drop_stub_runs, is_prose, is_stub, paragraphs};
use super::characters::latin;

/// Headings from which on a chapter holds questions and lists only.
const END_MATTER: &[&str] = &[
    "review questions",
    "interactive link questions",
    "critical thinking questions",
    "references",
    "further reading",
    "suggested reading",
    "suggested readings",
    "key terms",
    "multiple choice",
    "answers to questions in the book",
    "additional resources",
];
/// Headings of the aims in front.
const AIMS: &[&str] =
    &["learning outcomes", "learning objectives", "chapter objectives", "by the end of this section", "after studying this chapter"];

pub fn clean(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut in_aims = false;
    for paragraph in paragraphs(text) {
        let lower = paragraph.to_lowercase();
        if END_MATTER.contains(&lower.trim_end_matches(['.', ':'])) {
            break;
        }
        if AIMS.iter().any(|aim| lower.starts_with(aim)) {
            in_aims = true;
            continue;
        }
        if in_aims && paragraph.len() < 200 {
            continue;
        }
        in_aims = false;
        let link = ["watch ", "visit this", "visit the", "view ", "click ", "go to this", "explore ", "listen to", "browse "]
            .iter()
            .any(|start| lower.starts_with(start));
        if !link && !paragraph.contains("http") && is_prose(&paragraph) {
            out.push(without_note(&latin(&paragraph)));
        }
    }
    if out.first().is_some_and(|first| first == "Introduction") {
        out.remove(0);
    }
    drop_empty_headings(drop_stub_runs(out, 4), is_stub)
}

/// Longest note that is taken for one; a longer tail is text whose blank was lost.
const NOTE: usize = 300;

/// Cuts a note that was run into the end of a paragraph (`… political.Brawley, Turning Points.`).
fn without_note(paragraph: &str) -> String {
    let bytes = paragraph.as_bytes();
    for at in (1..bytes.len().saturating_sub(2)).rev() {
        let glued = bytes[at] == b'.'
            && bytes[at - 1].is_ascii_lowercase()
            && bytes[at + 1].is_ascii_uppercase()
            && bytes[at + 2].is_ascii_lowercase();
        if glued {
            return if bytes.len() - at <= NOTE {
                paragraph[..=at].to_owned()
            } else {
                format!("{} {}", &paragraph[..=at], &paragraph[at + 1..])
            };
        }
    }
    paragraph.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_run_into_the_text_goes() {
        assert_eq!(without_note("They supported either side.Brawley, Turning Points."), "They supported either side.");
    }
}
