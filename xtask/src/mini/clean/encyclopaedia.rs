//! Wikipedia as its extractor left it: headings that end with a full stop, lists taken out but not their introductions, leftovers of tables and templates.

use super::blocks::{drop_empty_headings, ends_sentence, is_prose, paragraphs};
use super::characters::{latin, tidy};

/// Sections that hold lists and references, not text.
const LIST_SECTIONS: &[&str] = &[
    "references",
    "external links",
    "see also",
    "further reading",
    "notes",
    "sources",
    "bibliography",
    "discography",
    "filmography",
    "track listing",
    "track list",
    "personnel",
    "charts",
    "chart positions",
    "publications",
    "works",
    "selected works",
    "selected publications",
    "selected bibliography",
    "awards",
    "awards and nominations",
    "honours",
    "honors",
    "results",
    "schedule",
    "schedule and results",
    "standings",
    "roster",
    "squad",
    "notable people",
    "notable alumni",
    "cast",
    "line-up",
    "members",
    "band members",
    "singles",
    "albums",
    "videography",
    "statistics",
    "career statistics",
    "medalists",
    "medal table",
    "footnotes",
    "citations",
    "gallery",
    "release history",
    "certifications",
    "list of episodes",
    "episodes",
    "credits",
    "credits and personnel",
    "links",
    "literature",
    "books",
    "weekly charts",
    "year-end charts",
    "tour dates",
    "set list",
    "players",
];
/// Words that a heading does not have but a short sentence does.
const VERBS: &[&str] = &["is", "was", "were", "are", "has", "had", "have", "won", "died", "he", "she", "they", "it", "became"];
/// Signs of tables, templates and links.
const LEFTOVERS: &[&str] = &[
    "!colspan",
    "||",
    "{|",
    "|-",
    "|}",
    "style=",
    "align=",
    "colspan",
    "rowspan",
    "[[",
    "]]",
    "{{",
    "}}",
    "http",
    "www.",
    "\\displaystyle",
    "formula_",
];

/// Marks a heading while the pipeline runs.
const HEADING: char = '\u{1}';

pub fn clean(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut in_list_section = false;
    for (n, paragraph) in paragraphs(text).into_iter().enumerate() {
        let paragraph = tidy(&latin(&strip_tags(&paragraph)));
        if n == 0 {
            out.push(format!("{HEADING}{paragraph}"));
            continue;
        }
        if let Some(heading) = heading_of(&paragraph) {
            in_list_section = LIST_SECTIONS.contains(&heading.to_lowercase().as_str());
            if !in_list_section {
                out.push(format!("{HEADING}{heading}"));
            }
            continue;
        }
        let whole = ends_sentence(&paragraph) && paragraph.len() >= 40;
        if !in_list_section && whole && is_prose(&paragraph) && !LEFTOVERS.iter().any(|sign| paragraph.contains(sign)) {
            out.push(paragraph);
        }
    }
    let out = drop_empty_headings(out, |p| p.starts_with(HEADING));
    if out.first().is_none_or(|title| !title.starts_with(HEADING)) {
        return Vec::new();
    }
    out.into_iter().map(|p| p.trim_start_matches(HEADING).to_owned()).collect()
}

/// The heading without the full stop that the extractor gave it.
fn heading_of(paragraph: &str) -> Option<&str> {
    let heading = paragraph.strip_suffix('.').unwrap_or(paragraph);
    let mut words = heading.split(' ');
    let short = heading.len() <= 60 && heading.split(' ').count() <= 8;
    (short
        && heading.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit())
        && !heading.ends_with([':', '"', ')', ','])
        && !words.any(|w| VERBS.contains(&w.to_lowercase().as_str())))
    .then_some(heading)
}

/// Takes out `<ref>`, `<br />` and the like.
fn strip_tags(paragraph: &str) -> String {
    let mut out = String::with_capacity(paragraph.len());
    let mut rest = paragraph;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        match tag.find('>') {
            Some(end) if end <= 60 && tag[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') => rest = &tag[end + 1..],
            _ => {
                out.push('<');
                rest = &tag[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_lose_their_stop_and_lists_their_section() {
        let text = "Agapema anona\n\nAgapema anona is a species of silkmoth in the family Saturniidae.\n\nSubspecies.\n\nThese three subspecies belong to the species:\n\nHistory.\n\nIt was found in 1881 by a man of the name of Smith.\n\nReferences.\n\nSmith, The Moths of the World, and other works of the time.";
        assert_eq!(
            clean(text),
            [
                "Agapema anona",
                "Agapema anona is a species of silkmoth in the family Saturniidae.",
                "History",
                "It was found in 1881 by a man of the name of Smith."
            ]
        );
    }
}
